"""What hosts use, as they tell it: the last totals of each, and a history that charts are drawn from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from apps.core.keys import Keys
from apps.core.retry import atomically
from apps.core.settings import Setting
from apps.infrastructure.models import Host, HostLoad, HostLoadSample

INTERVAL = Setting(
    "host.stats.interval",
    60000,
    help_text="Milliseconds between two samples of what a host uses; 0: none are kept.",
    minimum=0,
)
KEPT = Setting(
    "host.stats.max.retention.time",
    720,
    help_text="Minutes that the samples of what hosts use are kept.",
    minimum=0,
)
EARLY = 0.9  # of an interval: reports are not that punctual
BATCH = 10_000
LARGEST = 1 << 60  # that a column can be told; nothing real comes near
TOTALS = ("received_bytes", "sent_bytes")


@dataclass(frozen=True)
class HostUse:
    """Totals that only grow while ``epoch`` is the same, but for the memory in use and the load average."""

    epoch: str
    cpu_seconds: float
    memory_bytes: int
    received_bytes: int
    sent_bytes: int
    load_average: float


def read(told: Mapping[str, Any]) -> HostUse:
    """As an agent reports it. KeyError, TypeError or ValueError where it is no such object."""
    return HostUse(
        epoch=str(told["epoch"])[:32],
        cpu_seconds=_real(told["cpu_seconds"]),
        memory_bytes=_whole(told["memory_bytes"]),
        received_bytes=_whole(told["received_bytes"]),
        sent_bytes=_whole(told["sent_bytes"]),
        load_average=_real(told["load_average"]),
    )


def _whole(value: Any) -> int:
    return min(max(0, int(value)), LARGEST)


def _real(value: Any) -> float:
    return min(max(0.0, float(value)), float(LARGEST))


@atomically
def note(uses: Mapping[int, HostUse], now: datetime | None = None) -> int:
    """By the key of the host; returns how many were due. Four statements, however many there are."""
    at, interval = now or timezone.now(), INTERVAL.value()
    if not interval or not uses:
        return 0
    before = {load.host_id: load for load in HostLoad.objects.filter(host__among=Keys(uses))}
    due = at - timedelta(milliseconds=interval * EARLY)
    cores = dict(Host.all_tenants.filter(pk__among=Keys(uses)).values_list("pk", "cpu_cores"))
    loads = [
        _load(key, use, at, before.get(key), cores[key])
        for key, use in uses.items()
        if key in cores and (key not in before or before[key].at <= due)
    ]
    _keep(loads)
    HostLoadSample.objects.bulk_create(_sample(load, before.get(load.host_id)) for load in loads)
    return len(loads)


def _load(key: int, use: HostUse, at: datetime, before: HostLoad | None, cores: int) -> HostLoad:
    load = HostLoad(host_id=key, at=at, **asdict(use))
    if before is not None and before.epoch == use.epoch and use.cpu_seconds >= before.cpu_seconds:
        wall = (at - before.at).total_seconds() * max(cores, 1)
        load.cpu_percent = min(100.0, (use.cpu_seconds - before.cpu_seconds) / wall * 100)
    return load


def _sample(load: HostLoad, before: HostLoad | None) -> HostLoadSample:
    """What came in since ``before``; of a host that is new, or has started anew, since it began to count."""
    same = before is not None and before.epoch == load.epoch
    moved = {name: max(0, getattr(load, name) - (getattr(before, name) if same else 0)) for name in TOTALS}
    held = {"cpu_percent": load.cpu_percent, "memory_bytes": load.memory_bytes}
    return HostLoadSample(host_id=load.host_id, at=load.at, **held, **moved)


def _keep(loads: Sequence[HostLoad]) -> None:
    fields = ["at", "epoch", "cpu_seconds", "cpu_percent", "memory_bytes", "load_average", *TOTALS]
    where = ["host"] if connection.features.supports_update_conflicts_with_target else None
    HostLoad.objects.bulk_create(loads, update_conflicts=True, unique_fields=where, update_fields=fields)


def forget_old(now: datetime | None = None) -> int:
    """In batches: the samples of many hosts are many."""
    until, count = (now or timezone.now()) - timedelta(minutes=KEPT.value()), 0
    old = HostLoadSample.objects.filter(at__lt=until).order_by("at")
    while keys := list(old.values_list("pk", flat=True)[:BATCH]):
        count += HostLoadSample.objects.filter(pk__among=Keys(keys)).delete()[0]
    return count
