"""Sections 1 and 4 of wire-protocol.md: endpoint, methods, parameters, headers, shapes."""

import gzip

import orjson
import pytest
from django.db import IntegrityError, InterfaceError, OperationalError

from apps.api import packing
from apps.api.query import LARGEST_BODY, parameters
from apps.configuration.store import STORE
from apps.core.commands import REGISTRY
from apps.core.retry import NO_ANSWER
from tests.api.client import Wire, said, signed
from tests.factories.events import event

pytestmark = pytest.mark.django_db
JSON = "application/json;charset=utf-8"


@pytest.mark.parametrize("path", ["/client/api", "/client/api/", "/client/api/what/ever"])
def test_anything_below_the_path_is_the_endpoint(alice, path):
    query = "&".join(f"{name}={value}" for name, value in alice.params("listEventTypes", {}).items())

    assert alice.raw("GET", query.replace("+", "%2B"), path=path).status_code == 200


@pytest.mark.parametrize("method", ["get", "post"])
def test_get_and_post_do_the_same(alice, method):
    answer = getattr(alice, method)("listEventTypes")

    assert (answer.status_code, answer["Content-Type"], said(answer)["count"]) == (200, JSON, 574)


def test_head_is_a_get_without_its_body(alice):
    query = "&".join(f"{name}={value}" for name, value in alice.params("listEventTypes", {}).items())

    answer = alice.raw("HEAD", query.replace("+", "%2B"))

    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b"", JSON)


@pytest.mark.parametrize(
    ("method", "status"), [("OPTIONS", 200), ("PUT", 405), ("DELETE", 405), ("PATCH", 501), ("TRACE", 403)]
)
def test_other_methods(wire, method, status):
    answer = wire.raw(method, "command=listZones")

    assert (answer.status_code, answer["Allow"], answer.content) == (status, "GET, POST, HEAD, OPTIONS", b"")


def test_a_query_string_on_a_post_is_merged_in_and_wins():
    assert parameters("b=query&c=query", "a=body&b=body") == {"a": "body", "b": "query", "c": "query"}


def test_of_two_equal_names_the_last_of_a_query_and_the_first_of_a_body_count():
    assert parameters("a=1&a=2", "") == {"a": "2"}
    assert parameters("", "a=1&a=2") == {"a": "1"}


def test_pieces_without_a_value_are_empty_and_empty_pieces_are_nothing():
    assert parameters("a&&b=&=c", "") == {"a": "", "b": "", "": "c"}


def test_values_are_utf8_and_a_plus_is_a_blank():
    assert parameters("a=Z%C3%BCrich+%E5%8C%97%e4%ba%ac%20x&%C3%BC=1", "") == {"a": "Zürich 北京 x", "ü": "1"}


def test_a_signed_post_with_all_in_the_query_string(alice):
    query = "&".join(f"{name}={value}" for name, value in alice.params("listEventTypes", {}).items())

    answer = alice.raw("POST", query.replace("+", "%2B"), body="ignored=1")

    assert answer.status_code == 401  # what is in the body belongs to the signature too
    assert alice.raw("POST", query.replace("+", "%2B")).status_code == 200


def test_a_json_body_is_not_read(alice):
    query = "&".join(f"{name}={value}" for name, value in alice.params("listEventTypes", {}).items())

    answer = alice.raw("POST", query.replace("+", "%2B"), body='{"command":"listZones"}', kind="application/json")

    assert (answer.status_code, said(answer)["count"]) == (200, 574)


def test_a_charset_in_the_content_type_changes_nothing(alice):
    body = "&".join(f"{name}={value}" for name, value in alice.params("listEventTypes", {}).items())

    kind = "application/x-www-form-urlencoded; charset=utf-8"
    assert alice.raw("POST", body=body.replace("+", "%2B"), kind=kind).status_code == 200


def test_a_body_that_is_too_large_is_refused(wire):
    answer = wire.raw("POST", "response=json&command=listZones", body="x" * (LARGEST_BODY + 1))

    assert (answer.status_code, said(answer)["errorcode"]) == (400, 400)


def test_command_names_are_exact_and_other_names_are_in_any_case(alice):
    event(None, alice.user.account, text="one")

    answer = alice.get("listEvents", PAGE=1, pageSize=5, KeyWord="ONE")

    assert said(answer)["count"] == 1
    assert alice.get("listevents").status_code == 401
    assert alice.get("LISTEVENTS").status_code == 401


def test_the_names_response_and_command_are_lower_case(alice):
    params = alice.params("listEventTypes", {"Response": "json"})
    del params["response"], params["signature"]
    query = "&".join(f"{n}={v}" for n, v in signed(params, alice.secret).items()).replace("+", "%2B")

    assert alice.raw("GET", query)["Content-Type"] == "text/xml;charset=utf-8"
    assert alice.raw("GET", query.replace("command", "Command")).status_code == 401


@pytest.mark.parametrize("value", ["JSON", "Json"])
def test_json_is_asked_for_in_any_case(alice, value):
    assert alice.get("listEventTypes", response=value)["Content-Type"] == JSON


@pytest.mark.parametrize("value", [None, "xml", "yaml", ""])
def test_what_is_not_json_is_xml(alice, value):
    answer = alice.get("listEventTypes", response=value)

    assert answer["Content-Type"] == "text/xml;charset=utf-8"
    assert answer.content.startswith(
        b'<?xml version="1.0" encoding="UTF-8"?><listeventtypesresponse cloud-stack-version='
    )


def test_unknown_parameters_are_ignored_and_a_cache_buster_too(alice):
    assert alice.get("listEventTypes", nosuchparameter="x", _="1234567").status_code == 200


def test_names_of_the_original_s_own_change_nobody(alice, root):
    answer = alice.get("listEvents", ctxUserId=1, ctxAccountId=root.user.account.pk, ctxStartEventId=1, uuid="x")

    assert (answer.status_code, said(answer)) == (200, {})
    alice.get("createSSHKeyPair", name="k", ctxAccountId=root.user.account.pk)
    assert said(alice.get("listSSHKeyPairs"))["sshkeypair"][0]["account"] == "alice"


@pytest.mark.parametrize("value", ["a\tb", "\x00", "\x7f"])
def test_a_control_character_is_431(alice, value):
    text = "Received value containing illegal ASCII non-printable characters for parameter name"

    answer = alice.get("listSSHKeyPairs", name=value)

    assert (answer.status_code, answer["X-Description"]) == (431, text)
    assert said(answer) == {"uuidList": [], "errorcode": 431, "cserrorcode": 9999, "errortext": text}


def test_line_ends_are_no_control_characters(alice):
    assert alice.get("listSSHKeyPairs", name="a\r\nb").status_code == 200


def test_headers_of_every_answer(alice, wire):
    for answer in (alice.get("listEventTypes"), wire.get("listEventTypes"), alice.get("listEvents", page="x")):
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["X-XSS-Protection"] == "1;mode=block"
        assert answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer["Cache-Control"] == "no-store"


def test_a_request_id_is_kept_or_made(alice):
    assert alice.get("listEventTypes", headers={"X-Request-Id": "from-a-proxy-1"})["X-Request-Id"] == "from-a-proxy-1"
    assert len(alice.get("listEventTypes", headers={"X-Request-Id": "short"})["X-Request-Id"]) == 36


def test_an_answer_is_packed_for_those_who_can_read_it(alice):
    plain = alice.get("listEventTypes")
    answer = alice.get("listEventTypes", headers={"Accept-Encoding": "br, gzip"})

    assert (answer["Content-Encoding"], answer["Vary"], plain["Vary"]) == ("gzip", "Accept-Encoding", "Accept-Encoding")
    assert gzip.decompress(answer.content) == plain.content
    assert not plain.has_header("Content-Encoding")
    assert not alice.get("listSSHKeyPairs", headers={"Accept-Encoding": "gzip"}).has_header("Content-Encoding")


@pytest.mark.parametrize(
    ("header", "accepts"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("br;q=1.0", False),
        ("", False),
    ],
)
def test_what_a_client_accepts(header, accepts):
    assert packing.accepts_gzip(header) is accepts


def test_the_content_type_of_json_is_a_setting(alice):
    STORE.store("json.content.type", "text/javascript; charset=UTF-8")

    assert alice.get("listEventTypes")["Content-Type"] == "text/javascript;charset=utf-8"


def test_texts_are_url_encoded_where_a_setting_says_so(alice):
    event(None, alice.user.account, text="a b/ü~")
    STORE.store("encode.api.response", "true")

    (row,) = said(alice.get("listEvents"))["event"]

    assert (row["description"], row["archived"]) == ("a%20b%2F%C3%BC%7E", False)


def test_an_answer_has_one_root_and_one_inner_key(alice):
    assert orjson.loads(alice.get("listSSHKeyPairs").content) == {"listsshkeypairsresponse": {}}
    made = orjson.loads(alice.get("createSSHKeyPair", name="k").content)["createsshkeypairresponse"]
    assert list(made) == ["keypair"]
    listed = orjson.loads(alice.get("listSSHKeyPairs").content)["listsshkeypairsresponse"]
    assert (sorted(listed), listed["count"]) == (["count", "sshkeypair"], 1)
    assert orjson.loads(alice.get("listSSHKeyPairs", page=9, pagesize=1).content) == {
        "listsshkeypairsresponse": {"count": 1}
    }
    assert orjson.loads(alice.get("deleteSSHKeyPair", name="k").content) == {
        "deletesshkeypairresponse": {"success": True}
    }


def test_what_fails_unexpectedly_is_530_and_tells_strangers_nothing(alice, root, monkeypatch):
    def fail(self, **given):
        raise ZeroDivisionError("secret of the house")

    monkeypatch.setattr(REGISTRY["listEventTypes"].cls, "entries", fail)

    generic = "Internal error executing command, please contact your system administrator"
    answer = alice.get("listEventTypes")
    assert (answer.status_code, said(answer)["errortext"], said(answer)["cserrorcode"]) == (530, generic, 4250)
    assert said(root.get("listEventTypes"))["errortext"] == "ZeroDivisionError: secret of the house"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OperationalError(2002, "Can't connect to local server through socket '/run/mysqld.sock'"), 503),
        (OperationalError(2013, "Lost connection to server during query"), 503),
        (InterfaceError(0, ""), 503),
        (OperationalError(1213, "Deadlock found when trying to get lock"), 503),
        (OperationalError("database is locked"), 503),
        (OperationalError(1054, "Unknown column"), 530),
        (IntegrityError(1062, "Duplicate entry"), 530),
    ],
)
def test_a_database_that_is_away_is_503_and_a_statement_that_is_wrong_530(root, monkeypatch, error, code):
    from apps.api import views

    def fail(call):
        raise error

    monkeypatch.setattr(views, "caller_of", fail)

    answer = root.get("listEventTypes")

    assert answer.status_code == code
    told = said(answer)["errortext"]
    assert told == (
        NO_ANSWER if code == 503 else "Internal error executing command, please contact your system administrator"
    )


def test_what_fails_before_anybody_is_known_is_530_too(alice, monkeypatch):
    from apps.api import views

    def fail(call):
        raise ZeroDivisionError("secret of the house")

    monkeypatch.setattr(views, "caller_of", fail)

    answer = alice.get("listEventTypes")

    assert answer.status_code == 530
    assert "secret" not in answer.content.decode()


def test_mistakes_of_callers_are_no_errors_in_the_log(alice, wire, caplog):
    wire.get("listEvents")
    alice.get("listEvents", account="bob", domainid=alice.user.account.domain.parent.uuid)

    assert caplog.records == []


def test_the_health_and_the_figures_are_for_everybody():
    http = Wire().http

    assert (http.get("/healthz").content, http.get("/readyz").json()) == (b"ok\n", {"ready": True, "database": True})
    assert b"cloudportal_jobs" in http.get("/metrics").content
