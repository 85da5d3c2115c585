"""What machines use, as their hosts tell it: the last totals of each, and a history that charts are drawn from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from apps.core.keys import Keys
from apps.core.retry import atomically
from apps.core.settings import Setting
from apps.machines.models import Load, LoadSample, VirtualMachine

INTERVAL = Setting(
    "vm.stats.interval",
    60000,
    help_text="Milliseconds between two samples of what a machine uses; 0: none are kept.",
    minimum=0,
)
KEPT = Setting(
    "vm.stats.max.retention.time",
    720,
    help_text="Minutes that the samples of what machines use are kept.",
    minimum=0,
)
EARLY = 0.9  # of an interval: reports are not that punctual
BATCH = 10_000
LARGEST = 1 << 60  # that a column can be told; nothing real comes near
TOTALS = ("received_bytes", "sent_bytes", "read_bytes", "written_bytes", "read_requests", "write_requests")


@dataclass(frozen=True)
class Use:
    """Totals that only grow while ``epoch`` is the same."""

    epoch: str
    cpu_seconds: float
    memory_kib: int
    received_bytes: int
    sent_bytes: int
    read_bytes: int
    written_bytes: int
    read_requests: int
    write_requests: int


def read(told: Mapping[str, Any]) -> Use:
    """Of ``MachineStats`` as an object. KeyError, TypeError or ValueError where it is none."""
    nics, disks = told["nics"], told["disks"]

    def total(parts: Sequence[Mapping[str, Any]], name: str) -> int:
        return min(sum(max(0, int(part[name])) for part in parts), LARGEST)

    return Use(
        epoch=str(told["epoch"])[:32],
        cpu_seconds=min(max(0.0, float(told["cpu_seconds"])), LARGEST),
        memory_kib=min(max(0, int(told.get("memory_kib", 0))), LARGEST),
        received_bytes=total(nics, "received_bytes"),
        sent_bytes=total(nics, "sent_bytes"),
        read_bytes=total(disks, "read_bytes"),
        written_bytes=total(disks, "written_bytes"),
        read_requests=total(disks, "read_requests"),
        write_requests=total(disks, "write_requests"),
    )


@atomically
def note(uses: Mapping[int, Use], now: datetime | None = None) -> int:
    """By the key of the machine; returns how many were due. Four statements, however many there are."""
    at, interval = now or timezone.now(), INTERVAL.value()
    if not interval or not uses:
        return 0
    before = {load.vm_id: load for load in Load.objects.filter(vm__among=Keys(uses))}
    due = at - timedelta(milliseconds=interval * EARLY)
    cpus = dict(VirtualMachine.all_tenants.filter(pk__among=Keys(uses)).values_list("pk", "cpus"))
    loads = [
        _load(key, use, at, before.get(key), cpus[key])
        for key, use in uses.items()
        if key in cpus and (key not in before or before[key].at <= due)
    ]
    _keep(loads)
    LoadSample.objects.bulk_create(_sample(load, before.get(load.vm_id)) for load in loads)
    return len(loads)


def _load(key: int, use: Use, at: datetime, before: Load | None, cpus: int) -> Load:
    load = Load(vm_id=key, at=at, **asdict(use))
    if before is not None and before.epoch == use.epoch and use.cpu_seconds >= before.cpu_seconds:
        wall = (at - before.at).total_seconds() * max(cpus, 1)
        load.cpu_percent = min(100.0, (use.cpu_seconds - before.cpu_seconds) / wall * 100)
    return load


def _sample(load: Load, before: Load | None) -> LoadSample:
    """What was used since ``before``; of a machine that is new, or counts anew, since it began to count."""
    same = before is not None and before.epoch == load.epoch
    used = {name: max(0, getattr(load, name) - (getattr(before, name) if same else 0)) for name in TOTALS}
    return LoadSample(vm_id=load.vm_id, at=load.at, cpu_percent=load.cpu_percent, memory_kib=load.memory_kib, **used)


def _keep(loads: Sequence[Load]) -> None:
    fields = ["at", "epoch", "cpu_seconds", "cpu_percent", "memory_kib", *TOTALS]
    where = ["vm"] if connection.features.supports_update_conflicts_with_target else None
    Load.objects.bulk_create(loads, update_conflicts=True, unique_fields=where, update_fields=fields)


def forget_old(now: datetime | None = None) -> int:
    """In batches: the samples of many machines are many."""
    until, count = (now or timezone.now()) - timedelta(minutes=KEPT.value()), 0
    while keys := list(LoadSample.objects.filter(at__lt=until).order_by("at").values_list("pk", flat=True)[:BATCH]):
        count += LoadSample.objects.filter(pk__among=Keys(keys)).delete()[0]
    return count
