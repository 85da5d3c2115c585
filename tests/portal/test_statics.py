import asyncio
import gzip
import re

import pytest

from apps.portal import statics


def test_a_file_is_served_under_the_name_of_its_content_for_ever(client):
    url = statics.url_of("portal.js")

    answer = client.get(url, headers={"Accept-Encoding": "gzip"})

    assert re.fullmatch(r"/static/portal\.[0-9a-f]{10}\.js", url)
    assert answer["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer["Content-Type"] == "text/javascript; charset=utf-8"
    assert gzip.decompress(answer.content) == statics.assets()["portal.js"].body


def test_who_cannot_unpack_gets_it_as_it_is(client):
    answer = client.get(statics.url_of("portal.css"))

    assert "Content-Encoding" not in answer
    assert answer.content == statics.assets()["portal.css"].body


@pytest.mark.parametrize("name", ["portal.js", "../settings.py", "portal.0000000000.js", "vendor/"])
def test_nothing_else_is_served(client, name):
    assert client.get(f"/static/{name}").status_code == 404


def test_style_sheets_name_files_by_their_content():
    css = statics.assets()["portal.css"].body.decode()

    assert f'url("{statics.url_of("vendor/inter.woff2")}")' in css


@pytest.mark.parametrize("name", [name for name in statics.assets() if name.endswith((".css", ".js"))])
def test_no_file_names_a_source_map_or_another_server(name):
    body = statics.assets()[name].body.decode()

    assert "sourceMappingURL" not in body
    assert not re.search(r"url\(\"?https?:", body)


def test_an_unknown_name_stops_the_template():
    with pytest.raises(KeyError):
        statics.url_of("nosuch.css")


def test_the_server_answers_beside_django(event_loop_run):
    found = event_loop_run(statics.url_of("mark.svg"), "gzip, br")

    assert found["status"] == 200
    assert found["headers"]["content-encoding"] == "gzip"
    assert gzip.decompress(found["body"]) == statics.assets()["mark.svg"].body
    assert event_loop_run("/static/nosuch", "")["status"] == 404


@pytest.fixture
def event_loop_run():
    def run(path, accepted):
        sent = []

        async def send(message):
            sent.append(message)

        scope = {"path": path, "method": "GET", "headers": [(b"accept-encoding", accepted.encode())]}
        asyncio.run(statics.answer(scope, send))
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return {"status": sent[0]["status"], "headers": headers, "body": sent[1]["body"]}

    return run
