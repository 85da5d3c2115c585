"""The agent is killed at random while it is asked for things. Whatever was asked is done or not done, looking tells
which, and nothing is left that the manager does not know of.
"""

import os
import random
import threading
import time

import pytest

from apps.hypervisors.base import DiskSpec, ImageSpec, PoolSpec
from apps.hypervisors.errors import Busy, Refused, Unknown
from tests.lab.agents import new

MIB = 1 << 20
ROUNDS = int(os.environ.get("LAB_ROUNDS", "10"))
LONG = {"within": 60.0}


class View:
    """What a manager would have in its rows."""

    def __init__(self, host, guests, pools, iso):
        self.host, self.guests, self.pools, self.iso = host, guests, pools, iso
        self.driver = host.driver()
        self.disks, self.running = {}, {}  # uuid -> spec

    def free(self):
        used = {disk.uuid for vm in self.running.values() for disk in vm.disks}
        return [disk for disk in self.disks.values() if disk.uuid not in used]

    # Each action: what is asked, how it is seen that it is so, and what is written down then.

    def create(self, chance):
        disk = self.guests.data(size=8 * MIB, pool=chance.choice(self.pools))
        look = lambda: self.driver.disks.exists(disk.uuid, **LONG, pool=disk.pool)  # noqa: E731
        return lambda d: d.disks.create(disk, **LONG), look, lambda: self.disks.update({disk.uuid: disk})

    def delete(self, chance):
        disk = chance.choice(self.free())
        look = lambda: not self.driver.disks.exists(disk.uuid, **LONG)  # noqa: E731
        return lambda d: d.disks.delete(disk.uuid, **LONG), look, lambda: self.disks.pop(disk.uuid)

    def resize(self, chance):
        disk = chance.choice(self.free())
        larger = DiskSpec(disk.uuid, disk.size + 4 * MIB, pool=disk.pool)
        look = lambda: self.driver.disks.size(disk.uuid, **LONG) == larger.size  # noqa: E731
        return lambda d: d.disks.resize(larger, **LONG), look, lambda: self.disks.update({disk.uuid: larger})

    def start(self, chance):
        disk = chance.choice(self.free())
        vm = self.guests.spec(disk, nics=(self.guests.card(),))
        self.guests.started(self.host, vm)
        look = lambda: self.driver.power.runs(vm.uuid, **LONG)  # noqa: E731
        return lambda d: d.power.start(vm, **LONG), look, lambda: self.running.update({vm.uuid: vm})

    def stop(self, chance):
        vm = chance.choice(list(self.running.values()))
        look = lambda: not self.driver.power.runs(vm.uuid, **LONG)  # noqa: E731
        return lambda d: d.power.stop(vm.uuid, force=True, **LONG), look, lambda: self.running.pop(vm.uuid)

    def attach(self, chance):
        vm, disk = chance.choice(list(self.running.values())), chance.choice(self.free())
        with_it = type(vm)(**{**vars(vm), "disks": (*vm.disks, disk)})
        look = lambda: self.driver.disks.has(vm.uuid, disk.uuid, **LONG)  # noqa: E731
        return lambda d: d.disks.attach(vm.uuid, disk, **LONG), look, lambda: self.running.update({vm.uuid: with_it})

    def plug(self, chance):
        vm, nic = chance.choice(list(self.running.values())), self.guests.card(9)
        with_it = type(vm)(**{**vars(vm), "nics": (*vm.nics, nic)})
        look = lambda: self.driver.nics.has(vm.uuid, nic.uuid, **LONG)  # noqa: E731
        return lambda d: d.nics.plug(vm.uuid, nic, **LONG), look, lambda: self.running.update({vm.uuid: with_it})

    def possible(self):
        found = [self.create]
        if len(self.running) < 3 and self.free():
            found += [self.start] * 2
        if self.free():
            found += [self.delete, self.resize]
        if self.running:
            found += [self.stop, self.plug] + ([self.attach] if self.free() else [])
        return found

    def real(self):
        """What is there: machines with their disks and cards, disks in pools, passwords."""
        contents = [self.driver.pools._ask("pools.contents", 30.0, pool=pool.uuid) for pool in self.pools]
        xml = {vm: self.host.virsh("dumpxml", vm) for vm in self.host.domains()}
        return {
            "machines": {vm: self._devices(text) for vm, text in xml.items()},
            "disks": sorted(disk for each in contents for disk in each["disks"]),
            "parts": [part for each in contents for part in each["parts"]],
            "passwords": sorted(line.split()[0] for line in self.host.virsh("secret-list").splitlines() if line),
        }

    def _devices(self, text):
        return sorted(
            text.split("alias name='ua-")[i].split("'")[0] for i in range(1, text.count("alias name='ua-") + 1)
        )

    def expected(self):
        devices = {
            vm: sorted(["cdrom", *(f"disk-{d.uuid}" for d in spec.disks), *(f"nic-{n.uuid}" for n in spec.nics)])
            for vm, spec in self.running.items()
        }
        passwords = sorted(pool.uuid for pool in self.pools if pool.type == "IscsiLUN")
        return {"machines": devices, "disks": sorted(self.disks), "parts": [], "passwords": passwords}


def settled(look):
    end = time.monotonic() + 60
    while True:
        try:
            return look()
        except (Busy, Unknown):
            assert time.monotonic() < end
            time.sleep(0.1)


@pytest.fixture
def view(host, guests, store, lab):
    (lab.directory / "srv" / "primary" / "kills").mkdir(exist_ok=True)
    pools = [
        PoolSpec(new(), "SharedMountPoint", "sharedmountpoint://localhost/srv/primary/kills"),
        PoolSpec(new(), "NetworkFilesystem", store.nfs),
        PoolSpec(new(), "IscsiLUN", store.iscsi),
    ]
    guests.pools.update(pools)
    view = View(host, guests, pools, ImageSpec(new(), "file:///srv/secondary/x.iso", "ISO"))
    for pool in pools:
        view.driver.pools.ensure(pool, **LONG)
    yield view
    for vm in list(view.running):
        view.driver.power.stop(vm, force=True, **LONG)
    for disk in view.disks.values():
        view.driver.disks.delete(disk.uuid, **LONG)


def test_an_agent_that_is_killed_leaves_nothing_half_made(view, host):
    seed = random.SystemRandom().randrange(1 << 30)
    chance = random.Random(seed)
    print(f"seed {seed}")
    outcomes = []
    for _ in range(ROUNDS):
        outcomes.append(one_round(view, host, chance))
    print(outcomes)

    end = time.monotonic() + 60
    while view.real() != view.expected() and time.monotonic() < end:
        time.sleep(0.5)  # what was left half-made goes a moment after a start
    assert view.real() == view.expected(), f"seed {seed}"


def one_round(view, host, chance):
    """Some calls, and a kill in the middle of one of them."""
    for _ in range(chance.randrange(3)):
        carry_out(view, chance.choice(view.possible())(chance))
    action = chance.choice(view.possible())
    ask, look, note = action(chance)
    told = []

    def call():
        try:
            ask(host.driver())
            told.append("done")
        except (Refused, Busy, Unknown) as error:
            told.append(type(error).__name__)

    thread = threading.Thread(target=call)
    thread.start()
    time.sleep(chance.random() * 0.15)
    host.restart()
    thread.join()
    happened = settled(look)
    if happened:
        note()
    assert told != ["done"] or happened
    return f"{action.__name__}: {told[0]}, {'so' if happened else 'not so'}"


def carry_out(view, action):
    ask, look, note = action
    try:
        settled(lambda: ask(view.driver))
    except Refused:
        assert settled(look) is False  # no room left on the target
    else:
        note()
