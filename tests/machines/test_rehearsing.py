"""A dry run looks and takes nothing."""

import pytest

from apps.accounts.tenants import caller_for
from apps.core.models import Detail
from apps.machines.models import Reservation, VirtualMachine
from apps.machines.services import placement
from apps.storage.models import Volume
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


@pytest.fixture
def order(park, make, cloud):
    """What a tenant deploys with, on a network of its own."""
    network = make.row("network.Network", park.owner)
    template = make.template(park.owner, is_public=True)
    return {
        "zoneid": park.zone.uuid,
        "serviceofferingid": make.offering(cpus=1, speed_mhz=1000, memory_mib=1024).uuid,
        "templateid": template.uuid,
        "networkids": network.uuid,
        "dryrun": True,
    }


def test_the_dry_run_of_a_deployment_makes_nothing(park, api, order):
    park.host("h1")
    park.pool("s1")

    told = api(caller_for(park.owner), "deployVirtualMachine", **order)

    assert told == {"virtualmachine": {"dryrun": True, "fits": True, "zoneid": str(park.zone.uuid)}}
    assert (VirtualMachine.all_tenants.count(), Volume.all_tenants.count(), books()) == (0, 0, ({}, {}))


def test_a_tenant_hears_why_it_would_not_fit_in_its_own_words(park, api, order):
    park.host("h1", memory_mib_used=8192)
    park.pool("s1")

    told = api(caller_for(park.owner), "deployVirtualMachine", **order)["virtualmachine"]

    reason = "zone z1 has not enough capacity for an instance of this size now"
    assert told == {"dryrun": True, "fits": False, "zoneid": str(park.zone.uuid), "reason": reason}


def test_an_administrator_hears_where_and_what_fell_out(park, api, order, make):
    park.host("h1")
    down = park.host("h2", status="Down")
    park.pool("s1")
    owner = {"account": park.owner.name, "domainid": park.owner.domain.uuid}
    root = make.root()

    told = api(root, "deployVirtualMachine", **order, **owner)["virtualmachine"]
    wished = api(root, "deployVirtualMachine", **order, **owner, hostid=down.uuid)["virtualmachine"]

    assert (told["fits"], told["plan"]["host"]["name"], told["plan"]["fit"]) == (True, "h1", 1)
    assert told["plan"]["dropped"] == [{"filter": "status", "reason": "not Up", "dropped": 1}]
    assert wished["fits"] is False
    assert [each["filter"] for each in wished["plan"]["dropped"]] == ["wish", "status"]
