"""The road of a request: sessions, forgery, language, errors; and that the API does not walk it."""

import gzip
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.utils import timezone

from apps.accounts.models import Session, User
from apps.accounts.services import sign_on, users
from apps.accounts.services.accounts import Person
from apps.configuration.models import Value
from apps.core.dispatch import call
from apps.limits.models import Counter
from apps.portal import gate
from apps.portal.limits.limits import Limits
from apps.rbac.services import replace_rules
from tests.portal.conftest import text


@pytest.fixture
def bob(make, db):
    account = make.account("corp", make.domain("acme", make.domain()))
    person = {"first_name": "Bob", "last_name": "B", "email": "b@example.com", "timezone": "Asia/Tokyo"}
    return users.create(account=account, person=Person(username="bob", password="secret word", **person))


def log_in(browser, **given):
    return browser.post("/login", {"username": "bob", "password": "secret word", "domain": "acme"} | given)


def test_a_stranger_is_led_to_the_login_and_back(browser, bob):
    visitor = browser(None)

    answer = visitor.get("/machines?state=Running")

    assert (answer.status_code, answer["Location"]) == (302, "/login?next=%2Fmachines%3Fstate%3DRunning")
    back = log_in(visitor, next="/machines?state=Running")
    assert (back.status_code, back["Location"]) == (303, "/machines?state=Running")
    assert visitor.get("/").status_code == 200


@pytest.mark.parametrize("domain", ["acme", "/acme/", "ROOT/acme", " acme "])
def test_a_domain_is_found_as_people_write_it(browser, bob, domain):
    assert log_in(browser(None), domain=domain).status_code == 303


@pytest.mark.parametrize("wrong", [{"password": "x"}, {"username": "nobody"}, {"domain": "elsewhere"}])
def test_a_login_that_fails_says_the_same_whatever_was_wrong(browser, bob, wrong):
    answer = log_in(browser(None), **wrong)

    assert answer.status_code == 403
    assert "do not fit together" in text(answer)
    assert Session.objects.count() == 0


def test_wrong_passwords_lock_a_user_out_as_they_do_at_the_api(browser, bob):
    for _ in range(5):
        log_in(browser(None), password="x")

    assert log_in(browser(None)).status_code == 403
    bob.refresh_from_db()
    assert bob.state == "disabled"


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:x"])
def test_nobody_is_led_to_another_server(browser, bob, address):
    assert log_in(browser(None), next=address)["Location"] == "/"


def test_a_session_of_the_portal_is_one_of_the_api_with_its_place(browser, bob):
    browser(None).client.post(
        "/login",
        {"username": "bob", "password": "secret word", "domain": "acme"},
        headers={"User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140"},
    )

    session = Session.objects.get()
    assert (session.user, session.address) == (bob, "127.0.0.1")
    assert session.agent == "Mozilla/5.0 (X11; Linux) Firefox/140"


def test_logging_out_ends_the_session_of_both(browser, bob):
    visitor = browser(None)
    log_in(visitor)

    answer = visitor.post("/logout")

    assert answer["Location"] == "/login"
    assert Session.objects.count() == 0
    assert visitor.get("/").status_code == 302


def test_a_form_that_comes_after_the_end_of_its_session_says_that_nothing_was_sent(browser, alice):
    visitor = browser(alice)
    Session.objects.update(used=timezone.now() - timedelta(hours=2))

    answer = visitor.post("/act", {"one": "stopVirtualMachine x"})

    assert answer["Location"] == "/login?next=%2F&ended=1&lost=1"
    assert "Nothing was sent" in text(visitor.get(answer["Location"]))


def test_what_was_typed_is_there_again_after_the_login(browser, make, bob):
    visitor = browser(None)
    log_in(visitor)
    Session.objects.update(used=timezone.now() - timedelta(hours=2))

    late = visitor.post("/do/createVolume", {"_token": "x", "name": "my data", "size": "7", "password": "canary"})
    back = log_in(visitor, next=parse_qs(urlsplit(late["Location"]).query)["next"][0])

    assert "canary" not in late["Location"]
    assert 'value="my data"' in text(visitor.get(back["Location"]))


def test_what_a_page_asks_by_itself_leads_nobody_away(browser):
    answer = browser(None).get("/jobs/bell", **{"X-By-Itself": "1", "HX-Request": "true"})

    assert answer.status_code == 401
    assert "HX-Redirect" not in answer


def test_a_form_without_its_token_is_refused(browser, alice):
    visitor = browser(alice, strict=True)

    answer = visitor.post("/act", {"one": "x"})

    assert answer.status_code == 403
    assert "Nothing was sent" in text(answer)


def test_what_a_page_asks_by_itself_does_not_keep_a_session_alive(browser, alice):
    visitor = browser(alice)
    before = timezone.now() - timedelta(minutes=10)
    Session.objects.update(used=before)

    visitor.get("/jobs/bell", **{"X-By-Itself": "1", "HX-Request": "true"})
    assert Session.objects.get().used == before
    visitor.get("/jobs/bell", **{"HX-Request": "true"})
    assert Session.objects.get().used > before


def test_every_page_says_what_it_may_load_and_is_kept_nowhere(browser, alice):
    answer = browser(alice).get("/limits")

    assert answer["Content-Security-Policy"] == gate.POLICY
    assert "unsafe" not in gate.POLICY
    assert answer["Cache-Control"] == "no-store"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert len(answer["X-Request-Id"]) == 36


def test_an_answer_of_the_api_has_none_of_the_portals_headers(client, db):
    answer = client.get("/client/api", {"command": "listZones"})

    assert answer.status_code == 401
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert not {"Server-Timing", "Vary"} & set(answer.headers)
    assert not answer.cookies


def test_a_page_is_packed_for_who_can_unpack_it(browser, alice):
    answer = browser(alice).get("/limits", **{"Accept-Encoding": "gzip"})

    assert answer["Content-Encoding"] == "gzip"
    assert b"</html>" in gzip.decompress(answer.content)


def test_language_is_that_of_the_browser_until_one_is_chosen(browser, alice):
    visitor = browser(alice)

    assert '<html lang="de"' in text(visitor.get("/limits", **{"Accept-Language": "de-AT,de;q=0.9"}))
    answer = visitor.post("/language", {"language": "en", "next": "/limits"})
    assert (answer.status_code, answer["Location"]) == (303, "/limits")
    assert '<html lang="en"' in text(visitor.get("/limits", **{"Accept-Language": "de"}))


def test_a_language_that_nobody_speaks_here_is_not_taken(browser, alice):
    answer = browser(alice).post("/language", {"language": "xx<script>", "next": "/"})

    assert "language" not in answer.cookies


def test_times_are_in_the_zone_of_the_user(browser, bob):
    visitor = browser(None)
    log_in(visitor)
    Session.objects.update(created="2026-01-02T20:00:00Z")

    assert "JST" in visitor.page("/account/sessions")
    assert 'datetime="2026-01-03T05:00:00+09:00"' in visitor.page("/account/sessions")


def test_a_theme_is_kept_in_the_browser(browser, alice):
    visitor = browser(alice)

    visitor.post("/theme", {"theme": "dark", "next": "/"})

    assert 'data-bs-theme="dark"' in visitor.page("/limits")
    assert "theme" not in visitor.post("/theme", {"theme": "pink"}).cookies


def test_what_is_unknown_foreign_or_no_page_looks_the_same(browser, alice, make):
    foreign = make.vm(make.account("bob"))
    visitor = browser(alice)
    pages = {}
    for path in (
        f"/machines/{foreign.uuid}",
        "/machines/5b8e2b5a-8f39-4b7e-9f6b-0d8b8ad7d1c1",
        f"/machines/{foreign.uuid}/volumes",
        f"/do/stopVirtualMachine?id={foreign.uuid}",
        "/do/stopVirtualMachine?id=5b8e2b5a-8f39-4b7e-9f6b-0d8b8ad7d1c1",
        f"/do/destroyVirtualMachine?id={foreign.uuid}",
        "/jobs/5b8e2b5a-8f39-4b7e-9f6b-0d8b8ad7d1c1",
        "/nosuchpage",
    ):
        answer = visitor.get(path)
        assert answer.status_code == 404
        pages[path] = same(text(answer), path, answer["X-Request-Id"])

    assert len(set(pages.values())) == 1


def same(page, path, request):
    """Without what must differ: the request, masked tokens, the address."""
    page = page.replace(request, "").replace(path.replace("&", "&amp;"), "")
    return re.sub(r'(value|data-csrf)="[A-Za-z0-9]{64}"', "", page)


def test_a_machine_that_is_unknown_to_a_job_of_somebody_else_too(browser, alice, make, api):
    bob = make.caller("bob")
    job = make.vm(bob.account, state="Running")
    jobid = call(bob, "stopVirtualMachine", id=job.uuid)["jobid"]

    assert browser(alice).get(f"/jobs/{jobid}").status_code == 404
    assert browser(bob).get(f"/jobs/{jobid}").status_code == 200


def test_a_command_that_the_role_lacks_is_not_there(browser, alice, make):
    vm = make.vm(alice.account, state="Running")
    replace_rules(role=alice.role, rules=[("stopVirtualMachine", False), ("list*", True)])
    visitor = browser(alice)

    page = visitor.page(f"/machines/{vm.uuid}")

    assert "stopVirtualMachine" not in page
    assert visitor.get(f"/do/stopVirtualMachine?id={vm.uuid}").status_code == 404
    assert "/volumes" in page
    replace_rules(role=alice.role, rules=[("listVolumes", False)])
    assert 'href="/volumes"' not in visitor.page("/limits")


def test_an_error_that_nobody_expected_is_a_page_with_its_request(browser, alice, monkeypatch):
    monkeypatch.setattr(Limits, "context", lambda page: 1 / 0)

    answer = browser(alice).get("/limits", **{"X-Request-Id": "my-own-request"})

    assert answer.status_code == 500
    assert "Something went wrong here" in text(answer)
    assert "my-own-request" in text(answer)
    assert "ZeroDivision" not in text(answer)


def test_sessions_are_listed_and_closed(browser, alice):
    one, other = browser(alice), browser(alice)
    page = one.page("/account/sessions")

    assert page.count("<tr>") == 3  # with the head
    one.post("/account/sessions", {"others": "1"})

    assert one.get("/limits").status_code == 200
    assert other.get("/limits").status_code == 302


def test_nobody_closes_a_session_of_somebody_else(browser, alice, make):
    mine, foreign = browser(alice), browser(make.caller("bob"))
    key = Session.objects.get(user=foreign.user).pk

    mine.post("/account/sessions", {"one": str(key)})

    assert foreign.get("/limits").status_code == 200


def test_a_password_is_changed_with_the_current_one_and_other_sessions_end(browser, bob):
    one, other = browser(None), browser(None)
    log_in(one)
    log_in(other)

    wrong = one.post("/account/password", {"current": "x", "new": "another word", "again": "another word"})
    assert wrong.status_code == 422
    assert "is not right" in text(wrong)
    right = one.post("/account/password", {"current": "secret word", "new": "another word", "again": "another word"})

    assert right["Location"] == "/account/password"
    assert one.get("/limits").status_code == 200
    assert other.get("/limits").status_code == 302
    assert log_in(browser(None), password="another word").status_code == 303
    assert sign_on.sessions_of(bob)


@pytest.mark.parametrize(
    ("new", "again", "said"), [("short", "short", "At least 8"), ("longenough", "other", "not the same")]
)
def test_a_new_password_is_looked_at_before_it_is_sent(browser, bob, new, again, said):
    visitor = browser(None)
    log_in(visitor)

    answer = visitor.post("/account/password", {"current": "secret word", "new": new, "again": again})

    assert answer.status_code == 422
    assert said in text(answer)


def test_keys_are_shown_once_and_never_again(browser, alice):
    visitor = browser(alice)
    token = visitor.token("/account/keys")

    shown = text(visitor.post("/account/keys", {"_token": token}))
    visitor.user.refresh_from_db()
    own = sign_on.caller_of(visitor.user, "session")
    api_key, secret = users.keys_of(caller=own, user=visitor.user) or ("", "")

    assert api_key in shown
    assert secret in shown
    assert secret not in visitor.page("/account/keys")
    again = visitor.post("/account/keys", {"_token": token})
    assert again["Location"] == "/account/keys"
    visitor.user.refresh_from_db()
    assert visitor.user.api_key == api_key


@pytest.mark.parametrize(
    ("address", "sent"),
    [("/account/keys", {}), ("/settings", {"name": "vm.stats.interval", "value": "1"}), ("/limits/edit", {"vm": "5"})],
)
def test_a_form_of_the_day_before_changes_nothing_and_says_so(browser, make, address, sent):
    root = make.root()
    visitor = browser(root)
    domain = {"domainid": root.account.domain.uuid} if address == "/limits/edit" else {}

    answer = visitor.post(f"{address}?{urlencode(domain)}", {"_token": "of another day", **domain, **sent})

    assert answer.status_code == 403
    assert "This form is too old" in text(answer)
    assert not Value.objects.exists()
    assert not Counter.objects.exclude(limit=None).exists()
    assert User.all_tenants.get(account=root.account).api_key is None
