"""Each call, with the connection cut after the request: the driver says that it does not know, looking tells what is
true, and asking again is safe.
"""

import time
from types import SimpleNamespace

import pytest

from apps.hypervisors.base import DiskSpec, HostAddress, ImageSpec, PoolSpec
from apps.hypervisors.errors import Busy, Refused, Unknown
from tests.lab.agents import PORT, new, segment_of
from tests.lab.driver.proxy import Proxy
from tests.lab.tools.documents import document

MIB = 1 << 20
LONG = {"within": 60.0}


@pytest.fixture
def proxy(lab):
    proxy = Proxy((lab.address("h1"), PORT))
    yield proxy
    proxy.close()


@pytest.fixture
def iso(lab):
    path = lab.directory / "srv" / "secondary" / "tools.iso"
    if not path.exists():
        (lab.directory / "hello").write_text("hello")
        lab.exec("h1", "genisoimage", "-quiet", "-o", path, lab.directory / "hello")
    return ImageSpec(new(), "file:///srv/secondary/tools.iso", "ISO")


def looked(look, seen):
    """As the manager does: until nobody is at it any more. A request may still be on its way when its wire is cut."""
    end = time.monotonic() + 60
    while True:
        try:
            found = look()
        except Busy:
            found = Busy
        if found == seen or time.monotonic() > end:
            return found
        time.sleep(0.1)


def knows(driver, pool):
    try:
        return driver.pools.stats(pool.uuid, within=10).size > 0
    except Refused:
        return False


def calls(it):
    """In the order of a life: what is asked, what is looked at, and what must be seen then."""
    d, vm = it.direct, it.vm.uuid
    root, disk, nic = it.vm.disks[0], it.disk, it.nic
    larger, largest = (DiskSpec(disk.uuid, size * MIB, pool=disk.pool) for size in (96, 128))
    host, network = it.host, it.network
    return [
        ("pools.ensure", lambda c: c.pools.ensure(it.pool, **LONG), lambda: knows(d, it.pool), True),
        ("disks.create", lambda c: c.disks.create(root, **LONG), lambda: d.disks.exists(root.uuid, **LONG), True),
        ("disks.create", lambda c: c.disks.create(disk, **LONG), lambda: d.disks.size(disk.uuid, **LONG), 64 * MIB),
        ("disks.resize", lambda c: c.disks.resize(larger, **LONG), lambda: d.disks.size(disk.uuid, **LONG), 96 * MIB),
        ("power.start", lambda c: c.power.start(it.vm, **LONG), lambda: d.power.runs(vm, **LONG), True),
        ("booted", lambda c: host.guest(vm, "true", seconds=120), lambda: None, None),
        (
            "disks.attach",
            lambda c: c.disks.attach(vm, larger, **LONG),
            lambda: d.disks.has(vm, disk.uuid, **LONG),
            True,
        ),
        ("disks.resize", lambda c: c.disks.resize(largest, **LONG), lambda: d.disks.size(disk.uuid, **LONG), 128 * MIB),
        ("nics.plug", lambda c: c.nics.plug(vm, nic, **LONG), lambda: d.nics.has(vm, nic.uuid, **LONG), True),
        ("power.insert", lambda c: c.power.insert(vm, it.iso, **LONG), lambda: drive(it), "/srv/secondary/tools.iso"),
        ("power.insert", lambda c: c.power.insert(vm, None, **LONG), lambda: drive(it), "-"),
        (
            "disks.detach",
            lambda c: c.disks.detach(vm, disk.uuid, **LONG),
            lambda: d.disks.has(vm, disk.uuid, **LONG),
            False,
        ),
        ("nics.unplug", lambda c: c.nics.unplug(vm, nic.uuid, **LONG), lambda: d.nics.has(vm, nic.uuid, **LONG), False),
        ("power.reboot", lambda c: c.power.reboot(vm, force=True, **LONG), lambda: reboots(it) > 0, True),
        (
            "networks.apply",
            lambda c: c.networks.apply(it.document, **LONG),
            lambda: d.networks.generation(network, **LONG),
            7,
        ),
        (
            "networks.remove",
            lambda c: c.networks.remove(network, **LONG),
            lambda: d.networks.generation(network, **LONG),
            None,
        ),
        ("power.stop", lambda c: c.power.stop(vm, force=True, **LONG), lambda: d.power.runs(vm, **LONG), False),
        ("disks.delete", lambda c: c.disks.delete(root.uuid, **LONG), lambda: d.disks.exists(root.uuid, **LONG), False),
        ("disks.delete", lambda c: c.disks.delete(disk.uuid, **LONG), lambda: d.disks.size(disk.uuid, **LONG), None),
        ("pools.remove", lambda c: c.pools.remove(it.pool.uuid, **LONG), lambda: knows(d, it.pool), False),
    ]


def drive(it):
    """Asked of the agent last: it is busy as long as the call is at work, whatever libvirt shows already."""
    rows = it.host.virsh("domblklist", it.vm.uuid).splitlines()
    assert it.direct.power.runs(it.vm.uuid, **LONG)
    return next(row.split()[1] for row in rows if row.split()[:1] == ["hdc"])


def reboots(it):
    it.manager.wait(lambda m: m.events("power", machine=it.vm.uuid, reason="rebooted"), seconds=60)
    it.direct.power.runs(it.vm.uuid, **LONG)
    return len(it.manager.events("power", machine=it.vm.uuid, reason="rebooted"))


@pytest.mark.parametrize("moment", ["at once", "with the answer"])
def test_what_was_done_and_not_heard_of_is_unknown_then_seen_and_may_be_asked_again(
    moment, host, manager, guests, proxy, iso, lab
):
    (lab.directory / "srv" / "primary" / "cut").mkdir(exist_ok=True)
    pool = PoolSpec(new(), "SharedMountPoint", "sharedmountpoint://localhost/srv/primary/cut")
    network = new()
    it = SimpleNamespace(
        host=host,
        manager=manager,
        direct=host.driver(),
        pool=pool,
        vm=guests.spec(guests.root(pool)),
        disk=guests.data(pool=pool),
        nic=guests.card(2),
        iso=iso,
        network=network,
        document=document(generation=7, network=network, segment=segment_of(network)),
    )
    guests.started(host, it.vm)
    cut = host.driver(url=proxy.url)
    expected = 0
    for name, ask, look, seen in calls(it):
        if name == "booted":
            ask(None)
            continue
        cut.host.facts(within=20)
        proxy.cut(moment)
        with pytest.raises(Unknown):
            ask(cut)
        expected += 1
        assert looked(look, seen) == seen, name
        ask(it.direct)
        assert look() == seen, name

    assert proxy.cuts == expected


def test_an_agent_that_is_not_there_was_asked_nothing(host):
    nobody = host.driver(url="http://127.0.0.1:1")

    with pytest.raises(Busy):
        nobody.power.stop(new(), within=5)


def test_another_host_at_the_address_is_not_asked(host, agent_hosts):
    assert isinstance(agent_hosts[1].address, HostAddress)
    wrong = host.driver(url=agent_hosts[1].address.url)

    with pytest.raises(Refused, match="is not"):
        wrong.power.stop(new(), within=5)
