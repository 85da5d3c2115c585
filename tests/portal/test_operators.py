"""What operators change by hand-written pages: rules of roles, settings, limits, domains."""

import re

import pytest

from apps.core import dispatch
from apps.core.callers import Kind
from apps.core.commands import REGISTRY
from apps.rbac.models import Rule
from apps.rbac.services import allows


@pytest.fixture
def root(make, db):
    return make.root()


@pytest.fixture
def role(make, db):
    return make.role(Kind.TENANT, name="web-operator")


def patterns(role):
    return list(Rule.objects.filter(role=role).order_by("order").values_list("pattern", "allow"))


def change(visitor, role, **data):
    address = f"/roles/{role.uuid}"
    token = visitor.page(address).split('name="_token" value="')
    return visitor.post(address, {"_token": token[-1].split('"', 1)[0], **data})


def test_rules_are_added_moved_turned_round_and_deleted(browser, root, role):
    visitor = browser(root)
    for rule, permission in (("list*", "allow"), ("*Volume", "deny"), ("stopVirtualMachine", "allow")):
        change(visitor, role, act="add", rule=rule, permission=permission, description="")
    assert patterns(role) == [("list*", True), ("*Volume", False), ("stopVirtualMachine", True)]
    first, second, third = Rule.objects.filter(role=role).order_by("order")

    change(visitor, role, act=f"up {third.uuid}")
    change(visitor, role, act=f"allow {second.uuid}")
    change(visitor, role, act=f"delete {first.uuid}")

    assert patterns(role) == [("stopVirtualMachine", True), ("*Volume", True)]


def test_a_rule_that_is_none_is_refused_in_the_words_of_the_api(browser, root, role):
    visitor = browser(root)

    change(visitor, role, act="add", rule="no such*!", permission="allow", description="")

    assert patterns(role) == []
    assert "Nothing was changed" in visitor.page(f"/roles/{role.uuid}")


def test_the_tester_says_which_rule_decides(browser, root, role):
    Rule.objects.create(role=role, order=1, pattern="stop*", allow=False)
    visitor = browser(root)

    denied = visitor.page(f"/roles/{role.uuid}?test=stopVirtualMachine")
    allowed = visitor.page(f"/roles/{role.uuid}?test=startVirtualMachine")
    unknown = visitor.page(f"/roles/{role.uuid}?test=nosuchthing")

    assert "by rule 1, stop*" in denied
    assert "by no rule: as for every User" in allowed
    assert "There is no such command" in unknown


def test_what_the_page_counts_is_what_the_role_may(browser, root, role):
    Rule.objects.create(role=role, order=1, pattern="list*", allow=False)

    page = browser(root).page(f"/roles/{role.uuid}")

    assert f"{len(REGISTRY) - may_not(role)} of {len(REGISTRY)} commands" in page


def may_not(role):
    return sum(not allows(role, name, spec.roles) for name, spec in REGISTRY.items())


def test_a_setting_is_changed_and_given_back(browser, root):
    visitor, name = browser(root), "expunge.delay"
    address = f"/settings?keyword={name}&open={name}"

    visitor.post(
        "/settings", {"_token": last_token(visitor.page(address)), "name": name, "value": "3600", "next": address}
    )

    page = visitor.page(address)
    assert value_of(root, name) == "3600"
    assert '<span class="tag on">global</span>' in page
    visitor.post("/settings", {"_token": last_token(page), "name": name, "act": "reset", "next": address})
    assert value_of(root, name) == "86400"


def test_a_value_that_cannot_be_is_refused_and_nothing_changes(browser, root):
    visitor, name = browser(root), "expunge.delay"
    address = f"/settings?keyword={name}&open={name}"

    visitor.post(
        "/settings", {"_token": last_token(visitor.page(address)), "name": name, "value": "soon", "next": address}
    )

    assert value_of(root, name) == "86400"
    assert "Nothing was changed" in visitor.page(address)


def test_settings_are_for_those_who_may_list_them(browser, alice):
    assert browser(alice).get("/settings").status_code == 404


def value_of(root, name):
    return dispatch.call(root, "listConfigurations", name=name)["configuration"][0]["value"]


def last_token(page):
    return page.rsplit('name="_token" value="', 1)[1].split('"', 1)[0]


def test_only_limits_that_were_changed_are_sent(browser, root, make):
    bob = make.account("bob")
    address = f"/limits/edit?account=bob&domainid={bob.domain.uuid}"
    visitor = browser(root)
    page = visitor.page(address)
    values = dict(re.findall(r'name="(\w+)" inputmode="numeric" value="([^"]*)"', page))

    answer = visitor.post(
        "/limits/edit",
        {
            "_token": last_token(page),
            "account": "bob",
            "domainid": str(bob.domain.uuid),
            **values,
            "vm": "7",
            "memory": "3",
        },
    )

    assert answer.status_code == 303
    told = dispatch.call(root, "listAccounts", id=str(bob.uuid))["account"][0]
    assert (told["vmlimit"], told["memorylimit"]) == ("7", "3072")


def test_a_limit_that_is_no_number_is_said_and_nothing_is_sent(browser, root, make):
    bob = make.account("bob")
    visitor = browser(root)
    before = dispatch.call(root, "listAccounts", id=str(bob.uuid))["account"][0]
    page = visitor.page(f"/limits/edit?account=bob&domainid={bob.domain.uuid}")

    answer = visitor.post(
        "/limits/edit",
        {"_token": last_token(page), "account": "bob", "domainid": str(bob.domain.uuid), "vm": "many"},
    )

    assert answer.status_code == 422
    assert "Machines: a whole number, or nothing for no limit" in answer.content.decode()
    assert dispatch.call(root, "listAccounts", id=str(bob.uuid))["account"][0] == before


def test_domains_are_a_tree_with_the_accounts_of_the_open_one(browser, root, make):
    acme = make.domain("acme", make.domain())
    shop = make.domain("shop", acme)
    make.account("carol", domain=shop)
    visitor = browser(root)

    top, open_ = visitor.page("/domains"), visitor.page(f"/domains/{shop.uuid}")

    assert f'href="/domains/{acme.uuid}"' in top
    assert f'href="/domains/{shop.uuid}"' not in top
    assert f'href="/domains/{shop.uuid}" aria-current="page"' in open_
    assert ">carol</a>" in open_


def test_a_domain_administrator_sees_its_own_part_of_the_tree(browser, make):
    acme = make.domain("acme", make.domain())
    make.domain("blue", make.domain())
    boss = make.caller("boss", domain=acme, kind=Kind.DOMAIN_ADMIN)

    page = browser(boss).page("/domains")

    assert "ROOT/acme" in page
    assert "blue" not in page


def test_of_many_domains_the_first_are_shown_and_the_open_one_in_any_case(browser, root, make):
    for number in range(45):
        make.domain(f"d{number:02}", make.domain())
    last = make.domain("d44")

    page = browser(root).page(f"/domains/{last.uuid}")

    assert "4 more: find them by name" in page
    assert f'href="/domains/{last.uuid}" aria-current="page"' in page
