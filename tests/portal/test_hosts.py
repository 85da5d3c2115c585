"""The page of a host: what is placed there and why, where it would go, what maintenance means, its own storage."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.infrastructure.models import Host
from apps.jobs.models import Job
from apps.machines.models import Reservation
from apps.portal.compute.why import short_reason


@pytest.fixture
def root(make, db):
    return make.root()


@pytest.fixture
def hosts(make, db):
    """Two that fit, and one that is full."""
    room = {
        "status": "Up",
        "cpu_mhz_capacity": 8000,
        "memory_mib_capacity": 8192,
        "cpu_cores": 4,
        "cpu_speed_mhz": 2000,
    }
    made = []
    for name in ("here", "there", "full"):
        row = make.row("infrastructure.Host", None)
        used = {"memory_mib_used": 8192} if name == "full" else {}
        Host.all_tenants.filter(pk=row.pk).kernel_update(name=name, max_guests=50, **room, **used)
        made.append(Host.all_tenants.get(pk=row.pk))
    return made


@pytest.fixture
def placed(make, alice, hosts):
    return make.vm(alice.account, name="web-1", state="Running", host=hosts[0])


def explained(vm, caller, told):
    about = {"row_kind": "machines.virtualmachine", "row_id": vm.pk, "account": caller.account}
    Job.objects.create(command="startVirtualMachine", params={}, explanation=told, **about)


def choice(host, count=3, text="first of 3"):
    names = [{"id": str(host.uuid), "name": host.name, "weights": {"random": 0.5}}]
    more = [{"id": f"other-{number}", "name": "o", "weights": {"random": 0.1}} for number in range(count - 1)]
    return {
        "host": {"id": str(host.uuid), "name": host.name},
        "planner": "P",
        "text": f"{host.name}: {text}",
        "candidates": [*names, *more],
    }


def cells(page, label):
    return [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(rf'<td data-label="{label}"[^>]*>(.*?)</td>', page)]


def test_why_a_machine_is_here_stands_beside_it_and_leads_to_the_whole_reason(browser, root, alice, hosts, placed):
    explained(placed, alice, choice(hosts[0], 2))
    explained(placed, alice, choice(hosts[0], 3))

    page = browser(root).page(f"/hosts/{hosts[0].uuid}")

    assert cells(page, "Why here") == ["one of 3 that fit, at random"]
    assert f'href="/machines/{placed.uuid}#why"' in page
    assert 'id="why"' in browser(root).page(f"/machines/{placed.uuid}")
    assert cells(page, "Would go to") == []


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, ""),
        ({"dropped": [], "text": "no host"}, ""),
        ({"text": "it was there before, and still fits"}, "it was here before"),
        ({"text": "it had a place there already"}, "it had a place here"),
        ({"count": 1}, "the only one that fit"),
    ],
)
def test_reasons_are_told_in_a_few_words(hosts, told, said):
    whole = choice(hosts[0], **told) if told.keys() & {"text", "count"} and "dropped" not in told else told

    assert short_reason(whole, str(hosts[0].uuid)) == said
    assert short_reason(whole, str(hosts[1].uuid)) == ""


def test_where_a_machine_would_go_is_asked_for_and_takes_nothing(browser, root, hosts, placed):
    page = browser(root).page(f"/hosts/{hosts[0].uuid}?elsewhere=1")

    assert cells(page, "Would go to") == ["there"]
    assert f'href="/hosts/{hosts[1].uuid}"' in page
    assert Reservation.objects.count() == 0


def test_only_some_are_looked_for_at_once_and_the_page_says_so(browser, root, alice, make, hosts, placed):
    for number in range(6):
        make.vm(alice.account, name=f"web-{number}", state="Running", host=hosts[0])
    visitor, address = browser(root), f"/hosts/{hosts[0].uuid}"

    asked, plain = visitor.page(f"{address}?elsewhere=1"), visitor.page(address)

    assert (len(cells(asked, "Would go to")), "5 of 7 shown" in asked) == (5, True)
    assert (len(cells(plain, "Why here")), "of 7 shown" in plain) == (7, False)


def test_a_machine_that_fits_nowhere_else_is_said(browser, root, hosts, placed):
    Host.all_tenants.filter(name="there").kernel_update(status="Down")

    assert cells(browser(root).page(f"/hosts/{hosts[0].uuid}?elsewhere=1"), "Would go to") == ["no other host"]


def test_why_costs_the_same_queries_for_one_and_for_eight_machines(browser, root, alice, make, hosts, placed):
    visitor, costs = browser(root), []
    for more in (0, 7):
        for number in range(more):
            explained(
                make.vm(alice.account, name=f"m{number}", state="Running", host=hosts[0]), alice, choice(hosts[0])
            )
        visitor.page(f"/hosts/{hosts[0].uuid}")
        with CaptureQueriesContext(connection) as queries:
            visitor.page(f"/hosts/{hosts[0].uuid}")
        costs.append(len([query for query in queries if "configuration_" not in query["sql"]]))

    assert costs[0] == costs[1]


def test_what_maintenance_would_do_says_that_machines_of_users_have_to_be_stopped(browser, root, make, alice, hosts):
    visitor, address = browser(root), f"/hosts/{hosts[0].uuid}"
    assert "No machine of a user has to be stopped" in visitor.page(address)
    for number in range(2):
        make.vm(alice.account, name=f"m{number}", state="Running", host=hosts[0])
    router = make.row("appliances.RouterMachine", alice.account)
    type(router).all_tenants.filter(pk=router.pk).kernel_update(host=hosts[0])

    page = visitor.page(address)

    assert "2 machines have to be stopped first" in page
    assert "1 virtual router comes up on another host" in page


def test_storage_that_only_this_host_has_is_part_of_its_capacity(browser, root, make, hosts):
    gib = 1 << 30
    make.pool("local", scope="HOST", host=hosts[0], capacity_bytes=100 * gib)
    make.pool("others", scope="HOST", host=hosts[1], capacity_bytes=500 * gib)
    make.pool("wide", capacity_bytes=900 * gib)

    page = browser(root).page(f"/hosts/{hosts[0].uuid}")

    found = re.search(r"Local storage</span><span[^>]*>(.*?)</span>", page)
    assert re.sub(r"<[^>]+>", "", found[1]) == "0 of 100 GiB"
    rows = browser(root).page(f"/hosts/{hosts[0].uuid}/primary-storage")
    assert sorted(re.findall(r'<th scope="row"><a href="[^"]+">(\w+)</a>', rows)) == ["local", "wide"]
