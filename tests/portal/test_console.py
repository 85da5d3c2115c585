"""The page of a console: when it is there, whom it gives a token, and what it says to others."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from apps.consoles import relay
from apps.consoles.models import Ticket
from apps.consoles.services import Why
from apps.portal.compute.console import RELAY
from apps.rbac.services import replace_rules
from tests.conftest import unknown
from tests.portal.conftest import text


@pytest.fixture
def on(make, alice):
    return make.vm(alice.account, name="web-01", state="Running", host=make.host())


def test_a_machine_that_runs_leads_to_its_console(browser, alice, on):
    visitor = browser(alice)

    page, console = visitor.page(f"/machines/{on.uuid}"), visitor.page(f"/machines/{on.uuid}/console")

    assert f'href="/machines/{on.uuid}/console" data-primary' in page
    assert 'aria-current="page">Console' in console
    assert f'data-ask="/console/{on.uuid}"' in console
    assert f'data-relay="{relay.PATH}"' in console
    assert RELAY == relay.PATH
    assert "The console needs JavaScript" in console
    assert Ticket.objects.count() == 0


def test_one_that_does_not_run_has_nothing_on_its_screen(browser, make, alice):
    off = make.vm(alice.account, name="web-02", state="Stopped")

    page = browser(alice).page(f"/machines/{off.uuid}/console")

    assert "There is nothing on the screen" in page
    assert "data-console" not in page


def test_a_screen_that_is_open_is_not_taken_away_by_what_comes_by_itself(browser, make, alice, on):
    starting = make.vm(alice.account, name="web-03", state="Starting")
    visitor = browser(alice)

    assert 'hx-trigger="every 4s' not in visitor.page(f"/machines/{on.uuid}/console").split("</header>", 1)[1]
    assert 'hx-trigger="every 4s' in visitor.page(f"/machines/{starting.uuid}/console").split("</header>", 1)[1]


def test_a_token_is_given_as_json_and_kept_by_nobody(browser, alice, on):
    answer = browser(alice).post(f"/console/{on.uuid}")

    assert answer.status_code == 200
    assert answer.json().keys() == {"token"}
    assert answer["Cache-Control"] == "no-store"
    assert Ticket.objects.get().user == alice.account.users.get()


def test_a_token_needs_the_token_against_forgery(browser, alice, on):
    assert browser(alice, strict=True).post(f"/console/{on.uuid}").status_code == 403
    assert Ticket.objects.count() == 0


def test_what_the_api_refuses_is_said_in_its_words(browser, make, alice):
    off = make.vm(alice.account, name="web-02", state="Stopped")

    answer = browser(alice).post(f"/console/{off.uuid}")

    assert answer.status_code == 409
    assert "is Stopped, a console needs it Running" in answer.json()["said"]


def test_somebody_elses_machine_is_one_that_does_not_exist(browser, make, on):
    visitor, absent = browser(make.caller("bob")), unknown()

    answers = [visitor.get(f"/console/{key}") for key in (on.uuid, absent)]
    answers += [visitor.post(f"/console/{key}") for key in (on.uuid, absent)]
    answers += [visitor.get(f"/machines/{key}/console") for key in (on.uuid, absent)]

    assert {answer.status_code for answer in answers} == {404}
    assert {re.search("<h1>(.*?)</h1>", text(answer))[1] for answer in answers} == {"There is nothing here"}
    assert Ticket.objects.count() == 0


def test_who_has_only_an_address_of_the_api_sees_a_page_that_tells_nothing(browser, on):
    nobody = browser(None)

    pages = [nobody.page(f"/console/{key}") for key in (on.uuid, unknown())]
    answer = nobody.post(f"/console/{on.uuid}")

    assert "web-01" not in pages[0]
    assert [re.search("<h1[^>]*>(.*?)</h1>", page)[1] for page in pages] == ["Console"] * 2
    assert (answer.status_code, answer.json()) == (401, {"why": "4003"})


def test_a_role_without_the_command_has_no_console(browser, alice, on):
    replace_rules(role=alice.role, rules=[("createConsoleEndpoint", False), ("*", True)])
    visitor = browser(alice)

    assert "/console" not in visitor.page(f"/machines/{on.uuid}")
    assert visitor.get(f"/machines/{on.uuid}/console").status_code == 404


def test_the_page_has_words_for_every_end():
    template = Path(settings.TEMPLATES[0]["DIRS"][0], "portal/compute/screen.html").read_text()

    assert {str(why.code) for why in Why} - set(re.findall(r'data-why="(\d+)"', template)) == {"4009"}  # it says "lost"
