"""Taking a place is all or nothing, once."""

import pytest
from django.db import transaction

from apps.core.errors import InsufficientCapacity
from apps.infrastructure.models import Host
from apps.machines.models import Reservation
from apps.machines.services import placement
from apps.machines.services.placement import taking
from apps.storage.models import StoragePool, Volume
from apps.storage.services import pools
from tests.machines.conftest import books, pools_of

ONE = (1, 1000, 1024)


def test_host_and_pools_are_taken_together(park):
    park.host("h1")
    park.pool("s1")
    vm = park.machine(disks=(10, 20))

    assert placement.reserve(vm).name == "h1"

    assert books() == ({"h1": ONE}, {"s1": 30})
    assert pools_of(vm) == ["s1", "s1"]
    assert list(Reservation.objects.values_list("vm", "host__name", "cpu_mhz", "memory_mib")) == [
        (vm.pk, "h1", 1000, 1024)
    ]


def test_asked_again_it_is_the_same_place(park):
    park.host("h1")
    park.host("h2")
    park.pool("s1")
    vm = park.machine()
    first = placement.reserve(vm)

    again = placement.reserve(vm, avoid={first.pk})

    assert (again, books()) == (first, ({first.name: ONE}, {"s1": 10}))


def test_what_was_taken_is_given_back_once(park):
    park.host("h1")
    park.pool("s1")
    vm = park.machine()
    placement.reserve(vm)

    placement.unreserve(vm)
    placement.unreserve(vm)

    assert (books(), pools_of(vm), Reservation.objects.count()) == (({}, {}), [None], 0)


@pytest.mark.parametrize("state", ["Creating", "Ready"])
def test_a_disk_that_was_begun_keeps_its_pool(park, state):
    park.host("h1")
    park.pool("s1")
    vm = park.machine()
    placement.reserve(vm)
    Volume.all_tenants.kernel_update(state=state)

    placement.unreserve(vm)

    assert (books(), pools_of(vm)) == (({}, {"s1": 10}), ["s1"])


def test_a_restart_goes_where_its_disks_are_and_takes_no_more_storage(park):
    near, far = park.cluster(), park.cluster()
    park.host("near", near, cpu_mhz_used=3000)
    park.host("far", far)
    vm = park.machine(disks=())
    park.disk(vm, pool=park.pool("s1", near), state="Ready")

    assert placement.reserve(vm).name == "near"

    assert books() == ({"near": (1, 4000, 1024)}, {})


def test_the_new_disk_of_a_machine_that_is_bound_to_a_cluster_lies_there_too(park):
    near, far = park.cluster(), park.cluster()
    for name, cluster in (("near", near), ("far", far)):
        park.host(name, cluster)
    park.pool("new far", far)
    park.pool("new near", near, gib=50)
    vm = park.machine(disks=())
    park.disk(vm, pool=park.pool("old near", near, gib=1), state="Ready")
    park.disk(vm)

    assert placement.reserve(vm).name == "near"

    assert pools_of(vm) == ["old near", "new near"]


def test_two_disks_that_one_pool_cannot_hold_go_to_two(park):
    park.host("h1")
    for name in ("s1", "s2"):
        park.pool(name, gib=15)
    vm = park.machine(disks=(10, 10))

    placement.reserve(vm)

    assert sorted(pools_of(vm)) == ["s1", "s2"]


def test_where_no_pools_have_room_for_all_disks_together_nothing_is_taken(park):
    """Each alone would fit, so the search finds the host; the error says what is meant."""
    park.host("h1")
    park.pool("s1", gib=15)
    vm = park.machine(disks=(10, 10))

    with pytest.raises(InsufficientCapacity) as refusal:
        placement.reserve(vm)

    assert str(refusal.value) == (
        f"no host of zone z1 can take instance {vm.uuid}: of 1 host 1 with room, but others were faster, or no storage "
        "there has room for all disks together"
    )
    assert refusal.value.tenant == ""
    assert (books(), pools_of(vm), Reservation.objects.count()) == (({}, {}), [None, None], 0)


def late(monkeypatch, times):
    """Others take what was found, just before: ``times`` pools are full when it comes to taking them."""
    take, tried = pools.take, []

    def slow(volume, pool):
        tried.append(pool.name)
        return len(tried) > times and take(volume, pool)

    monkeypatch.setattr(pools, "take", slow)
    return tried


def test_who_is_late_for_a_pool_gets_the_next(park, monkeypatch):
    park.host("h1")
    for name in ("s1", "s2"):
        park.pool(name)
    vm, tried = park.machine(), late(monkeypatch, 1)

    placement.reserve(vm)

    assert (tried, pools_of(vm), books()) == (["s1", "s2"], ["s2"], ({"h1": ONE}, {"s2": 10}))


def test_who_is_late_for_all_pools_of_a_host_gets_the_next_host(park, monkeypatch):
    for number in (1, 2):
        cluster = park.cluster()
        park.host(f"h{number}", cluster)
        park.pool(f"s{number}", cluster)
    vm, tried = park.machine(), late(monkeypatch, 1)

    host = placement.reserve(vm)

    assert (len(tried), [host.name[1:]], books()) == (2, [tried[1][1:]], ({host.name: ONE}, {tried[1]: 10}))


def test_who_is_late_for_a_pool_within_a_transaction_spoils_nothing_of_it(park, monkeypatch):
    park.host("h1")
    for name in ("s1", "s2"):
        park.pool(name)
    vm, _ = park.machine(), late(monkeypatch, 1)

    with transaction.atomic():
        Host.all_tenants.update(ip="10.0.0.1")
        placement.reserve(vm)

    assert (pools_of(vm), books(), Host.all_tenants.get().ip) == (["s2"], ({"h1": ONE}, {"s2": 10}), "10.0.0.1")


def filling(monkeypatch, **values):
    """Others are faster: the host that was found has these values when it comes to taking it."""
    choose = taking.storage.choose

    def slow(request, host, full=()):
        Host.all_tenants.filter(pk=host.pk).exclude(name="last").kernel_update(**values)
        return choose(request, host, full)

    monkeypatch.setattr(taking.storage, "choose", slow)


@pytest.mark.parametrize(
    "values",
    [
        {"cpu_mhz_used": 7001},
        {"memory_mib_used": 7169},
        {"guests": 50},
        {"status": "Down"},
        {"resource_state": "Disabled"},
    ],
)
def test_who_is_late_for_a_host_gets_the_next_and_takes_no_pool_for_the_first(park, monkeypatch, values):
    park.pool("s1")
    for name in ("h1", "h2"):
        park.host(name)
    park.host("last", cpu_mhz_used=1000)
    vm = park.machine()
    filling(monkeypatch, **values)

    assert placement.reserve(vm).name == "last"

    assert StoragePool.all_tenants.get().used_bytes == 10 << 30
    assert Host.all_tenants.get(name="last").memory_mib_used == 1024
    assert Reservation.objects.count() == 1


def test_who_is_late_for_ten_hosts_looks_for_ten_more(park, monkeypatch):
    park.pool("s1")
    for number in range(10):
        park.host(f"h{number}")
    park.host("last", cpu_mhz_used=1000)
    filling(monkeypatch, guests=50)

    assert placement.reserve(park.machine()).name == "last"


def test_a_worker_that_was_overtaken_at_the_same_machine_gets_the_place_of_the_other(park, monkeypatch):
    park.pool("s1")
    hosts = [park.host(name) for name in ("h1", "h2")]
    vm = park.machine()
    choose = taking.storage.choose

    def overtaken(request, host, full=()):
        monkeypatch.setattr(taking.storage, "choose", choose)
        placement.reserve(vm)
        return choose(request, host, full)

    monkeypatch.setattr(taking.storage, "choose", overtaken)
    host = placement.reserve(vm)

    assert host in hosts
    assert (books(), Reservation.objects.get().host) == (({host.name: ONE}, {"s1": 10}), host)


def test_a_pool_for_one_disk_is_one_that_the_host_reaches(park):
    near, far = park.cluster(), park.cluster()
    host = park.host("near", near)
    park.pool("far", far)
    park.pool("near", near, used_bytes=1)
    vm = park.machine(disks=())
    volume = park.disk(vm)

    placement.reserve_pool(volume, host)
    placement.reserve_pool(volume, host)

    assert (pools_of(vm), StoragePool.all_tenants.get(name="near").used_bytes) == (["near"], (10 << 30) + 1)


def test_without_such_a_pool_the_disk_has_none(park):
    host = park.host("h1")
    park.pool("s1", gib=9)
    volume = park.disk(park.machine(disks=()))

    with pytest.raises(InsufficientCapacity) as refusal:
        placement.reserve_pool(volume, host)

    assert str(refusal.value) == f"no primary storage that host h1 reaches has room for volume {volume.uuid}"
    assert refusal.value.tenant == "zone z1 has not enough storage for the disks of the instance now"
    assert books() == ({}, {})
