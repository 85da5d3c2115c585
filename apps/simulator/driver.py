"""The driver of simulated hosts: what a real host would do, done to rows. Idempotent, and strict about what must never
be: one disk in two machines, one machine on two hosts.

A call without a fault is two or three cheap statements; latency is slept outside any transaction.
"""

import re
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from apps.core.retry import atomically
from apps.hypervisors.base import (
    DiskSpec,
    HostAddress,
    HostFacts,
    ImageSpec,
    MachineSpec,
    NicSpec,
    OpenScreen,
    PoolSpec,
    PoolStats,
)
from apps.hypervisors.errors import Busy, Refused, Unknown
from apps.simulator.faults import FAULTS
from apps.simulator.models import Card, Disk, Fault, Late, Machine, Mount, Plugged, Router

O = Fault.Outcome  # noqa: E741
CORES, SPEED_MHZ, MEMORY = 4, 8000, 8 << 30
POOL_SIZE = 1 << 40
LOST = "{}: the connection was lost, as was asked of the simulator"
EFFECTS: dict[str, Callable[..., Any]] = {}


def effect(call: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What a call does to the simulated host, ``effect(host, **arguments)`` in one transaction."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        EFFECTS[call] = atomically(function)
        return function

    return register


def act(host: int, call: str, subject: str, **arguments: Any) -> None:
    """Carry a call out as the faults want it."""
    look(subject)
    fault = _begun(host, call)
    if fault is None:
        EFFECTS[call](host, **arguments)
        return
    if fault.outcome == O.LATE:
        due = timezone.now() + timedelta(milliseconds=fault.late_ms)
        Late.objects.create(subject=subject, host=host, call=call, arguments=arguments, due_at=due)
    elif fault.outcome != O.LOST_BEFORE:
        EFFECTS[call](host, **arguments)
    if fault.outcome != O.NONE:
        raise Unknown(LOST.format(call))


def _begun(host: int, call: str) -> Fault | None:
    """The fault of this call, after its latency; one that keeps it from beginning is raised."""
    fault = FAULTS.find(host, call)
    if fault is None:
        return None
    if fault.latency_ms:
        time.sleep(fault.latency_ms / 1000)
    if fault.outcome == O.REFUSED:
        raise Refused(f"{call}: refused, as was asked of the simulator")
    if fault.outcome == O.BUSY:
        raise Busy(f"{call}: busy, as was asked of the simulator")
    return fault


def observe(host: int, call: str, subject: str = "") -> None:
    """The same for a call that only looks: it has no effect that could come late."""
    if subject:
        look(subject)
    fault = _begun(host, call)
    if fault and fault.outcome != O.NONE:
        raise Unknown(LOST.format(call))


def look(subject: str) -> None:
    """Land what is due; while something is still to come nobody may act on or look at its subject."""
    for late in Late.objects.filter(subject=subject).order_by("due_at"):
        if late.due_at > timezone.now():
            raise Busy("an earlier call is still under way")
        _land(late)


@atomically
def _land(late: Late) -> None:
    if Late.objects.filter(pk=late.pk).delete()[0]:
        try:
            EFFECTS[late.call](late.host, **late.arguments)
        except Refused:
            return  # too late: the host says no, and nobody is there to hear it


@effect("pools.ensure")
def _mount(host: int, pool: str) -> None:
    Mount.objects.bulk_create([Mount(pool=pool, host=host)], ignore_conflicts=True)


@effect("pools.remove")
def _unmount(host: int, pool: str) -> None:
    here = Machine.objects.filter(host=host).values("uuid")
    disks = Disk.objects.filter(pool=pool).values("uuid")
    if Plugged.objects.filter(disk__in=disks, machine__in=here).exists():
        raise Refused(f"a machine here uses pool {pool}")
    Mount.objects.filter(pool=pool, host=host).delete()


@effect("disks.create")
def _create_disk(host: int, disk: dict[str, Any]) -> None:
    pool = (disk.get("pool") or {}).get("uuid", "")
    if pool:
        _mount(host, pool)
    Disk.objects.bulk_create([Disk(uuid=disk["uuid"], size=disk["size"], pool=pool)], ignore_conflicts=True)


@effect("disks.delete")
def _delete_disk(host: int, disk: str, pool: str = "") -> None:
    if Plugged.objects.filter(disk=disk).exists():
        raise Refused(f"disk {disk} is in a running machine")
    _seen(host, disk, pool).delete()


@effect("disks.resize")
def _resize_disk(host: int, disk: dict[str, Any]) -> None:
    if not Disk.objects.filter(uuid=disk["uuid"]).update(size=disk["size"]) and not _exists(disk["uuid"]):
        raise Refused(f"there is no disk {disk['uuid']}")


@effect("disks.attach")
def _attach(host: int, vm: str, disk: dict[str, Any]) -> None:
    if not _exists(disk["uuid"]):
        raise Refused(f"there is no disk {disk['uuid']}")
    if not Machine.objects.filter(uuid=vm, host=host).exists():
        raise Refused(f"machine {vm} does not run here")
    _plug(vm, disk["uuid"])


def _plug(vm: str, disk: str) -> None:
    Plugged.objects.bulk_create([Plugged(disk=disk, machine=vm)], ignore_conflicts=True)
    if not Plugged.objects.filter(disk=disk, machine=vm).exists():
        raise Refused(f"disk {disk} is in another machine")


@effect("disks.detach")
def _detach(host: int, vm: str, disk: str) -> None:
    Plugged.objects.filter(disk=disk, machine=vm).delete()


@effect("power.start")
def _start(host: int, vm: dict[str, Any]) -> None:
    uuid = vm["uuid"]
    row = Machine(
        uuid=uuid, host=host, memory_mib=vm["memory_mib"], cpus=vm["cpus"], iso=(vm["iso"] or {}).get("uuid", "")
    )
    Machine.objects.bulk_create([row], ignore_conflicts=True)
    if not Machine.objects.filter(uuid=uuid, host=host).exists():
        raise Refused(f"machine {uuid} runs on another host")
    wanted = [disk["uuid"] for disk in vm["disks"]]
    if Disk.objects.filter(uuid__in=wanted).count() != len(wanted):
        raise Refused(f"machine {uuid} has a disk that is not there")
    for pool in {disk["pool"]["uuid"] for disk in vm["disks"] if disk.get("pool")}:
        _mount(host, pool)
    Plugged.objects.bulk_create([Plugged(disk=disk, machine=uuid) for disk in wanted], ignore_conflicts=True)
    if Plugged.objects.filter(disk__in=wanted, machine=uuid).count() != len(wanted):
        raise Refused(f"a disk of machine {uuid} is in another machine")
    _cards(uuid, vm["nics"])


def _cards(vm: str, nics: list[dict[str, Any]]) -> None:
    cards = [Card(uuid=nic["uuid"], machine=vm, mac=nic["mac"], network=nic["network"]) for nic in nics]
    if cards:
        Card.objects.bulk_create(cards, ignore_conflicts=True)


@effect("power.stop")
def _stop(host: int, vm: str) -> None:
    if Machine.objects.filter(uuid=vm, host=host).delete()[0]:
        Plugged.objects.filter(machine=vm).delete()
        Card.objects.filter(machine=vm).delete()


@effect("power.reboot")
def _reboot(host: int, vm: str) -> None:
    rows = Machine.objects.filter(uuid=vm, host=host)
    if not rows.exists():
        raise Refused(f"machine {vm} does not run here")
    rows.update(reboots=rows.values_list("reboots", flat=True)[0] + 1)


@effect("power.insert")
def _insert(host: int, vm: str, iso: str) -> None:
    if not Machine.objects.filter(uuid=vm, host=host).exists():
        raise Refused(f"machine {vm} does not run here")
    Machine.objects.filter(uuid=vm, host=host).update(iso=iso)


@effect("nics.plug")
def _plug_nic(host: int, vm: str, nic: dict[str, Any]) -> None:
    if not Machine.objects.filter(uuid=vm, host=host).exists():
        raise Refused(f"machine {vm} does not run here")
    _cards(vm, [nic])


@effect("nics.unplug")
def _unplug_nic(host: int, vm: str, nic: str) -> None:
    Card.objects.filter(uuid=nic, machine=vm).delete()


@effect("networks.apply")
def _apply(host: int, document: dict[str, Any]) -> None:
    """An older document never replaces a newer one. Passwords are not kept: nothing here tells them."""
    document = {**document, "machines": [{**each, "password": ""} for each in document.get("machines", ())]}
    network, generation = document["network"], document["generation"]
    values = {"generation": generation, "document": document}
    if Router.objects.filter(network=network, host=host, generation__lte=generation).update(**values):
        return
    Router.objects.bulk_create([Router(network=network, host=host, **values)], ignore_conflicts=True)


@effect("networks.remove")
def _remove(host: int, network: str) -> None:
    Router.objects.filter(network=network, host=host).delete()


def _exists(disk: str) -> bool:
    return Disk.objects.filter(uuid=disk).exists()


def _seen(host: int, disk: str, pool: str) -> QuerySet[Disk]:
    """A host looks into the pools that it knows, or into the one that it is told."""
    known = Mount.objects.filter(host=host).values("pool")
    return Disk.objects.filter(Q(pool="") | (Q(pool=pool) if pool else Q(pool__in=known)), uuid=disk)


class Part:
    def __init__(self, key: int):
        self.key = key


class Pools(Part):
    def ensure(self, pool: PoolSpec, *, within: float) -> None:
        act(self.key, "pools.ensure", pool.uuid, pool=pool.uuid)

    def remove(self, pool: str, *, within: float) -> None:
        act(self.key, "pools.remove", pool, pool=pool)

    def stats(self, pool: str, *, within: float) -> PoolStats:
        look(pool)
        if not Mount.objects.filter(pool=pool, host=self.key).exists():
            raise Refused(f"there is no pool {pool} here")
        return PoolStats(POOL_SIZE, Disk.objects.filter(pool=pool).aggregate(used=Sum("size"))["used"] or 0)


class Disks(Part):
    def create(self, disk: DiskSpec, *, within: float) -> None:
        act(self.key, "disks.create", disk.uuid, disk=asdict(disk))

    def delete(self, disk: str, *, within: float, pool: PoolSpec | None = None) -> None:
        act(self.key, "disks.delete", disk, disk=disk, pool=pool.uuid if pool else "")

    def resize(self, disk: DiskSpec, *, within: float) -> None:
        act(self.key, "disks.resize", disk.uuid, disk=asdict(disk))

    def exists(self, disk: str, *, within: float, pool: PoolSpec | None = None) -> bool:
        return self.size(disk, within=within, pool=pool) is not None

    def size(self, disk: str, *, within: float, pool: PoolSpec | None = None) -> int | None:
        look(disk)
        return _seen(self.key, disk, pool.uuid if pool else "").values_list("size", flat=True).first()

    def attach(self, vm: str, disk: DiskSpec, *, within: float) -> None:
        look(vm)
        act(self.key, "disks.attach", disk.uuid, vm=vm, disk=asdict(disk))

    def detach(self, vm: str, disk: str, *, within: float) -> None:
        look(vm)
        act(self.key, "disks.detach", disk, vm=vm, disk=disk)

    def has(self, vm: str, disk: str, *, within: float) -> bool:
        look(disk)
        return Plugged.objects.filter(disk=disk, machine=vm).exists()


class Power(Part):
    def start(self, vm: MachineSpec, *, within: float) -> None:
        act(self.key, "power.start", vm.uuid, vm=asdict(vm))

    def stop(self, vm: str, *, within: float, force: bool = False) -> None:
        act(self.key, "power.stop", vm, vm=vm)

    def reboot(self, vm: str, *, within: float, force: bool = False) -> None:
        act(self.key, "power.reboot", vm, vm=vm)

    def runs(self, vm: str, *, within: float) -> bool:
        observe(self.key, "power.runs", vm)
        return Machine.objects.filter(uuid=vm, host=self.key).exists()

    def insert(self, vm: str, iso: ImageSpec | None, *, within: float) -> None:
        act(self.key, "power.insert", vm, vm=vm, iso=iso.uuid if iso else "")


class Nics(Part):
    def plug(self, vm: str, nic: NicSpec, *, within: float) -> None:
        act(self.key, "nics.plug", vm, vm=vm, nic=asdict(nic))

    def unplug(self, vm: str, nic: str, *, within: float) -> None:
        act(self.key, "nics.unplug", vm, vm=vm, nic=nic)

    def has(self, vm: str, nic: str, *, within: float) -> bool:
        observe(self.key, "nics.has", vm)
        return Card.objects.filter(uuid=nic, machine=vm).exists()


CHECKS = (("dns_check.py", "basic"), ("dhcp_check.py", "basic"), ("iptables_check.py", "advanced"))


class Networks(Part):
    def apply(self, document: dict[str, Any], *, within: float) -> int:
        act(self.key, "networks.apply", document["network"], document=document)
        return self.generation(document["network"], within=within) or document["generation"]

    def remove(self, network: str, *, within: float) -> None:
        act(self.key, "networks.remove", network, network=network)

    def generation(self, network: str, *, within: float) -> int | None:
        observe(self.key, "networks.generation", network)
        rows = Router.objects.filter(network=network, host=self.key)
        return rows.values_list("generation", flat=True).first()

    def status(self, network: str, *, within: float) -> dict[str, Any]:
        """Routers that are there are well."""
        if self.generation(network, within=within) is None:
            return {"checks": []}
        return {"checks": [{"checkname": n, "checktype": kind, "success": True} for n, kind in CHECKS]}


class HostPart:
    def __init__(self, address: HostAddress):
        self.address = address

    def facts(self, *, within: float) -> HostFacts:
        """4 cores of 8000 MHz and 8 GB, unless the last part of the URL says ``cpucore=..&memory=..`` (MiB); with
        ``count=..`` there are so many of them.
        """
        observe(self.address.key, "host.facts")
        said = dict(re.findall(r"(cpucore|memory|count)=(\d{1,7})", self.address.url.rsplit("/", 1)[-1]))
        cores, memory = int(said.get("cpucore", CORES)), int(said.get("memory", 0)) << 20
        hosts = max(int(said.get("count", 1)), 1)
        return HostFacts(cores, SPEED_MHZ, memory or MEMORY, version="simulator", hosts=hosts)

    def machines(self, *, within: float) -> frozenset[str]:
        observe(self.address.key, "host.machines")
        return frozenset(Machine.objects.filter(host=self.address.key).values_list("uuid", flat=True))


class Console(Part):
    def open(self, vm: str, *, within: float) -> OpenScreen:
        observe(self.key, "console.open", vm)
        if not Machine.objects.filter(uuid=vm, host=self.key).exists():
            raise Refused(f"machine {vm} does not run here")
        return OpenScreen(None)


class SimulatedHost:
    def __init__(self, address: HostAddress):
        self.host = HostPart(address)
        self.pools = Pools(address.key)
        self.disks, self.power, self.nics = Disks(address.key), Power(address.key), Nics(address.key)
        self.networks, self.console = Networks(address.key), Console(address.key)


OBSERVATIONS = {"power.runs", "nics.has", "networks.generation", "host.facts", "host.machines", "console.open"}
CALLS = EFFECTS.keys() | OBSERVATIONS


def connect(address: HostAddress) -> SimulatedHost:
    return SimulatedHost(address)
