"""A dry run looks and takes nothing."""

from apps.core.models import Detail
from apps.machines.models import Reservation
from apps.machines.services import placement
from tests.machines.conftest import GIB, books


def test_it_says_where_the_machine_would_go_and_what_fell_out(park):
    host, pool = park.host("fit"), park.pool("s1")
    park.host("down", status="Down")
    vm = park.machine()

    found = placement.rehearse(vm)

    assert (found.fits, found.tenant) == (True, "")
    assert found.details == {
        "instance": str(vm.uuid),
        "planner": "FirstFitPlanner",
        "host": {"id": str(host.uuid), "name": "fit"},
        "text": "fit: the only one that fits where FirstFitPlanner looked first",
        "candidates": [{"id": str(host.uuid), "name": "fit", "room": 8000, "weights": {}}],
        "storage": [{"size": 10 * GIB, "pool": {"id": str(pool.uuid), "name": "s1"}}],
        "hosts": 2,
        "dropped": [{"filter": "status", "reason": "not Up", "dropped": 1}],
        "fit": 1,
    }
    assert (books(), Reservation.objects.count(), Detail.objects.count()) == (({}, {}), 0, 0)


def test_where_it_would_not_go_it_says_why(park):
    park.host("h1", guests=50)
    vm = park.machine(disks=())

    found = placement.rehearse(vm)

    assert (found.fits, found.tenant) == (False, "zone z1 has not enough capacity for an instance of this size now")
    assert found.details["text"] == (
        f"no host of zone z1 can take instance {vm.uuid}: of 1 host 1 with as many machines as they may have"
    )


def test_a_host_that_fits_and_has_no_pool_for_all_disks_is_passed_over(park):
    for number, gib in ((1, 15), (2, 25)):
        cluster = park.cluster()
        park.host(f"h{number}", cluster, cpu_mhz_used=number)
        park.pool(f"s{number}", cluster, gib=gib)

    found = placement.rehearse(park.machine(disks=(10, 10)))

    assert found.details["host"]["name"] == "h2"


def test_wish_and_affinity_hold_for_it_too(park):
    hosts = [park.host(f"h{number}") for number in range(3)]
    vm = park.machine(disks=())

    assert placement.rehearse(vm, wish={"host": hosts[1].pk}).details["host"]["name"] == "h1"
    assert placement.rehearse(vm, together={hosts[2].pk}).details["host"]["name"] == "h2"
    assert not placement.rehearse(vm, apart={host.pk for host in hosts}).fits
