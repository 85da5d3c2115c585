"""Planners, weighers and what is looked at first."""

import random

import pytest
from django.db import connection

from apps.core.errors import ResourceUnavailable
from apps.machines.models import Reservation
from apps.machines.services import placement
from apps.machines.services.placement import choosing, explanations, storage, weighers
from apps.machines.services.placement.choosing import Search
from tests.machines.conftest import GIB


def run_on(park, host, owner=None, number=1):
    """Machines that have a place there."""
    for _ in range(number):
        vm = park.machine(owner, disks=())
        Reservation.objects.create(vm=vm, host=host, cpu_mhz=1000, memory_mib=1024)


def planned(park, planner):
    return park.machine(disks=(), offering={"planner": planner})


def test_first_fit_goes_by_what_is_left_of_the_scarcer_of_cpu_and_memory(park):
    park.set("cluster.threshold.enabled", "false")
    park.host("little cpu", cpu_mhz_used=7000)
    park.host("half", cpu_mhz_used=4000, memory_mib_used=4096)
    park.host("empty")
    park.host("little memory", memory_mib_used=7000)

    assert park.fit(park.machine(disks=())) == ["empty", "half", "little memory", "little cpu"]


def test_user_dispersing_takes_clusters_with_few_machines_of_the_account_first(park, make):
    clusters = [park.cluster() for _ in range(3)]
    two, one, none = (park.host(name, cluster) for name, cluster in zip(("two", "one", "none"), clusters, strict=True))
    run_on(park, two, number=2)
    run_on(park, one)
    run_on(park, none, make.account("bob"), number=3)
    vm, found = planned(park, "UserDispersingPlanner"), []

    while hosts := Search(park.request(vm)).candidates({host.pk for host in found}).hosts:
        found += hosts

    assert [host.name for host in found] == ["none", "one", "two"]


def test_user_concentrated_takes_the_pod_with_most_machines_of_the_account_first(park, make):
    pods = [park.pod() for _ in range(3)]
    names = ("none", "one", "two")
    none, one, two = (park.host(name, park.cluster(pod)) for name, pod in zip(names, pods, strict=True))
    run_on(park, two, number=2)
    run_on(park, one)
    run_on(park, none, make.account("bob"), number=3)
    vm, found = planned(park, "UserConcentratedPodPlanner"), []

    while hosts := Search(park.request(vm)).candidates({host.pk for host in found}).hosts:
        found += hosts

    assert [host.name for host in found] == ["two", "one", "none"]


@pytest.mark.parametrize("planner", ["UserDispersingPlanner", "UserConcentratedPodPlanner"])
def test_an_account_without_machines_may_go_anywhere(park, planner):
    park.host("h1")

    assert park.fit(planned(park, planner)) == ["h1"]


def test_the_setting_names_the_planner_where_the_offering_does_not(park):
    one, two = (park.host(name, park.cluster(park.pod())) for name in ("one", "two"))
    park.set("vm.deployment.planner", "UserConcentratedPodPlanner")
    run_on(park, one)

    assert park.fit(planned(park, "")) == ["one"]
    assert set(park.fit(planned(park, "FirstFitPlanner"))) == {"one", "two"}
    assert two.pk


def test_a_planner_that_is_not_there_is_named(park):
    park.host("h1")

    with pytest.raises(
        ResourceUnavailable, match="^deployment planner ImplicitDedicationPlanner of the offering is not"
    ):
        placement.reserve(planned(park, "ImplicitDedicationPlanner"))
    assert Reservation.objects.count() == 0


def test_user_dispersing_takes_the_host_with_the_fewest_machines_of_the_account(park, make):
    park.set("vm.allocation.algorithm", "userdispersing")
    two, one, none = (park.host(name) for name in ("two", "one", "none"))
    run_on(park, two, number=2)
    run_on(park, one)
    run_on(park, none, make.account("bob"), number=3)

    assert park.fit(park.machine(disks=())) == ["none", "one", "two"]


@pytest.mark.parametrize(
    ("counted", "order"),
    [("CPU", ["memory", "both", "cpu"]), ("RAM", ["cpu", "both", "memory"]), ("COMBINED", ["both", "cpu", "memory"])],
)
def test_least_consumed_goes_by_the_share_in_use_of_what_the_setting_names(park, counted, order):
    park.set("vm.allocation.algorithm", "firstfitleastconsumed")
    park.set("host.capacityType.to.order.clusters", counted)
    park.host("cpu", cpu_mhz_used=4000)
    park.host("memory", cpu_mhz_used=400, memory_mib_used=4096)
    park.host("both", cpu_mhz_used=1600, memory_mib_used=1000)

    assert park.fit(park.machine(disks=())) == order


@pytest.mark.parametrize("algorithm", ["random", "userconcentratedpod_random"])
def test_random_gives_every_candidate_its_turn(park, algorithm):
    park.set("vm.allocation.algorithm", algorithm)
    for number in range(3):
        park.host(f"h{number}", cpu_mhz_used=number)
    vm = park.machine(disks=())

    assert {park.fit(vm)[0] for _ in range(60)} == {"h0", "h1", "h2"}


def test_the_last_host_comes_first_while_it_fits(park):
    last = park.host("last", cpu_mhz_used=3000)
    park.host("empty")
    vm = park.machine(disks=(), last_host=last)
    assert park.fit(vm) == ["last"]

    type(last).all_tenants.filter(pk=last.pk).kernel_update(resource_state="Disabled")

    assert park.fit(vm) == ["empty"]


def test_a_wish_comes_before_the_last_host_and_the_last_host_first_within_it(park):
    last, other = park.host("last", cpu_mhz_used=3000), park.host("other")
    vm = park.machine(disks=(), last_host=last)

    assert park.fit(vm, wish={"host": other.pk}) == ["other"]
    assert park.fit(vm, wish={"cluster": other.cluster_id}) == ["last"]


def test_no_more_than_ten_candidates_are_looked_at_and_then_the_next(park):
    for number in range(13):
        park.host(f"h{number:02}", cpu_mhz_used=number)
    search = Search(park.request(park.machine(disks=())))

    first = search.candidates().hosts
    rest = search.candidates({host.pk for host in first}).hosts

    assert [host.name for host in first] == [f"h{number:02}" for number in range(10)]
    assert [host.name for host in rest] == ["h10", "h11", "h12"]


def test_of_many_hosts_with_a_tag_some_are_looked_at_and_all_have_their_turn(park, monkeypatch):
    monkeypatch.setattr(choosing, "SAMPLE", 4)
    for number in range(12):
        park.host(f"h{number}", tags=("ssd",) if number % 2 else ())
    vm = park.machine(disks=(), offering={"host_tags": "ssd"})

    found = [park.fit(vm) for _ in range(80)]

    assert {len(names) for names in found} == {4}
    assert {name for names in found for name in names} == {f"h{number}" for number in (1, 3, 5, 7, 9, 11)}


def test_where_none_of_those_that_are_looked_at_first_fits_the_whole_zone_is_searched(park, monkeypatch):
    monkeypatch.setattr(choosing, "SAMPLE", 1)
    monkeypatch.setattr(random, "randint", lambda least, most: least)
    park.host("full", tags=("ssd",), guests=50)
    park.host("fit", tags=("ssd",))

    assert park.fit(park.machine(disks=(), offering={"host_tags": "ssd"})) == ["fit"]


def test_hosts_near_the_emptiest_storage_are_looked_at_first(park, monkeypatch):
    monkeypatch.setattr(choosing, "NEAR", 1)
    busy, calm = park.cluster(), park.cluster()
    park.host("empty", busy)
    near = park.host("near", calm, cpu_mhz_used=100)
    park.pool("busy", busy, used_bytes=50 * GIB)
    park.pool("calm", calm)
    vm = park.machine()
    assert park.fit(vm) == ["near"]

    type(near).all_tenants.filter(pk=near.pk).kernel_update(guests=50)

    assert park.fit(vm) == ["empty"]


def test_the_query_goes_down_the_index_and_does_not_sort(park):
    for number in range(30):
        park.host(f"h{number}")
    said = []

    def note(execute, sql, params, many, context):
        said.append((sql, params))
        return execute(sql, params, many, context)

    search = Search(park.request(park.machine(disks=())))
    with connection.execute_wrapper(note):
        search.candidates()

    ((sql, params),) = said
    assert plan(connection, sql, params) == {"host_candidates"}


def plan(connection, sql, params):
    """The index of the outer table; sorting would show."""
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute(f"EXPLAIN {sql}", params)
            rows = [dict(zip([c[0] for c in cursor.description], row, strict=True)) for row in cursor.fetchall()]
            assert not any("filesort" in (row["Extra"] or "") for row in rows)
            return {row["key"] for row in rows if row["table"] == "infrastructure_host"}
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
        lines = [row[3] for row in cursor.fetchall()]
    assert not any("TEMP B-TREE" in line for line in lines)
    return {line.split("USING INDEX ")[1].split()[0] for line in lines if line.startswith("SEARCH infrastructure_host")}


@pytest.mark.parametrize(
    ("algorithm", "order"),
    [
        ("firstfit", ["mine", "small", "large"]),
        ("userdispersing", ["small", "large", "mine"]),
        ("firstfitleastconsumed", ["mine", "large", "small"]),
    ],
)
def test_pools_are_tried_in_the_order_of_their_algorithm(park, algorithm, order):
    park.set("volume.allocation.algorithm", algorithm)
    host = park.host("h1")
    small, large = park.pool("small", used_bytes=1 * GIB, gib=20), park.pool("large", used_bytes=2 * GIB, gib=1000)
    mine = park.pool("mine", gib=1000)
    park.disk(park.machine(disks=()), pool=mine, state="Ready")
    vm = park.machine()
    request = park.request(vm)

    rows = list(storage.candidates(request, request.disks[0], host))

    assert [pool.name for pool in weighers.order(rows, weighers.of_pools(), request)[0]] == order
    assert {small.pk, large.pk, mine.pk} == {pool.pk for pool in rows}


def test_what_pools_are_counted_by_is_what_storage_goes_by(park):
    """The explanation has rules of its own; they may not drift from those that choose."""
    host = park.host("h1")
    park.pool("fit", tags=("fast",))
    park.pool("down", tags=("fast",), state="Maintenance")
    park.pool("full", tags=("fast",), gib=9)
    park.pool("other", tags=("fast",), hypervisor="KVM")
    park.pool("plain")
    park.pool("local", host=host, tags=("fast",))
    request = park.request(park.machine(offering={"storage_tags": "fast"}))

    counts = explanations.of_pools(request, request.disks[0])

    assert [pool.name for pool in storage.candidates(request, request.disks[0])] == ["fit"]
    assert {each.name: each.number for each in counts.dropped} == {
        "state": 1, "hypervisor": 1, "scope": 1, "tags": 1, "room": 1,
    }  # fmt: skip
    assert counts.left == 1
