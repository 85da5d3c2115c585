"""Faults and latencies of simulated calls. Every process keeps those that are set."""

import random

from django.db.models import F

from apps.core.kept import Kept
from apps.infrastructure.models import Host
from apps.simulator.models import Fault

LEVELS = ("host", "cluster", "pod", "zone")  # the nearest one first


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._kept = Kept(seconds=0.5)
        self._places: dict[int, dict[str, int]] = {}

    def find(self, host: int, call: str) -> Fault | None:
        """What was set for the nearest place hits first; what was set for a number of times is used up by it."""
        self._refresh()
        for fault in self._faults:
            if self._hits(fault, host, call) and self._use(fault):
                return fault
        return None

    def outdated(self) -> None:
        self._kept.outdated()

    def _refresh(self) -> None:
        if self._kept.is_good:
            return
        began = self._kept.word()
        rows = Fault.objects.exclude(times=0).order_by("pk")
        self._faults = sorted(rows, key=_distance)
        self._kept.taken(began)

    def _hits(self, fault: Fault, host: int, call: str) -> bool:
        if fault.call not in ("", call) or (fault.percent < 100 and random.randrange(100) >= fault.percent):  # noqa: S311
            return False
        wanted = {n: getattr(fault, n) for n in LEVELS if getattr(fault, n)}
        return not wanted or all(self._place(host).get(n) == key for n, key in wanted.items())

    def _place(self, host: int) -> dict[str, int]:
        if host not in self._places:
            row = Host.including_removed.filter(pk=host).values("zone_id", "pod_id", "cluster_id").first() or {}
            self._places[host] = {name.removesuffix("_id"): key or 0 for name, key in row.items()} | {"host": host}
        return self._places[host]

    def _use(self, fault: Fault) -> bool:
        if fault.times < 0:
            return True
        return bool(Fault.objects.filter(pk=fault.pk, times__gt=0).update(times=F("times") - 1))


def _distance(fault: Fault) -> tuple[int, int]:
    """Of a place, and of a call: one that is named is nearer than all."""
    place = next((number for number, name in enumerate(LEVELS) if getattr(fault, name)), len(LEVELS))
    return place, 0 if fault.call else 1


FAULTS = Faults()
