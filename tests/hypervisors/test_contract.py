"""What every driver must do, against those that need no peer: the fake of the tests and the simulator."""

import pytest

from apps.hypervisors import fake
from apps.hypervisors.base import DiskSpec, HostAddress, MachineSpec, NicSpec, PoolSpec, PoolStats
from apps.hypervisors.errors import Refused
from apps.simulator.driver import connect

pytestmark = pytest.mark.django_db
NOW = {"within": 1.0}
GIB = 1 << 30


@pytest.fixture(params=["fake", "simulator"])
def hosts(request, cloud):
    make = fake.connect if request.param == "fake" else connect
    return [make(HostAddress(number, f"h{number}")) for number in (1, 2)]


@pytest.fixture
def host(hosts):
    return hosts[0]


def running(host, name="m", disks=("d",)):
    for disk in disks:
        host.disks.create(DiskSpec(disk, GIB), **NOW)
    host.power.start(MachineSpec(name, 1, 512, disks=tuple(DiskSpec(d, GIB) for d in disks)), **NOW)


def test_a_disk_is_there_once_it_was_created_and_gone_once_it_was_deleted(host):
    for _ in range(2):
        host.disks.create(DiskSpec("d", GIB), **NOW)
        assert (host.disks.exists("d", **NOW), host.disks.size("d", **NOW)) == (True, GIB)
    host.disks.resize(DiskSpec("d", 2 * GIB), **NOW)
    assert host.disks.size("d", **NOW) == 2 * GIB
    for _ in range(2):
        host.disks.delete("d", **NOW)
        assert (host.disks.exists("d", **NOW), host.disks.size("d", **NOW)) == (False, None)
    with pytest.raises(Refused):
        host.disks.resize(DiskSpec("d", GIB), **NOW)


def test_a_machine_runs_where_it_was_started_until_it_is_stopped(hosts):
    here, there = hosts
    for _ in range(2):
        running(here)
        assert (here.power.runs("m", **NOW), there.power.runs("m", **NOW)) == (True, False)
    assert (here.host.machines(**NOW), there.host.machines(**NOW)) == (frozenset({"m"}), frozenset())
    here.power.reboot("m", **NOW)
    for _ in range(2):
        here.power.stop("m", **NOW)
        assert not here.power.runs("m", **NOW)
    with pytest.raises(Refused):
        here.power.reboot("m", **NOW)


def test_disks_come_and_go_with_a_running_machine(host):
    running(host)
    host.disks.create(DiskSpec("e", GIB), **NOW)
    assert (host.disks.has("m", "d", **NOW), host.disks.has("m", "e", **NOW)) == (True, False)
    for _ in range(2):
        host.disks.attach("m", DiskSpec("e", GIB, device_id=1), **NOW)
        assert host.disks.has("m", "e", **NOW)
    with pytest.raises(Refused):
        host.disks.delete("e", **NOW)
    for _ in range(2):
        host.disks.detach("m", "e", **NOW)
        assert not host.disks.has("m", "e", **NOW)
    with pytest.raises(Refused):
        host.disks.attach("m", DiskSpec("none", GIB), **NOW)
    host.power.stop("m", **NOW)
    assert not host.disks.has("m", "d", **NOW)


def test_cards_come_and_go_with_a_running_machine(host):
    running(host)
    for _ in range(2):
        host.nics.plug("m", NicSpec("n", "02:00:00:00:00:01", "net"), **NOW)
        assert host.nics.has("m", "n", **NOW)
    for _ in range(2):
        host.nics.unplug("m", "n", **NOW)
        assert not host.nics.has("m", "n", **NOW)


def test_a_pool_is_known_to_a_host_from_its_first_disk_there_until_it_is_removed(hosts):
    here, there = hosts
    pool = PoolSpec("p", "NetworkFilesystem", "nfs://server/path")
    for _ in range(2):
        here.pools.ensure(pool, **NOW)
        assert here.pools.stats("p", **NOW) == PoolStats(1 << 40, 0)
    with pytest.raises(Refused):
        there.pools.stats("p", **NOW)
    disk = DiskSpec("d", GIB, pool=pool)
    there.disks.create(disk, **NOW)
    assert (here.pools.stats("p", **NOW), there.pools.stats("p", **NOW)) == (PoolStats(1 << 40, GIB),) * 2
    here.power.start(MachineSpec("m", 1, 512, disks=(disk,)), **NOW)
    with pytest.raises(Refused):
        here.pools.remove("p", **NOW)
    assert here.pools.stats("p", **NOW).used == GIB
    here.power.stop("m", **NOW)
    for _ in range(2):
        here.pools.remove("p", **NOW)
        with pytest.raises(Refused):
            here.pools.stats("p", **NOW)
    there.disks.delete("d", **NOW)
    assert there.pools.stats("p", **NOW).used == 0


def test_a_host_that_is_told_the_pool_finds_a_disk_there_that_another_has_made(hosts):
    here, there = hosts
    pool = PoolSpec("p", "NetworkFilesystem", "nfs://server/path")
    here.disks.create(DiskSpec("d", GIB, pool=pool), **NOW)
    assert (there.disks.exists("d", **NOW), there.disks.size("d", **NOW)) == (False, None)

    there.disks.delete("d", **NOW)
    assert here.disks.exists("d", **NOW)
    assert (there.disks.exists("d", **NOW, pool=pool), there.disks.size("d", **NOW, pool=pool)) == (True, GIB)
    there.disks.delete("d", **NOW, pool=pool)

    assert not here.disks.exists("d", **NOW)


def test_the_host_that_starts_a_machine_knows_the_pools_of_its_disks(hosts):
    here, there = hosts
    disk = DiskSpec("d", GIB, pool=PoolSpec("p"))
    here.disks.create(disk, **NOW)

    there.power.start(MachineSpec("m", 1, 512, disks=(disk,)), **NOW)

    assert there.pools.stats("p", **NOW).used == GIB


def test_creating_a_disk_again_leaves_it_as_it_is(host):
    host.disks.create(DiskSpec("d", 2 * GIB), **NOW)

    host.disks.create(DiskSpec("d", GIB), **NOW)

    assert host.disks.size("d", **NOW) == 2 * GIB


def test_a_router_matches_the_newest_document_that_it_was_given(hosts):
    here, there = hosts
    assert here.networks.generation("net", **NOW) is None
    for generation, holds in ((2, 2), (2, 2), (1, 2), (3, 3)):
        assert here.networks.apply({"network": "net", "generation": generation}, **NOW) == holds
        assert here.networks.generation("net", **NOW) == holds
    assert there.networks.generation("net", **NOW) is None
    for _ in range(2):
        here.networks.remove("net", **NOW)
        assert here.networks.generation("net", **NOW) is None


def test_a_host_says_how_large_it_is(host):
    facts = host.host.facts(**NOW)

    assert (facts.cpu_cores, facts.cpu_speed_mhz, facts.memory_bytes) == (4, 8000, 8 << 30)
