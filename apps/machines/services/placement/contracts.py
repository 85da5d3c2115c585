"""What a placement is made of. Operators add their own under the entry points ``cloudportal.host_filters``,
``.pool_filters``, ``.host_weighers``, ``.pool_weighers`` and ``.planners``; see docs/placement.md.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from django.db.models import Q, QuerySet, Subquery
from django.db.models.lookups import IsNull

from apps.infrastructure.models import Host
from apps.machines.services.placement.requests import Disk, Request
from apps.storage.models import StoragePool


@dataclass(frozen=True)
class HostFilter:
    """``q`` is true for hosts that may stay, and None where the filter has nothing to say about the request; ``reason``
    is what the others are ("not Up"); ``tenant`` tells the owner of the machine, who may not hear of hosts, why no
    place is left when this filter drops the last one: "" says no more than that there is none.
    """

    name: str
    q: Callable[[Request], Q | None]
    reason: Callable[[Request], str]
    tenant: str = ""


@dataclass(frozen=True)
class PoolFilter:
    """The same for one disk of the request."""

    name: str
    q: Callable[[Request, Disk], Q | None]
    reason: Callable[[Request, Disk], str]


@dataclass(frozen=True)
class HostWeigher:
    """Orders the candidates: the host with the most is tried first, the next weigher decides among equals."""

    name: str
    weigh: Callable[[Request, Sequence[Host]], Mapping[int, float]]


@dataclass(frozen=True)
class PoolWeigher:
    name: str
    weigh: Callable[[Request, Sequence[StoragePool]], Mapping[int, float]]


@dataclass(frozen=True)
class Planner:
    """Cuts the zone into parts that are looked at one after the other: the first with a host that fits is taken.

    Of parts that are ``wide``, most of a zone, a few likelier hosts are looked at first.
    """

    name: str
    parts: Callable[[Request], Iterable[Q]]
    wide: bool = True


KINDS: dict[str, Any] = {
    "host_filters": HostFilter,
    "pool_filters": PoolFilter,
    "host_weighers": HostWeigher,
    "pool_weighers": PoolWeigher,
    "planners": Planner,
}


def names(group: str) -> tuple[str, ...]:
    return tuple(sorted(entry_points(group=f"cloudportal.{group}").names))


@cache
def added(group: str) -> tuple[Any, ...]:
    """What operators have installed. One that does not load is an error: without it machines would go elsewhere."""
    found = []
    for entry in sorted(entry_points(group=f"cloudportal.{group}"), key=lambda each: each.name):
        part = entry.load()
        if not isinstance(part, KINDS[group]) or part.name != entry.name:
            raise TypeError(f"cloudportal.{group}: {entry.value} is no {KINDS[group].__name__} named {entry.name}")
        found.append(part)
    return tuple(found)


def load() -> None:
    """At the start of every process, so that a part that is broken stops it, not the first deployment."""
    for group in KINDS:
        added(group)


def has(rows: QuerySet) -> Q:
    """There is such a row. As a scalar: an EXISTS MariaDB would turn into a join with the whole table."""
    return Q(IsNull(Subquery(rows.order_by().values("pk")[:1]), False))


def has_no(rows: QuerySet) -> Q:
    return Q(IsNull(Subquery(rows.order_by().values("pk")[:1]), True))
