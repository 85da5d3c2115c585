"""What rows use, as their hosts tell it: the last totals of each, and a history that charts are drawn from."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db import connection
from django.utils import timezone

from apps.core.keys import Keys
from apps.core.retry import atomically
from apps.core.settings import Setting

EARLY = 0.9  # of an interval: reports are not that punctual
BATCH = 10_000
LARGEST = 1 << 60  # that a column can be told; nothing real comes near


def whole(value: Any) -> int:
    """Of what an agent told. TypeError or ValueError for what is no number."""
    return min(max(0, int(value)), LARGEST)


def real(value: Any) -> float:
    return min(max(0.0, float(value)), float(LARGEST))


@dataclass(frozen=True)
class Loads:
    """A use is a dataclass with ``epoch``, ``cpu_seconds`` and columns of ``last``; ``samples`` has some of them."""

    last: Any  # model with one row for each of whose use is known
    samples: Any  # model
    whose: str  # foreign key of both
    processors: str  # column of the row that it leads to
    totals: tuple[str, ...]  # that only grow while the epoch is the same; a sample says by how much
    interval: Setting[int]  # milliseconds between two samples; 0: none are kept
    kept: Setting[int]  # minutes

    @atomically
    def note(self, uses: Mapping[int, Any], now: datetime | None = None) -> int:
        """By key of the row; returns how many were due. Four statements, however many there are."""
        at, interval = now or timezone.now(), self.interval.value()
        if not interval or not uses:
            return 0
        before = {self._key(load): load for load in self.last.objects.filter(**{f"{self.whose}__among": Keys(uses)})}
        due = at - timedelta(milliseconds=interval * EARLY)
        processors = self._processors(uses)
        loads = [
            self._load(key, use, at, before.get(key), processors[key])
            for key, use in uses.items()
            if key in processors and (key not in before or before[key].at <= due)
        ]
        self._keep(loads)
        self.samples.objects.bulk_create(self._sample(load, before.get(self._key(load))) for load in loads)
        return len(loads)

    def forget_old(self, now: datetime | None = None) -> int:
        """In batches: the samples of many are many."""
        until, count = (now or timezone.now()) - timedelta(minutes=self.kept.value()), 0
        old = self.samples.objects.filter(at__lt=until).order_by("at")
        while keys := list(old.values_list("pk", flat=True)[:BATCH]):
            count += self.samples.objects.filter(pk__among=Keys(keys)).delete()[0]
        return count

    @cached_property
    def _levels(self) -> list[str]:
        """What a sample says as it was told."""
        own = {"id", "at", self.whose, *self.totals}
        return [field.name for field in self.samples._meta.fields if field.name not in own]

    @cached_property
    def _columns(self) -> list[str]:
        return [field.name for field in self.last._meta.fields if field.name not in ("id", self.whose)]

    def _key(self, load: Any) -> int:
        return int(getattr(load, f"{self.whose}_id"))

    def _processors(self, keys: Iterable[int]) -> dict[int, int]:
        model = self.last._meta.get_field(self.whose).related_model
        return dict(model.all_tenants.filter(pk__among=Keys(keys)).values_list("pk", self.processors))

    def _load(self, key: int, use: Any, at: datetime, before: Any, processors: int) -> Any:
        load = self.last(**{f"{self.whose}_id": key}, at=at, **asdict(use))
        if before is not None and before.epoch == use.epoch and use.cpu_seconds >= before.cpu_seconds:
            wall = (at - before.at).total_seconds() * max(processors, 1)
            load.cpu_percent = min(100.0, (use.cpu_seconds - before.cpu_seconds) / wall * 100)
        return load

    def _sample(self, load: Any, before: Any) -> Any:
        """What was used since ``before``; of a row that is new, or counts anew, since it began to count."""
        same = before is not None and before.epoch == load.epoch
        used = {name: max(0, getattr(load, name) - (getattr(before, name) if same else 0)) for name in self.totals}
        levels = {name: getattr(load, name) for name in self._levels}
        return self.samples(**{f"{self.whose}_id": self._key(load)}, at=load.at, **levels, **used)

    def _keep(self, loads: list[Any]) -> None:
        where = [self.whose] if connection.features.supports_update_conflicts_with_target else None
        self.last.objects.bulk_create(loads, update_conflicts=True, unique_fields=where, update_fields=self._columns)
