"""Every kind of rows that has pages: its list, its page, each tab, each form. And who sees none of them."""

import re

import pytest

import apps.portal.urls  # noqa: F401 - declares every page
from apps.core.callers import Kind
from apps.core.commands import REGISTRY
from apps.portal.frame.columns import columns_of
from apps.portal.frame.detail import DetailPage
from apps.portal.frame.listing import ListPage
from apps.portal.frame.pages import PAGES
from apps.portal.kinds import KINDS
from tests.portal.conftest import text

LISTS = {page for page in PAGES.values() if issubclass(page, ListPage)}
DETAILS = {page for page in PAGES.values() if issubclass(page, DetailPage)}
OPERATORS = ("/hosts", "/pods", "/clusters", "/primary-storage", "/secondary-storage", "/system-machines", "/alerts")


def named(pages):
    return sorted(pages, key=lambda page: page.at)


def row_of(kind, make, owner):
    if kind.label == "images.Template/iso":
        return make.template(owner, is_iso=True)
    return make.row(kind.label.partition("/")[0], owner)


@pytest.mark.parametrize("page", named(LISTS), ids=lambda page: page.at)
def test_a_list_shows_fields_and_filters_that_there_are(page):
    spec = REGISTRY[page.kind.listing]
    known = set(columns_of(spec.answering)) | set(page.own)
    assert set(page.columns) - known == set()
    assert set(page.filters) - set(spec.fields) == set()
    assert all(page.kind.action(name) for name in page.bulk)


@pytest.mark.parametrize("page", named(LISTS), ids=lambda page: page.at)
def test_a_list_is_shown_empty_and_with_its_filters(browser, make, page):
    visitor = browser(make.root())

    assert visitor.get(f"/{page.at}").status_code == 200
    assert visitor.get(f"/{page.at}?panel=filters").status_code == 200
    assert visitor.get(f"/{page.at}?format=csv").status_code == 200


@pytest.mark.parametrize("page", named(DETAILS), ids=lambda page: page.kind.label)
def test_a_row_has_its_page_and_every_tab(browser, make, page):
    root = make.root()
    row = row_of(page.kind, make, make.account("owner"))
    visitor = browser(root)

    answers = [visitor.get(page.kind.url(str(row.uuid)))]
    answers += [visitor.get(f"{page.kind.url(str(row.uuid))}/{tab.at}") for tab in page.tabs if tab.at != "rules"]

    assert [answer.status_code for answer in answers] == [200] * len(answers)


@pytest.mark.parametrize("page", named(DETAILS), ids=lambda page: page.kind.label)
def test_a_row_that_does_not_exist_is_not_found(browser, make, page):
    unknown = page.kind.url("00000000-0000-4000-8000-000000000000")

    assert browser(make.root()).get(unknown).status_code == 404


@pytest.mark.parametrize("page", named(DETAILS), ids=lambda page: page.kind.label)
def test_what_it_says_of_a_row_are_fields(page):
    known = set(columns_of(REGISTRY[page.kind.listing].answering))
    named_ = {fact for card in (*page.main, *page.side) for fact in getattr(card, "facts", ()) if isinstance(fact, str)}
    assert named_ - known == set()
    for tab in page.tabs:
        fields = set(columns_of(REGISTRY[tab.kind.listing].answering)) | set(tab.own)
        assert set(tab.columns) - fields == set(), tab.at


@pytest.mark.parametrize("label", sorted(KINDS))
def test_actions_have_a_word(label):
    from apps.portal.words import VERBS

    kind = KINDS[label]
    assert [action.command for action in kind.actions if not action.word and action.command not in VERBS] == []
    assert not kind.creating or kind.creating in VERBS


@pytest.mark.parametrize("path", OPERATORS)
def test_a_tenant_sees_nothing_of_what_operators_see(browser, alice, path):
    answer = browser(alice).get(path)

    assert answer.status_code == 403
    assert f'href="{path}"' not in text(browser(alice).get("/"))


def test_a_tenant_begins_with_machines_an_operator_with_zones(browser, alice, make):
    make.zone()

    assert "<h1>Operations</h1>" in browser(make.root()).page("/")
    assert f"<h1>{alice.account.name}</h1>" in browser(alice).page("/")


@pytest.mark.parametrize("label", ["accounts.Account", "accounts.User", "domains.Domain", "firewall.SecurityGroup"])
def test_what_is_of_another_domain_looks_like_what_does_not_exist(browser, make, label):
    acme, blue = (make.domain(name, make.domain()) for name in ("acme", "blue"))
    boss = make.caller("boss", domain=acme, kind=Kind.DOMAIN_ADMIN)
    theirs = make.account("theirs", domain=blue)
    row = {"accounts.Account": theirs, "accounts.User": theirs.users.get(), "domains.Domain": blue}.get(label)
    row = row or make.row(label, theirs)
    visitor, kind = browser(boss), KINDS[label]

    foreign = visitor.get(kind.url(str(row.uuid)))
    unknown = visitor.get(kind.url("00000000-0000-4000-8000-000000000000"))

    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert bare(foreign) == bare(unknown)


def bare(answer):
    """Without what differs from request to request: ids, tokens, the address itself."""
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[A-Za-z0-9]{64}", "", text(answer))
