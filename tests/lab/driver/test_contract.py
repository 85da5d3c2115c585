"""The suite that the fake and the simulator pass, against agents, libvirt and QEMU."""

import pytest

from apps.hypervisors.base import DiskSpec, PoolSpec
from apps.hypervisors.errors import Refused
from tests.hypervisors import test_contract as contract
from tests.lab.agents import new
from tests.lab.driver.named import Named, Names

MIB = 1 << 20
# they compare figures that only a pretended host has; what they are about is below
ELSEWHERE = (
    "test_a_host_says_how_large_it_is",
    "test_a_pool_is_known_to_a_host_from_its_first_disk_there_until_it_is_removed",
    "test_the_host_that_starts_a_machine_knows_the_pools_of_its_disks",
    "test_a_host_that_is_told_the_pool_finds_a_disk_there_that_another_has_made",
)
globals().update(
    {name: each for name, each in vars(contract).items() if name.startswith("test_") and name not in ELSEWHERE}
)


@pytest.fixture
def names(agent_hosts, pool, template):
    names = Names(pool, template)
    yield names
    for each in agent_hosts:
        for vm in names.machines:
            each.driver().power.stop(vm, within=30, force=True)
    for disk, place in names.disks:
        agent_hosts[0].driver().disks.delete(disk, within=30, pool=place)


@pytest.fixture
def real(agent_hosts):
    return [host.driver() for host in agent_hosts]


@pytest.fixture
def hosts(agent_hosts, names):
    """As the suite asks for them."""
    return [Named(host, names) for host in agent_hosts]


@pytest.fixture
def host(hosts):
    return hosts[0]


def test_a_host_says_how_large_it_is(real):
    facts = real[0].host.facts(within=10)

    assert (facts.cpu_cores > 0, facts.cpu_speed_mhz > 0, facts.memory_bytes > 1 << 30) == (True, True, True)
    assert facts.version.startswith("QEMU ")


def test_a_pool_is_known_to_a_host_from_its_first_disk_there_until_it_is_removed(real, lab):
    here, there = real
    (lab.directory / "srv" / "primary" / "own").mkdir(exist_ok=True)
    pool = PoolSpec(new(), "SharedMountPoint", "sharedmountpoint://localhost/srv/primary/own")
    for _ in range(2):
        here.pools.ensure(pool, within=10)
        assert here.pools.stats(pool.uuid, within=10).size > 1 << 30
    with pytest.raises(Refused):
        there.pools.stats(pool.uuid, within=10)
    disk = DiskSpec(new(), 64 * MIB, pool=pool)
    there.disks.create(disk, within=30)
    assert here.pools.stats(pool.uuid, within=10).size == there.pools.stats(pool.uuid, within=10).size
    for _ in range(2):
        here.pools.remove(pool.uuid, within=10)
        with pytest.raises(Refused):
            here.pools.stats(pool.uuid, within=10)
    there.disks.delete(disk.uuid, within=10)
    there.pools.remove(pool.uuid, within=10)


def test_a_host_that_is_told_the_pool_finds_a_disk_there_that_another_has_made(real, lab):
    here, there = real
    (lab.directory / "srv" / "primary" / "own").mkdir(exist_ok=True)
    pool = PoolSpec(new(), "SharedMountPoint", "sharedmountpoint://localhost/srv/primary/own")
    disk = DiskSpec(new(), 64 * MIB, pool=pool)
    here.disks.create(disk, within=30)

    there.disks.delete(disk.uuid, within=30)
    assert here.disks.exists(disk.uuid, within=30)
    assert there.disks.size(disk.uuid, within=30, pool=pool) == disk.size
    there.disks.delete(disk.uuid, within=30, pool=pool)

    assert not here.disks.exists(disk.uuid, within=30)
    for each in real:
        each.pools.remove(pool.uuid, within=30)


def test_the_host_that_starts_a_machine_knows_the_pools_of_its_disks(agent_hosts, guests, lab):
    (lab.directory / "srv" / "primary" / "own").mkdir(exist_ok=True)
    pool = PoolSpec(new(), "SharedMountPoint", "sharedmountpoint://localhost/srv/primary/own")
    disk, here, there = DiskSpec(new(), 64 * MIB, pool=pool), agent_hosts[0].driver(), agent_hosts[1].driver()
    here.disks.create(disk, within=30)
    spec = guests.spec(disk)
    guests.started(agent_hosts[1], spec)

    there.power.start(spec, within=60)

    assert there.pools.stats(pool.uuid, within=10).size > 1 << 30
    with pytest.raises(Refused, match="uses disk"):
        there.pools.remove(pool.uuid, within=10)
