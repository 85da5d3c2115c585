import re
from html.parser import HTMLParser

import pytest

from apps.core.callers import USER
from apps.core.commands import REGISTRY, Command, command
from apps.core.wire import Str
from tests.api.client import Wire

PAGES = ("/api/docs/", "/api/docs/rest", "/api/docs/errors", "/api/docs/listVolumes", "/api/docs/createAccount")


class Tags(HTMLParser):
    """Tags that are open, links, and what a strict policy would forbid."""

    def __init__(self):
        super().__init__()
        self.open, self.links, self.forbidden = [], [], []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in ("script", "style", "iframe", "object", "img") or any(
            n.startswith("on") or n == "style" for n in given
        ):
            self.forbidden.append(tag)
        self.links += [value for name, value in given.items() if name in ("href", "src")]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(answer):
    tags = Tags()
    tags.feed(answer.content.decode())
    assert tags.open == []
    return tags


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_and_needs_nothing_from_elsewhere(path):
    answer = Wire().http.get(path)

    tags = read(answer)
    assert (answer.status_code, answer["Content-Type"], tags.forbidden) == (200, "text/html; charset=utf-8", [])
    assert all(link.startswith(("/api/", "#")) for link in tags.links)
    assert answer["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


def test_every_command_has_a_page_and_every_link_leads_somewhere():
    http = Wire().http
    links = {link.partition("#")[0] for path in PAGES for link in read(http.get(path)).links} - {""}

    assert {f"/api/docs/{name}" for name in REGISTRY} <= links
    assert {link: http.get(link).status_code for link in links if http.get(link).status_code != 200} == {}


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_a_page_names_each_parameter_and_field(name):
    from apps.api import describe

    text = Wire().http.get(f"/api/docs/{name}").content.decode()

    wanted = [part for part, _ in describe.parameters(REGISTRY[name])]
    wanted += [each.name for each in describe.answered(REGISTRY[name])]
    assert [each for each in wanted if f"{each}</code>" not in text] == []


def test_texts_are_escaped():
    body = {"x": Str(help_text="<script>alert(1)</script>"), "run": lambda self, **given: None, "__doc__": "A <b>."}
    command("probeDocs", roles=USER, event="VOLUME.UPDATE", response=None)(type("Probe", (Command,), body))
    try:
        answer = Wire().http.get("/api/docs/probeDocs")
    finally:
        del REGISTRY["probeDocs"]

    assert read(answer).forbidden == []
    assert "&lt;script&gt;" in answer.content.decode()


def test_errors_are_where_problems_point_to():
    text = Wire().http.get("/api/docs/errors").content.decode()

    numbers = [int(number) for number in re.findall(r'<tr id="(\d+)">', text)]
    assert {401, 430, 431, 432, 530, 531, 533, 534, 535, 536, 537} <= set(numbers)
    assert numbers == sorted(set(numbers))


def test_what_there_is_not_is_404():
    answer = Wire().http.get("/api/docs/<script>")

    assert (answer.status_code, answer["Content-Type"]) == (404, "text/plain")


def test_the_style_is_a_file_of_its_own():
    answer = Wire().http.get("/api/docs/style.css")

    assert answer["Content-Type"] == "text/css; charset=utf-8"
    assert "url(" not in answer.content.decode()
