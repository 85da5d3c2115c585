"""Section 3 of wire-protocol.md."""

from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
from django.utils import timezone

from apps.accounts.models import Session, User
from apps.configuration.store import STORE
from apps.events.models import Event
from apps.jobs.commands.jobs import SERVER_ID
from tests.api.client import Wire, said

pytestmark = pytest.mark.django_db
NO_SESSION = "unable to verify user credentials"
UNSIGNED = "unable to verify user credentials and/or request signature"


def text_of(answer):
    inner = said(answer)
    assert inner.pop("uuidList") == []
    return answer.status_code, inner


def test_login_answers_who_one_is(alice):
    user = alice.user

    answer = Wire().login("alice", domain="/a")

    assert answer.status_code == 200
    told = said(answer)
    assert len(told.pop("sessionkey")) == 27  # 20 bytes
    assert told == {
        "username": "alice",
        "userid": str(user.uuid),
        "domainid": str(user.account.domain.uuid),
        "account": "alice",
        "firstname": "",
        "lastname": "",
        "type": "0",
        "timeout": 1800,
        "timezone": "UTC",
        "timezoneoffset": "0.0",
        "registered": "false",
        "is2faenabled": "false",
        "is2faverified": "true",
        "issuerfor2fa": "CloudStack",
    }


def test_root_is_told_the_server(root):
    told = said(Wire().login("admin"))

    assert (told["type"], told["managementserverid"]) == ("1", SERVER_ID)


@pytest.mark.parametrize(("zone", "offset"), [("Asia/Kolkata", "5.5"), ("Etc/GMT+3", "-3.0"), ("No/Where", "0.0")])
def test_the_zone_of_the_user_is_told_with_its_offset(alice, zone, offset):
    User.all_tenants.filter(pk=alice.user.pk).update(timezone=zone)

    told = said(Wire().login("alice", domain="/a"))

    assert (told["timezone"], told["timezoneoffset"]) == (zone, offset)


def test_the_cookies(alice):
    cookies = Wire().login("alice", domain="/a").cookies

    for name in ("JSESSIONID", "sessionkey"):
        assert (cookies[name]["path"], cookies[name]["httponly"], cookies[name]["samesite"]) == ("/client", True, "Lax")
        assert not cookies[name]["secure"]


@pytest.mark.parametrize(
    ("value", "samesite", "secure"), [("Strict", "Strict", ""), ("NoneAndSecure", "None", True), ("Null", "", "")]
)
def test_the_cookie_of_the_key_says_what_a_setting_says(alice, value, samesite, secure):
    STORE.store("api.sessionkey.cookie.samesite", value)

    cookie = Wire().login("alice", domain="/a").cookies["sessionkey"]

    assert (cookie["samesite"], cookie["secure"]) == (samesite, secure)


def test_cookies_for_https_only(alice):
    STORE.store("enable.secure.session.cookie", "true")

    cookies: SimpleCookie = Wire().login("alice", domain="/a").cookies

    assert [cookies[name]["secure"] for name in ("JSESSIONID", "sessionkey")] == [True, True]


@pytest.mark.parametrize("path", ["/a", "a", "/a/", "A"])
def test_the_domain_is_a_path_below_root_in_any_case(alice, path):
    assert Wire().login("alice", domain=path).status_code == 200


@pytest.mark.parametrize("path", [None, "", "/"])
def test_without_a_path_the_domain_is_root(root, path):
    assert Wire().login("admin", domain=path).status_code == 200


def test_a_domain_id_wins_over_a_path(alice):
    domain = str(alice.user.account.domain.uuid)

    assert Wire().login("alice", domainId=domain, domain="/no/such").status_code == 200
    assert Wire().login("alice", domainid=domain.upper()).status_code == 200


@pytest.mark.parametrize("name", ["LogIn", "LOGIN"])
def test_login_is_matched_in_any_case(alice, name):
    answer = Wire().post(name, username="alice", password="secret", domain="/a")

    assert list(answer.json()) == ["loginresponse"]
    wrong = Wire().post(name, username="alice", password="wrong", domain="/a")
    assert list(wrong.json()) == ["errorresponse"]


def test_a_post_with_everything_in_its_query_string(alice):
    answer = Wire().raw("POST", "command=login&response=json&username=alice&password=secret&domain=/a")

    assert answer.status_code == 200


def test_login_in_xml_has_no_version(alice):
    answer = Wire().post("login", response=None, username="alice", password="secret", domain="/a")

    assert answer.content.startswith(b'<?xml version="1.0" encoding="UTF-8"?><loginresponse><username>alice</username>')


def test_login_by_get_is_405_in_plain_text(alice):
    answer = Wire().get("login", username="alice", password="secret", domain="/a")

    assert (answer.status_code, answer.content) == (405, b"Please use HTTP POST to authenticate using this API")
    assert (answer.has_header("X-Description"), Session.objects.count()) == (False, 0)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"password": "wrong"},
            "Failed to authenticate user alice in domain {domain}; please provide valid credentials",
        ),
        ({"password": ""}, "Failed to authenticate user alice in domain {domain}; please provide valid credentials"),
        ({"username": "bob"}, "Failed to authenticate user bob in domain {domain}; please provide valid credentials"),
        ({"domain": "ROOT/a"}, "Unable to find the domain from the path /ROOT/a/"),
        ({"domain": "/x"}, "Unable to find the domain from the path /x/"),
        ({"username": ""}, "a username is needed to log in"),
    ],
)
def test_a_failed_login_is_531_without_cserrorcode(alice, given, text):
    answer = Wire().post("login", **{"username": "alice", "password": "secret", "domain": "/a", **given})

    text = text.format(domain=alice.user.account.domain.uuid)
    assert text_of(answer) == (531, {"errorcode": 531, "errortext": text})
    assert (answer.has_header("X-Description"), Session.objects.count()) == (False, 0)


@pytest.mark.parametrize("state", ["disabled", "locked"])
def test_who_may_not_log_in_is_told_the_same(alice, state):
    User.all_tenants.filter(pk=alice.user.pk).kernel_update(state=state)
    told = text_of(Wire().login("alice", domain="/a"))

    assert told == text_of(Wire().login("alice", password="wrong", domain="/a"))


@pytest.mark.parametrize("domain", ["12345678-1234-4234-8234-123456789012", "1", "x"])
def test_an_unknown_domain_id_is_401(alice, domain):
    answer = Wire().login("alice", domainId=domain)

    text = "Invalid domain id entered, please enter a valid one"
    assert text_of(answer) == (401, {"errorcode": 401, "errortext": text})


def test_too_many_wrong_passwords_lock_one_out(alice, root):
    for _ in range(5):
        Wire().login("alice", password="wrong", domain="/a")

    assert Wire().login("alice", domain="/a").status_code == 531
    assert alice.get("listEventTypes").status_code == 401
    (user,) = said(root.get("listUsers", username="alice", listall="true"))["user"]
    assert user["state"] == "disabled"


def test_a_session_calls_with_its_key_in_both_places(session):
    assert session.get("listEventTypes", sessionkey=session.key).status_code == 200
    assert session.post("listEventTypes", sessionkey=session.key).status_code == 200


def wrong_key(session):
    session.key = "wrong"


def no_key(session):
    session.key = None


def no_cookie(session):
    del session.http.cookies["sessionkey"]


def wrong_cookie(session):
    session.http.cookies["sessionkey"] = "wrong"


BOTH, EITHER, PARAMETER = "CookieAndParameter", "CookieOrParameter", "ParameterOnly"


@pytest.mark.parametrize(
    ("setting", "changes", "lives"),
    [
        (BOTH, (), True),
        (BOTH, (wrong_key,), False),
        (BOTH, (no_key,), False),
        (BOTH, (no_cookie,), False),
        (BOTH, (wrong_cookie,), False),
        (EITHER, (no_key,), True),
        (EITHER, (no_cookie,), True),
        (EITHER, (wrong_key,), False),
        (EITHER, (wrong_cookie,), False),
        (EITHER, (no_key, no_cookie), False),
        (PARAMETER, (no_cookie,), True),
        (PARAMETER, (wrong_cookie,), True),
        (PARAMETER, (no_key,), False),
        (PARAMETER, (wrong_key,), False),
    ],
)
def test_where_the_key_has_to_be_right_and_that_the_session_ends_if_it_is_not(session, setting, changes, lives):
    STORE.store("api.sessionkey.check.locations", setting)
    right = session.key
    for change in changes:
        change(session)

    answer = session.get("listEventTypes", sessionkey=session.key)

    assert (answer.status_code, Session.objects.count()) == ((200, 1) if lives else (401, 0))
    if not lives:
        assert text_of(answer) == (401, {"errorcode": 401, "errortext": NO_SESSION})
        assert text_of(session.get("listEventTypes", sessionkey=right)) == (
            401,
            {"errorcode": 401, "errortext": UNSIGNED},
        )


def test_a_session_decides_and_the_signature_is_not_looked_at(session):
    answer = session.get("listEventTypes", sessionkey=session.key, apiKey="no-such-key", signature="wrong")

    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["noSuchCommand", "listeventtypes", "createZone"])
def test_in_a_session_what_is_unknown_or_not_for_the_role_is_432(session, name):
    answer = session.get(name, sessionkey=session.key)

    text = f"The API [{name}] does not exist or is not available for the account alice."
    assert text_of(answer) == (432, {"errorcode": 432, "cserrorcode": 9999, "errortext": text})
    assert (list(answer.json()), answer["X-Description"]) == (["errorresponse"], text)


def test_in_a_session_no_command_is_400(session):
    answer = session.raw("GET", f"response=json&sessionkey={session.key}")

    assert text_of(answer) == (400, {"errorcode": 400, "errortext": "no command is given"})


def test_an_earlier_session_is_thrown_away_at_login(session):
    earlier = Session.objects.get().pk

    session.login("alice", domain="/a")

    assert Session.objects.get().pk != earlier


def test_a_session_that_was_idle_too_long_is_over(session):
    Session.objects.update(used=timezone.now() - timedelta(seconds=1801))

    assert session.get("listEventTypes", sessionkey=session.key).status_code == 401
    assert Session.objects.count() == 0


@pytest.mark.parametrize("change", ["disabled", "locked", "removed"])
def test_a_user_who_is_gone_has_no_session(session, alice, change):
    if change == "removed":
        alice.user.mark_removed()
    else:
        User.all_tenants.filter(pk=alice.user.pk).kernel_update(state=change)

    assert text_of(session.get("listEventTypes", sessionkey=session.key))[1]["errortext"] == UNSIGNED


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("key", [None, "wrong"])
def test_logout_needs_no_key_and_expires_all_cookies(session, method, key):
    session.http.cookies["other"] = "x"

    answer = getattr(session, method)("logout", sessionkey=key)

    assert answer.json() == {"logoutresponse": {"description": "success"}}
    assert Session.objects.count() == 0
    for name in ("JSESSIONID", "sessionkey", "other"):
        cookie = answer.cookies[name]
        assert (cookie.value, cookie["max-age"], cookie["expires"]) == ("", 0, "Thu, 01 Jan 1970 00:00:00 GMT")


def test_logout_without_a_session_is_431(wire):
    answer = wire.get("logout")

    text = "Session not found for the logout process."
    assert text_of(answer) == (431, {"errorcode": 431, "cserrorcode": 9999, "errortext": text})
    assert (list(answer.json()), answer["X-Description"]) == (["logoutresponse"], text)


def test_coming_and_going_is_told(session):
    session.get("logout")

    rows = Event.all_tenants.order_by("pk").values_list("kind", "text", "user__username")
    assert list(rows) == [
        ("USER.LOGIN", "user has logged in from IP Address 127.0.0.1", "alice"),
        ("USER.LOGOUT", "user has logged out from IP Address 127.0.0.1", "alice"),
    ]
