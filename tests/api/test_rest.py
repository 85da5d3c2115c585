from datetime import timedelta
from urllib.parse import urlencode

import orjson
import pytest
from django.utils import timezone

from apps.accounts.models import Session, SshKeyPair, User
from apps.api.query import LARGEST_BODY
from apps.configuration.store import STORE
from apps.core.callers import USER, Kind
from apps.core.commands import REGISTRY, Command, command
from apps.core.wire import Bool, Float, List, Long, Map, Str
from apps.events.models import Event
from apps.jobs import runner
from apps.jobs.models import Job
from apps.storage.models import Volume
from tests.api.rest_client import ROOT, Rest, soon
from tests.conftest import unknown
from tests.factories.events import event

pytestmark = pytest.mark.django_db


@pytest.fixture
def rest(alice):
    """Alice signs."""
    return Rest(alice.user, alice.secret)


@pytest.fixture
def boss(root):
    return Rest(root.user, root.secret)


@pytest.fixture
def browser(alice):
    """Alice in a session."""
    client = Rest()
    client.key = client.post("/session", {"username": "alice", "password": "secret", "domain": "/a"}).json()[
        "sessionkey"
    ]
    return client


def problem(answer):
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"] == f"/api/docs/errors#{body['errorcode']}"
    return answer.status_code, body["errorcode"], body["detail"]


def test_a_list_has_a_count_and_items(rest, make):
    assert rest.get("/ssh-key-pairs").json() == {"count": 0, "items": []}
    for number in range(3):
        rest.post("/ssh-key-pairs", {"name": f"k{number}"})

    answer = rest.get("/ssh-key-pairs", page=2, pagesize=2)

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert (answer.json()["count"], [row["name"] for row in answer.json()["items"]]) == (3, ["k2"])
    assert rest.get("/ssh-key-pairs", page=9, pagesize=2).json() == {"count": 3, "items": []}


def test_what_is_made_is_201_with_its_place(rest):
    answer = rest.post("/ssh-key-pairs", {"name": "k"})

    made = answer.json()
    assert (answer.status_code, answer["Location"]) == (201, f"{ROOT}/ssh-key-pairs/{made['id']}")
    assert made["privatekey"].startswith("-----BEGIN")


def test_one_row_by_its_id(rest, make):
    volume = make.volume(rest.user.account)

    assert rest.get(f"/volumes/{volume.uuid}").json()["id"] == str(volume.uuid)
    foreign = make.volume(make.account("bob"))
    for nobodys in (unknown(), "x", foreign.uuid):
        assert rest.get(f"/volumes/{nobodys}").status_code == 404


def test_what_takes_time_is_202_with_its_job(rest, make):
    volume = make.volume(rest.user.account)

    answer = rest.post(f"/volumes/{volume.uuid}/destroy", {})

    begun = answer.json()
    assert (answer.status_code, answer["Location"]) == (202, f"{ROOT}/async-jobs/{begun['jobid']}")
    job = rest.get(answer["Location"]).json()
    assert (job["jobid"], job["jobstatus"]) == (begun["jobid"], 0)
    assert rest.get("/async-jobs").json()["items"][0]["jobid"] == begun["jobid"]


def test_what_a_job_makes_is_named_at_once(rest, make):
    zone = make.zone()

    answer = rest.post("/volumes", {"name": "v", "size": 1, "zoneid": str(zone.uuid)})

    begun = answer.json()
    assert (answer.status_code, answer["Location"]) == (202, f"{ROOT}/async-jobs/{begun['jobid']}")
    assert begun["id"] == str(Volume.all_tenants.get().uuid)
    assert rest.get(answer["Location"]).json()["jobresult"]["volume"]["id"] == begun["id"]


def test_a_verb_of_a_row(rest, boss, make):
    user = rest.user

    answer = boss.post(f"/users/{user.uuid}/disable")

    assert answer.status_code == 202
    runner.drain()
    assert User.all_tenants.get(pk=user.pk).state == "disabled"
    assert boss.post(f"/users/{user.uuid}/enable").json()["state"] == "enabled"


def test_changing_and_deleting(boss, make):
    domain, role = make.domain("x", make.domain()), make.role(Kind.TENANT, "r")

    answer = boss.patch(f"/domains/{domain.uuid}", {"name": "y"})

    assert (answer.status_code, answer.json()["name"]) == (200, "y")
    assert boss.delete(f"/roles/{role.uuid}").json() == {"success": True}
    assert boss.get(f"/roles/{role.uuid}").status_code == 404


def test_success_is_said(rest):
    rest.post("/ssh-key-pairs", {"name": "k"})

    answer = rest.post("/ssh-key-pairs/delete", {"name": "k"})

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert SshKeyPair.all_tenants.count() == 0


def test_every_command_is_reached_by_its_name(rest):
    assert rest.post("/commands/createSSHKeyPair", {"name": "k"}).json()["name"] == "k"
    assert rest.post("/commands/listSSHKeyPairs").json()["count"] == 1
    assert rest.get("/commands/listSSHKeyPairs").status_code == 405
    assert problem(rest.post("/commands/noSuchCommand")) == (
        404,
        404,
        "there is nothing at /api/v1/commands/noSuchCommand",
    )


def test_an_object_and_a_flat_answer_are_themselves(rest):
    assert "cloudstackversion" in rest.post("/commands/listCapabilities").json()
    assert rest.get("/capabilities").json()["dynamicrolesenabled"] is True


@pytest.fixture
def probe():
    """Keeps what it was given."""
    seen = {}
    fields = {
        "name": Str(help_text="a text"),
        "size": Long(help_text="a number"),
        "display": Bool(help_text="a boolean"),
        "ratio": Float(help_text="a fraction"),
        "ids": List(of=Str(), help_text="a list"),
        "tags": Map(keys=("key", "value"), help_text="records"),
        "details": Map(style="merged", help_text="one map"),
    }
    body = {**fields, "__doc__": "Probes.", "changes": False, "run": lambda self, **given: seen.update(given) or {}}
    command("probeThing", roles=USER, response=None)(type("Probe", (Command,), body))
    yield seen
    del REGISTRY["probeThing"]


def test_lists_maps_numbers_and_booleans_of_a_body(rest, probe):
    body = {
        "name": "v",
        "SIZE": 5,
        "ratio": 1.5,
        "display": True,
        "ids": ["x", "y"],
        "tags": [{"key": "a", "value": "b"}, {"key": "c", "value": 2}],
        "details": {"Key": "v", "n": None},
    }

    assert rest.post("/commands/probeThing", body).status_code == 200

    assert probe == {
        "name": "v",
        "size": 5,
        "ratio": 1.5,
        "display": True,
        "ids": ["x", "y"],
        "tags": [{"key": "a", "value": "b"}, {"key": "c", "value": "2"}],
        "details": {"Key": "v"},
    }


def test_null_is_as_if_the_name_was_not_there_and_an_empty_list_is_one(rest, probe):
    rest.post("/commands/probeThing", {"name": None, "ids": []})

    assert probe == {"ids": []}


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"{", 400, "the body is no JSON"),
        (b"[1]", 400, "the body must be an object"),
        (b'"x"', 400, "the body must be an object"),
        ({"nosuch": 1}, 422, "nosuch: createSSHKeyPair has no such parameter"),
        ({"name": {"a": {"b": 1}}}, 422, "name.a: a text, a number or a boolean belongs here"),
        ({"name": [["a"]]}, 422, "name: a text, a number or a boolean belongs here"),
        ({"name": ["a,b"]}, 422, "name: an item of a list holds no comma"),
        ({"name": [{"a": 1}, 2]}, 422, "name: objects and plain values do not mix"),
        ({"name[0": "x"}, 400, "Unable to decode parameter name[0"),
        ({"name": "a\tb"}, 422, "Received value containing illegal"),
        ({}, 422, "missing parameter name"),
    ],
)
def test_bodies_that_are_not_right(rest, body, status, text):
    code, _, said = problem(rest.post("/ssh-key-pairs", body))

    assert (code, text in said, SshKeyPair.all_tenants.count()) == (status, True, 0)


def test_a_body_of_another_type_and_one_that_is_too_large(rest):
    query = rest.signed("POST", f"{ROOT}/ssh-key-pairs", {}, b"name=k")
    answer = rest.raw(
        "POST", f"{ROOT}/ssh-key-pairs", urlencode(query), b"name=k", kind="application/x-www-form-urlencoded"
    )
    assert problem(answer)[0] == 415
    assert problem(rest.post("/ssh-key-pairs", b" " * (LARGEST_BODY + 1)))[0] == 400


def test_parameters_stand_where_they_belong(rest, make):
    volume = make.volume(rest.user.account)

    assert problem(rest.post("/ssh-key-pairs", name="k"))[::2] == (
        400,
        "name: the parameters of a POST stand in its body",
    )
    assert problem(rest.send("GET", "/volumes", {"name": "x"}))[0] == 400
    assert problem(rest.post(f"/volumes/{volume.uuid}/attach", {"id": unknown()}))[::2] == (
        422,
        "id: the path says it already",
    )
    assert problem(rest.get("/volumes", nosuch=1))[0] == 422


def test_a_map_in_a_query_is_json_or_as_the_query_api_has_it(rest, make):
    volume = make.volume(rest.user.account)
    for given in ({"tags": '[{"key":"a","value":"b"}]'}, {"tags[0].key": "a", "tags[0].value": "b"}):
        assert rest.get("/volumes", **given).json() == {"count": 0, "items": []}
    assert problem(rest.get("/volumes", tags="[{"))[0] == 400
    assert rest.get("/volumes").json()["items"][0]["id"] == str(volume.uuid)


def test_errors_have_statuses_that_http_knows_and_the_numbers_of_the_protocol(rest, boss, make):
    foreign = make.volume(make.account("bob"))

    assert problem(rest.post(f"/volumes/{foreign.uuid}/detach"))[:2] == (403, 531)
    assert problem(rest.post(f"/volumes/{unknown()}/detach"))[:2] == (404, 431)
    assert problem(rest.get("/volumes", zoneid=unknown()))[:2] == (422, 431)
    assert problem(rest.post("/zones", {"name": "z"}))[:2] == (403, 432)
    assert problem(boss.post("/domains", {"name": ""}))[:2] == (422, 431)
    assert problem(rest.get("/nothing"))[:2] == (404, 404)
    body = rest.post("/ssh-key-pairs/delete", {"name": "x"}).json()
    assert (body["cserrorcode"], body["uuids"]) == (
        4350,
        [{"uuid": str(rest.user.account.domain.uuid), "description": "domainId"}],
    )
    assert body["instance"].startswith("urn:uuid:")


def test_what_fails_unexpectedly_is_500_and_tells_a_tenant_nothing(rest, boss, monkeypatch):
    def fail(self, **given):
        raise ZeroDivisionError("secret of the house")

    monkeypatch.setattr(REGISTRY["listEventTypes"].cls, "entries", fail)

    assert problem(rest.get("/event-types"))[2].startswith("Internal error executing command")
    assert problem(boss.get("/event-types")) == (500, 530, "ZeroDivisionError: secret of the house")


def test_too_many_calls_say_when_to_come_again(rest):
    for name, value in (("enabled", "true"), ("interval", "60"), ("max", "1")):
        STORE.store(f"api.throttling.{name}", value)
    rest.get("/volumes")

    answer = rest.get("/volumes")

    assert problem(answer)[:2] == (429, 429)
    assert 50 < int(answer["Retry-After"]) <= 60


def test_methods(rest):
    answer = rest.send("OPTIONS", "/volumes")
    assert (answer.status_code, answer["Allow"]) == (204, "GET, POST, OPTIONS")
    answer = rest.send("PUT", "/volumes")
    assert (problem(answer)[0], answer["Allow"]) == (405, "GET, POST, OPTIONS")
    assert rest.send("DELETE", "/event-types").status_code == 405
    assert rest.get("/volumes/").status_code == 404
    path = f"{ROOT}/event-types"
    answer = rest.raw("HEAD", path, urlencode(rest.signed("HEAD", path, {}, b"")))
    assert (answer.status_code, answer.content) == (200, b"")


def test_headers(rest):
    answer = rest.get("/volumes")

    assert answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert (answer["Cache-Control"], answer["X-Content-Type-Options"]) == ("no-store", "nosniff")
    assert len(answer["X-Request-Id"]) == 36
    packed = rest.send("GET", "/event-types", headers={"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"


def refused(answer):
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Signature realm="cloudportal"')
    assert answer.json()["errorcode"] == 401
    return True


def test_nobody_without_signature_or_session(rest):
    nobody = Rest()

    assert refused(nobody.get("/volumes"))
    assert refused(nobody.get("/volumes", apikey=rest.user.api_key, signature="x", expires=soon()))
    assert refused(nobody.get("/volumes", apikey="none", signature="x", expires=soon()))


def test_a_signature_is_of_this_method_path_query_and_body(rest):
    path, body = f"{ROOT}/ssh-key-pairs", orjson.dumps({"name": "k"})
    query = rest.signed("POST", path, {}, body)

    for method, other, more, sent in (
        ("GET", path, {}, b""),
        ("POST", f"{ROOT}/ssh-key-pairs/delete", {}, body),
        ("POST", path, {"x": "1"}, body),
        ("POST", path, {}, body.replace(b'"k"', b'"K"')),
        ("POST", path, {"expires": soon(minutes=9)}, body),
    ):
        assert refused(rest.raw(method, other, urlencode({**query, **more}), sent))
    assert SshKeyPair.all_tenants.count() == 0
    assert rest.raw("POST", path, urlencode(query), body).status_code == 201


def test_a_signature_expires(rest):
    assert refused(rest.get("/volumes", expires=soon(minutes=-1)))
    assert refused(rest.get("/volumes", expires=""))
    assert refused(rest.get("/volumes", expires="soon"))
    STORE.store("enforce.post.requests.and.timestamps", "true")
    assert refused(rest.get("/volumes", expires=soon(minutes=16)))
    assert rest.get("/volumes", expires=soon(minutes=14)).status_code == 200


def test_names_of_what_is_not_sent_cannot_be_sent(rest):
    assert problem(Rest().raw("GET", f"{ROOT}/volumes", "%3Abody=x"))[0] == 400


def test_a_disabled_user_has_no_signature(rest):
    User.all_tenants.filter(pk=rest.user.pk).kernel_update(state="disabled")

    assert refused(rest.get("/volumes"))


def test_a_session_is_a_cookie_and_a_key(browser, alice):
    cookie = browser.http.cookies["cloudportal_session"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/api/v1", True, "Strict")

    assert browser.post("/ssh-key-pairs", {"name": "k"}).status_code == 201

    told = Event.all_tenants.filter(kind="USER.LOGIN").values_list("user_id", flat=True)
    assert list(told) == [alice.user.pk]


@pytest.mark.parametrize("key", ["", "wrong"])
def test_a_wrong_key_ends_it(browser, key):
    browser.key = key

    assert refused(browser.get("/volumes"))
    assert Session.objects.count() == 0


def test_it_ends_when_one_logs_out_or_does_nothing(browser):
    assert browser.delete("/session").status_code == 204
    assert (Session.objects.count(), browser.http.cookies["cloudportal_session"].value) == (0, "")
    assert refused(browser.get("/volumes"))
    assert refused(browser.delete("/session"))


def test_an_idle_session_is_over(browser):
    Session.objects.update(used=timezone.now() - timedelta(seconds=1801))

    assert refused(browser.get("/volumes"))


@pytest.mark.parametrize(
    "body",
    [{}, {"username": "alice"}, {"username": "alice", "password": "wrong", "domain": "/a"}, {"username": "nobody"}],
)
def test_a_failed_login_is_401(alice, body):
    answer = Rest().post("/session", body)

    assert (problem(answer)[:2], Session.objects.count()) == ((401, 531), 0)


def test_a_login_is_json_so_that_no_form_of_another_site_can_send_one(alice):
    answer = Rest().raw("POST", f"{ROOT}/session", "", b"username=alice&password=secret", kind="text/plain")

    assert problem(answer)[0] == 415
    assert Rest().get("/session").status_code == 405


def test_a_tenant_reaches_the_own_rows_only(rest, make):
    bob = make.account("bob")
    event(make, bob)
    Job.objects.create(account=bob, command="createVolume", params={})

    assert rest.get("/events").json()["count"] == 0
    assert rest.get("/async-jobs", listall="true").json() == {"count": 0, "items": []}
