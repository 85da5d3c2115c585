"""A hypervisor in memory. It keeps state, notices what must never be (one disk in two machines, one machine on two
hosts), and can be told to fail at any call: before it acts, after it acted, or by acting late.
"""

import socket
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from apps.hypervisors.base import (
    ConsoleAddress,
    DiskSpec,
    HostAddress,
    HostFacts,
    ImageRules,
    ImageSpec,
    MachineSpec,
    NicSpec,
    OpenScreen,
    PoolSpec,
    PoolStats,
    StoredImage,
)
from apps.hypervisors.errors import Busy, Refused


@dataclass
class Fault:
    call: str  # "disks.attach"
    error: BaseException | None
    when: str = "before"  # before | after it acted | late: fails now, acts at land()
    times: int = 1
    host: str = ""  # any


@dataclass
class Cloud:
    """What all hosts share and a test looks at."""

    pools: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # pool -> hosts that know it
    pool_size: int = 1 << 40  # of every pool
    places: dict[str, str] = field(default_factory=dict)  # disk -> pool
    disks: dict[str, int] = field(default_factory=dict)
    attached: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # disk -> machines
    running: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # machine -> hosts
    cards: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))  # machine -> uuid -> NicSpec
    screens: dict[str, ConsoleAddress] = field(default_factory=dict)
    isos: dict[str, str] = field(default_factory=dict)  # machine -> image in the drive
    stored: dict[str, str] = field(default_factory=dict)  # file in secondary storage -> where it came from
    routers: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))  # network -> host -> document
    calls: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    late: list[Callable[[], object]] = field(default_factory=list)

    def fail(self, call: str, error: BaseException, **how: Any) -> None:
        self.faults.append(Fault(call, error, **how))

    def act(self, host: str, call: str, effect: Callable[[], object]) -> None:
        self.look()
        self.calls.append(f"{call} on {host}")
        fault = next((f for f in self.faults if f.call == call and f.host in ("", host) and f.times), None)
        if fault:
            fault.times -= 1
        if fault is None or fault.when == "after":
            effect()
        elif fault.when == "late":
            self.late.append(effect)
        if fault and fault.error:
            raise fault.error

    def land(self) -> None:
        """The calls that timed out arrive after all."""
        while self.late:
            self.late.pop(0)()

    def make(self, disk: DiskSpec, host: str) -> None:
        """A disk that is there stays as it is."""
        self.disks.setdefault(disk.uuid, disk.size)
        if disk.pool:
            self.pools[disk.pool.uuid].add(host)
            self.places[disk.uuid] = disk.pool.uuid

    def drop(self, disk: str, host: str, pool: PoolSpec | None) -> None:
        if self.sees(host, disk, pool):
            self.disks.pop(disk, None)
            self.places.pop(disk, None)

    def sees(self, host: str, disk: str, pool: PoolSpec | None) -> bool:
        """A host looks into the pools that it knows, or into the one that it is told."""
        place = self.places.get(disk, "")
        return not place or (pool.uuid == place if pool else host in self.pools[place])

    def uses(self, pool: str, host: str) -> bool:
        machines = {vm for disk, place in self.places.items() if place == pool for vm in self.attached[disk]}
        return any(host in self.running[vm] for vm in machines)

    def begin(self, vm: MachineSpec, host: str) -> None:
        self.running[vm.uuid].add(host)
        for disk in vm.disks:
            self.attached[disk.uuid].add(vm.uuid)
            if disk.pool:
                self.pools[disk.pool.uuid].add(host)
        self.cards[vm.uuid] = {nic.uuid: nic for nic in vm.nics}
        self.set_iso(vm.uuid, vm.iso)

    def end(self, vm: str, host: str) -> None:
        self.running[vm].discard(host)
        if self.running[vm]:
            return
        for machines in self.attached.values():
            machines.discard(vm)
        self.cards.pop(vm, None)
        self.isos.pop(vm, None)

    def match(self, document: dict[str, Any], host: str) -> None:
        """An older document never replaces a newer one."""
        held = self.routers[document["network"]].get(host)
        if held is None or held["generation"] <= document["generation"]:
            self.routers[document["network"]][host] = document

    def set_iso(self, vm: str, iso: Any) -> None:
        self.isos.pop(vm, None)
        if iso:
            self.isos[vm] = iso.uuid

    def look(self) -> None:
        if self.late:
            raise Busy("a call is still under way")


@dataclass
class FakePools:
    cloud: Cloud
    host: str

    def ensure(self, pool: PoolSpec, *, within: float) -> None:
        self.cloud.act(self.host, "pools.ensure", partial(self.cloud.pools[pool.uuid].add, self.host))

    def remove(self, pool: str, *, within: float) -> None:
        self.cloud.look()
        if self.cloud.uses(pool, self.host):
            raise Refused(f"a machine here uses pool {pool}")
        self.cloud.act(self.host, "pools.remove", partial(self.cloud.pools[pool].discard, self.host))

    def stats(self, pool: str, *, within: float) -> PoolStats:
        self.cloud.look()
        if self.host not in self.cloud.pools[pool]:
            raise Refused(f"no pool {pool} here")
        used = sum(self.cloud.disks[disk] for disk, place in self.cloud.places.items() if place == pool)
        return PoolStats(self.cloud.pool_size, used)


@dataclass
class FakeDisks:
    cloud: Cloud
    host: str

    def create(self, disk: DiskSpec, *, within: float) -> None:
        self.cloud.act(self.host, "disks.create", partial(self.cloud.make, disk, self.host))

    def delete(self, disk: str, *, within: float, pool: PoolSpec | None = None) -> None:
        self.cloud.look()
        if self.cloud.attached[disk]:
            raise Refused(f"disk {disk} is attached")
        self.cloud.act(self.host, "disks.delete", partial(self.cloud.drop, disk, self.host, pool))

    def exists(self, disk: str, *, within: float, pool: PoolSpec | None = None) -> bool:
        self.cloud.look()
        return disk in self.cloud.disks and self.cloud.sees(self.host, disk, pool)

    def size(self, disk: str, *, within: float, pool: PoolSpec | None = None) -> int | None:
        self.cloud.look()
        return self.cloud.disks.get(disk) if self.cloud.sees(self.host, disk, pool) else None

    def resize(self, disk: DiskSpec, *, within: float) -> None:
        if disk.uuid not in self.cloud.disks:
            raise Refused(f"no disk {disk.uuid}")
        self.cloud.act(self.host, "disks.resize", partial(self.cloud.disks.__setitem__, disk.uuid, disk.size))

    def attach(self, vm: str, disk: DiskSpec, *, within: float) -> None:
        if disk.uuid not in self.cloud.disks:
            raise Refused(f"no disk {disk.uuid}")
        self.cloud.act(self.host, "disks.attach", partial(self.cloud.attached[disk.uuid].add, vm))

    def detach(self, vm: str, disk: str, *, within: float) -> None:
        self.cloud.act(self.host, "disks.detach", partial(self.cloud.attached[disk].discard, vm))

    def has(self, vm: str, disk: str, *, within: float) -> bool:
        self.cloud.look()
        return vm in self.cloud.attached[disk]


@dataclass
class FakePower:
    cloud: Cloud
    host: str

    def start(self, vm: MachineSpec, *, within: float) -> None:
        self.cloud.act(self.host, "power.start", partial(self.cloud.begin, vm, self.host))

    def stop(self, vm: str, *, within: float, force: bool = False) -> None:
        self.cloud.act(self.host, "power.stop", partial(self.cloud.end, vm, self.host))

    def reboot(self, vm: str, *, within: float, force: bool = False) -> None:
        if self.host not in self.cloud.running[vm]:
            raise Refused(f"{vm} does not run here")
        self.cloud.act(self.host, "power.reboot", lambda: None)

    def runs(self, vm: str, *, within: float) -> bool:
        self.cloud.look()
        return self.host in self.cloud.running[vm]

    def insert(self, vm: str, iso: ImageSpec | None, *, within: float) -> None:
        self.cloud.act(self.host, "power.insert", partial(self.cloud.set_iso, vm, iso))


@dataclass
class FakeNics:
    cloud: Cloud
    host: str

    def plug(self, vm: str, nic: NicSpec, *, within: float) -> None:
        self.cloud.act(self.host, "nics.plug", partial(self.cloud.cards[vm].__setitem__, nic.uuid, nic))

    def unplug(self, vm: str, nic: str, *, within: float) -> None:
        self.cloud.act(self.host, "nics.unplug", partial(self.cloud.cards[vm].pop, nic, None))

    def has(self, vm: str, nic: str, *, within: float) -> bool:
        self.cloud.look()
        return nic in self.cloud.cards[vm]


@dataclass
class FakeNetworks:
    cloud: Cloud
    host: str

    def apply(self, document: dict[str, Any], *, within: float) -> int:
        self.cloud.act(self.host, "networks.apply", partial(self.cloud.match, document, self.host))
        return int(self.cloud.routers[document["network"]][self.host]["generation"])

    def remove(self, network: str, *, within: float) -> None:
        self.cloud.act(self.host, "networks.remove", partial(self.cloud.routers[network].pop, self.host, None))

    def generation(self, network: str, *, within: float) -> int | None:
        self.cloud.look()
        held = self.cloud.routers[network].get(self.host)
        return held and int(held["generation"])

    def status(self, network: str, *, within: float) -> dict[str, Any]:
        self.cloud.act(self.host, "networks.status", lambda: None)
        there = self.host in self.cloud.routers[network]
        return {"checks": [checked("dns_check.py", "basic", there)]}


def checked(name: str, kind: str, success: bool) -> dict[str, Any]:
    return {"checkname": name, "checktype": kind, "success": success, "details": "" if success else "no answer"}


@dataclass
class FakeConsole:
    cloud: Cloud
    host: str

    def open(self, vm: str, *, within: float) -> OpenScreen:
        self.cloud.act(self.host, "console.open", lambda: None)
        place = self.cloud.screens.get(vm)
        if place is None:
            return OpenScreen(None)
        try:
            return OpenScreen(socket.create_connection((place.host, place.port), within), place.password)
        except OSError as error:
            raise Busy(f"the screen of {vm} does not answer") from error


@dataclass
class FakeImages:
    cloud: Cloud
    host: str

    def bring(self, image: ImageSpec, store: str, name: str, rules: ImageRules, *, within: float) -> StoredImage:
        found = StoredImage(5000, 1 << 20, image.format.upper())
        self.cloud.act(self.host, "images.bring", partial(self.cloud.stored.setdefault, f"{store}/{name}", image.url))
        return found

    def remove(self, store: str, name: str, *, within: float) -> None:
        self.cloud.act(self.host, "images.remove", partial(self.cloud.stored.pop, f"{store}/{name}", None))


@dataclass
class FakeHost:
    cloud: Cloud
    name: str

    def facts(self, *, within: float) -> HostFacts:
        found = HostFacts(4, 8000, 8 << 30, version="fake")
        self.cloud.act(self.name, "host.facts", lambda: None)
        return found

    def machines(self, *, within: float) -> frozenset[str]:
        self.cloud.look()
        return frozenset(vm for vm, hosts in self.cloud.running.items() if self.name in hosts)


class FakeDriver:
    def __init__(self, cloud: Cloud, host: str):
        self.pools = FakePools(cloud, host)
        self.disks, self.power = FakeDisks(cloud, host), FakePower(cloud, host)
        self.nics, self.networks = FakeNics(cloud, host), FakeNetworks(cloud, host)
        self.host, self.console, self.images = FakeHost(cloud, host), FakeConsole(cloud, host), FakeImages(cloud, host)


CLOUD = Cloud()


def connect(address: HostAddress) -> FakeDriver:
    return FakeDriver(CLOUD, address.name)
