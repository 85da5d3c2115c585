"""Many at once for the last places: as many get one as there are, on MariaDB and on SQLite."""

import pytest

from apps.compute.services import affinity, places
from apps.core.errors import InsufficientCapacity
from apps.core.retry import atomically
from apps.machines.models import Reservation
from apps.machines.services import placement
from tests.machines.conftest import books
from tests.test_concurrency import THREADS, in_threads

pytestmark = pytest.mark.django_db(transaction=True)


def race(machines, reserve=placement.reserve):
    """Who got a place, and how many did not."""
    got, refused = [], []

    def work(number):
        try:
            reserve(machines[number])
            got.append(machines[number].pk)
        except InsufficientCapacity:
            refused.append(machines[number].pk)

    in_threads(work)
    return got, refused


@pytest.mark.parametrize("algorithm", ["firstfit", "random"])
def test_as_many_machines_as_there_is_room_for_get_a_host(park, algorithm):
    park.set("vm.allocation.algorithm", algorithm)
    park.set("cluster.threshold.enabled", "false")
    park.host("by memory", memory_mib_used=8192 - 3 * 1024)
    park.host("by cpu", cpu_mhz_used=8000 - 4 * 1000)
    park.host("by guests", guests=48)
    machines = [park.machine(disks=()) for _ in range(THREADS)]

    got, refused = race(machines)

    assert (len(got), len(refused)) == (9, 7)
    assert books()[0] == {
        "by memory": (3, 3000, 8192), "by cpu": (4, 8000, 4096), "by guests": (50, 2000, 2048),
    }  # fmt: skip
    assert set(Reservation.objects.values_list("vm", flat=True)) == set(got)


def test_as_many_machines_as_there_is_storage_for_get_it_and_the_others_hold_no_host(park):
    for number in range(2):
        cluster = park.cluster()
        park.host(f"h{number}", cluster, cpu_mhz_capacity=100_000, memory_mib_capacity=100_000)
        park.pool(f"a{number}", cluster, gib=25)
        park.pool(f"b{number}", cluster, gib=35)
    machines = [park.machine() for _ in range(THREADS)]

    got, refused = race(machines)

    hosts, pools = books()
    assert (len(got), len(refused)) == (10, 6)
    assert pools == {"a0": 20, "b0": 30, "a1": 20, "b1": 30}
    assert hosts == {"h0": (5, 5000, 5120), "h1": (5, 5000, 5120)}


def test_places_that_are_given_back_meanwhile_leave_the_books_as_they_were(park, make):
    park.pool("s1", gib=30)
    for number in range(3):
        park.host(f"h{number}", max_guests=1)
    owners = (park.owner, make.account("bob"))
    machines = [park.machine(owners[number % 2], disks=(10, 5)) for number in range(THREADS)]

    def work(number):
        for _ in range(4):
            try:
                placement.reserve(machines[number])
            except InsufficientCapacity:
                continue
            placement.unreserve(machines[number])

    in_threads(work)

    assert (books(), Reservation.objects.count()) == (({}, {}), 0)


def test_one_machine_that_all_workers_place_has_one_place(park):
    park.pool("s1")
    for number in range(3):
        park.host(f"h{number}")
    vm, hosts = park.machine(), []

    in_threads(lambda number: hosts.append(placement.reserve(vm).name))

    assert len(set(hosts)) == 1
    assert books() == ({hosts[0]: (1, 1000, 1024)}, {"s1": 10})


@pytest.mark.parametrize(("kind", "hosts"), [("host affinity", 1), ("host anti-affinity", 5)])
def test_machines_of_a_group_that_start_together_are_together_or_apart(park, kind, hosts):
    for number in range(5):
        park.host(f"h{number}", cpu_mhz_capacity=100_000, memory_mib_capacity=100_000)
    group = affinity.create(owner=park.owner, name="g", kind=kind)
    machines = [park.machine(disks=()) for _ in range(THREADS)]
    for vm in machines:
        atomically(affinity.join)(vm, [group])

    got, _ = race(machines, lambda vm: places.reserve(vm, {}, ()))

    assert len(got) == (THREADS if hosts == 1 else hosts)
    assert Reservation.objects.values("host").distinct().count() == hosts
