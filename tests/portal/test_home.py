"""The operators' dashboard, the search of the header, the numbers in the menu: what they count, and what it costs."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import ports
from apps.infrastructure.models import Host, Zone
from apps.machines.models import VirtualMachine
from apps.portal import totals
from apps.portal.totals import Totals
from apps.rbac.models import Rule


@pytest.fixture(autouse=True)
def no_totals_of_another_test():
    Totals.kept.clear()


@pytest.fixture
def root(make, db):
    return make.root()


def hosts(make, root, **states):
    for number, values in enumerate(states.values()):
        row = make.row("infrastructure.Host", root.account)
        Host.all_tenants.filter(pk=row.pk).kernel_update(name=f"kvm-{number}", **values)
    return Host.all_tenants.order_by("pk")


def asked(visitor, path):
    visitor.page(path)
    with CaptureQueriesContext(connection) as queries:
        visitor.page(path)
    return [query["sql"] for query in queries if "configuration_" not in query["sql"]]


def counts(page):
    """By address, what the menu tells."""
    side = page.split('<nav class="side"', 1)[1].split("</nav>", 1)[0]
    return dict(re.findall(r'<a href="([^"]+)"[^>]*>(?:(?!</a>).)*<span class="num">([^<]+)</span>', side))


def test_operators_see_hosts_by_state_and_use_and_how_many_a_zone_has(browser, root, make):
    up, away = {"status": "Up"}, {"status": "Down"}
    hosts(make, root, a=up, b=up, c=away, d=up | {"resource_state": "Maintenance"})
    (other := Zone(name="z2", allocation_state="Enabled")).save()
    Host.all_tenants.filter(name="kvm-1").kernel_update(zone=other)

    page = browser(root).page("/")

    found = re.findall(r'<a href="/hosts\?(?:resource)?state=(\w+)">.*?<span class="num ms-1">(\d+)</span>', page)
    assert found == [("Up", "3"), ("Down", "1"), ("Maintenance", "1")]
    assert "3 Up of 4" in page
    assert re.findall(r"Advanced · (\d hosts?)", page) == ["3 hosts", "1 host"]


def test_hosts_that_need_a_look_come_first(browser, root, make):
    up = {"status": "Up"}
    hosts(make, root, a=up, b=up, c={"status": "Disconnected"})

    page = browser(root).page("/")

    tiles = page.split('<div class="hosts">', 1)[1]
    assert re.findall(r'title="(kvm-\d): (\w+)"', tiles) == [
        ("kvm-2", "Disconnected"),
        ("kvm-0", "Up"),
        ("kvm-1", "Up"),
    ]


def test_the_dashboard_of_operators_costs_the_same_queries_for_few_and_for_many_hosts_and_routers(browser, root, make):
    visitor, costs = browser(root), []
    for more in (2, 9):
        hosts(make, root, **{f"h{n}": {"status": "Up"} for n in range(more)})
        make.row("appliances.RouterMachine", root.account)
        costs.append(asked(visitor, "/"))

    assert len(costs[0]) == len(costs[1])
    assert len([sql for sql in costs[1] if "infrastructure_host" in sql and "COUNT" in sql]) == 2  # and the menu


def test_search_counts_nothing_of_what_it_does_not_show(browser, alice, make):
    for number in range(7):
        make.vm(alice.account, name=f"web-{number}", display_name="")
    visitor = browser(alice)

    queries = asked(visitor, "/search?q=web")

    page = visitor.page("/search?q=web")
    assert len(re.findall(r"<span>web-\d</span>", page)) == 5
    assert [sql for sql in queries if "COUNT" in sql and "portal_begun" not in sql] == []


def test_search_finds_nothing_of_somebody_elses(browser, alice, make):
    make.vm(make.account("bob"), name="web-secret")

    assert "web-secret" not in browser(alice).page("/search?q=web")


def test_search_leaves_out_lists_that_the_role_may_not_ask(browser, alice, make):
    make.vm(alice.account, name="web-1")
    make.volume(alice.account, name="web-disk")
    Rule.objects.create(role=alice.role, order=1, pattern="listVirtualMachines", allow=False)

    page = browser(alice).page("/search?q=web")

    assert re.findall(r"<span>(web-[^<]+)</span>", page) == ["web-disk"]


def test_the_menu_tells_operators_how_many_there_are_by_one_statement(browser, root, alice, make):
    hosts(make, root, a={"status": "Up"}, b={"status": "Down"})
    make.row("appliances.RouterMachine", alice.account)
    ports.events.one().alert("h", "h is down")
    visitor = browser(root)

    queries = asked(visitor, "/machines")

    shown = counts(visitor.page("/machines"))
    assert {where: shown[where] for where in ("/zones", "/hosts", "/routers", "/alerts", "/jobs")} == {
        "/zones": "1",
        "/hosts": "2",
        "/routers": "1",
        "/alerts": "1",
        "/jobs": "0",
    }
    assert "/machines" not in shown
    assert len([sql for sql in queries if "events_alert" in sql or "rbac_role" in sql and "COUNT" in sql]) == 1


def test_the_menu_says_of_many_only_that_there_are_more(browser, root, make, monkeypatch):
    hosts(make, root, a={}, b={}, c={})
    monkeypatch.setattr(totals, "EXACT", 2)
    monkeypatch.setattr("apps.portal.menu.EXACT", 2)

    assert counts(browser(root).page("/machines"))["/hosts"] == "2+"


def test_the_menu_of_a_tenant_tells_what_is_its_own(browser, alice, make):
    make.vm(alice.account)
    make.vm(make.account("bob"))

    shown = counts(browser(alice).page("/machines"))

    assert shown["/machines"] == "1"
    assert "/hosts" not in shown


def test_machines_of_users_are_none_of_the_system(browser, root, alice, make):
    make.vm(alice.account)
    make.row("appliances.RouterMachine", alice.account)

    assert VirtualMachine.all_tenants.filter(is_counted=False).count() == 1
    assert counts(browser(root).page("/machines"))["/system-machines"] == "0"
