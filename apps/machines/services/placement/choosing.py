"""Looking for a host: pure, so that a dry run stops here. The query goes down an index of hosts by what is left of them
and ends at the tenth that fits, however many there are; those with too little left are behind its end. Where a few hosts
are likelier to fit than all the emptier ones (those with the tags, those near storage with room) a handful of them is
looked at first.
"""

import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.db.models import F, Max, Min, Q, QuerySet

from apps.infrastructure.models import Host, HostTag
from apps.machines.services.placement import host_filters, planners, storage, weighers
from apps.machines.services.placement.contracts import Planner
from apps.machines.services.placement.requests import Request

CANDIDATES = 10
SAMPLE = 64  # hosts with the tags
NEAR = 4  # clusters with the emptiest storage


@dataclass(frozen=True)
class Found:
    """The candidates, the best first, and what each weigher gave them."""

    hosts: list[Host]
    weights: weighers.Weights
    planner: str


class Search:
    """One request: its conditions are made once, however often it has to look again."""

    def __init__(self, request: Request):
        self.request = request
        self.planner: Planner = planners.chosen(request)
        conditions = (each.q(request) for each in host_filters.chain())
        self.fits = Q(*(condition for condition in conditions if condition is not None))

    def candidates(self, tried: Collection[int] = ()) -> Found:
        rest = self.fits & Q(room__gte=min(self.request.cpu_mhz, self.request.memory_mib))
        if tried:
            rest &= ~Q(pk__in=tried)
        for where, are_few in self._parts():
            if rows := list(ordered(of_zone(self.request).filter(where, rest), are_few)[:CANDIDATES]):
                hosts, weights = weighers.order(rows, weighers.of_hosts(), self.request)
                return Found(hosts, weights, self.planner.name)
        return Found([], {}, self.planner.name)

    def _parts(self) -> Iterator[tuple[Q, bool]]:
        """Where to look, part by part, and whether it is only a few hosts; all together are the zone."""
        request = self.request
        if request.last_host:
            yield Q(pk=request.last_host), True
        is_wide = self.planner.wide and not (request.is_bound or request.wish)
        few = narrowed(request) if is_wide else None
        for part in self.planner.parts(request):
            if few is not None:
                yield part & few, True
            yield part, request.is_bound


def of_zone(request: Request) -> QuerySet[Host]:
    return Host.all_tenants.filter(zone=request.zone, type="Routing")


def ordered(rows: QuerySet[Host], are_few: bool) -> QuerySet[Host]:
    """The emptiest first. An expression over a few: for a column the database would walk the whole index instead."""
    return rows.order_by((F("room") + 0).desc() if are_few else "-room", "-pk")


def narrowed(request: Request) -> Q | None:
    if request.host_tags:
        return Q(pk__in=tagged(request))
    return storage.near(request, NEAR)


def tagged(request: Request) -> list[int]:
    """Some of the hosts that have all the tags, from a random one on, so that all have their turn; or all of them."""
    first, *others = request.host_tags
    rows = HostTag.objects.filter(tag=first)
    ends = rows.aggregate(least=Min("host"), most=Max("host"))
    if ends["least"] is None:
        return []
    for tag in others:
        rows = rows.filter(host__tags__tag=tag)
    keys = rows.filter(host__zone=request.zone).order_by("host").values_list("host", flat=True)
    start = random.randint(ends["least"], ends["most"])  # noqa: S311 - spreads load, keeps no secret
    found = list(keys.filter(host__gte=start)[:SAMPLE])
    return found + list(keys.filter(host__lt=start)[: SAMPLE - len(found)])
