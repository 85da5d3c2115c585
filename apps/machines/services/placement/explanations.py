"""Why a machine is where it is, or nowhere: for administrators with every figure, for tenants in a sentence of their
own words. Refusals are counted by the database, each host once, by the first filter that drops it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, Q, QuerySet, Value, When

from apps.infrastructure.models import Host
from apps.machines.services.placement import host_filters, storage, weighers
from apps.machines.services.placement.choosing import Found, of_zone
from apps.machines.services.placement.requests import Disk, Request
from apps.storage.models import StoragePool


@dataclass(frozen=True)
class Dropped:
    name: str
    reason: str
    number: int
    tenant: str = ""


@dataclass(frozen=True)
class Counts:
    total: int
    dropped: list[Dropped]

    @property
    def left(self) -> int:
        return self.total - sum(each.number for each in self.dropped)

    def sentence(self, noun: str, *more: str) -> str:
        parts = [f"{each.number} {each.reason}" for each in self.dropped]
        return f"of {self.total} {noun}{'' if self.total == 1 else 's'} {', '.join([*parts, *more])}"

    @property
    def details(self) -> list[dict[str, Any]]:
        return [{"filter": each.name, "reason": each.reason, "dropped": each.number} for each in self.dropped]


@dataclass(frozen=True)
class Refusal:
    text: str
    tenant: str
    details: dict[str, Any]


Step = tuple[Dropped, Q | None]


def of_hosts(request: Request) -> Counts:
    chain = host_filters.chain()
    steps = [(Dropped(each.name, each.reason(request), 0, each.tenant), each.q(request)) for each in chain]
    return _counted(of_zone(request), steps)


def of_pools(request: Request, disk: Disk) -> Counts:
    """By the rules that are known here; what apps.storage drops beyond them shows as "ruled out"."""
    steps: list[Step] = [
        (Dropped(each.name, each.reason(request, disk), 0), each.q(request, disk)) for each in storage.chain()
    ]
    steps.append(
        (Dropped("rules", "ruled out", 0), Q(pk__in=storage.candidates(request, disk).order_by().values("pk")))
    )
    return _counted(StoragePool.all_tenants.filter(zone=request.zone), steps)


def _counted(rows: QuerySet, steps: Sequence[Step]) -> Counts:
    """One pass: each row gets the number of the first step whose condition is not true."""
    fell: Any = Value(0)
    active = [(step, condition) for step, condition in steps if condition is not None]
    for number in range(len(active), 0, -1):
        fell = Case(When(active[number - 1][1], then=fell), default=Value(number))
    found = dict(rows.values_list(fell.copy()).annotate(count=Count("pk")).order_by()) if active else {0: rows.count()}
    dropped = [
        Dropped(step.name, step.reason, found[number], step.tenant)
        for number, (step, _) in enumerate(active, 1)
        if number in found
    ]
    return Counts(sum(found.values()), dropped)


def of_refusal(request: Request) -> Refusal:
    hosts = of_hosts(request)
    details: dict[str, Any] = {"instance": request.name, "hosts": hosts.total, "dropped": hosts.details}
    late = f"{hosts.left} with room, but others were faster, or no storage there has room for all disks together"
    counted = hosts.sentence("host", *([late] if hosts.left else [])) if hosts.total else "it has none"
    text = f"no host of zone {request.zone_name} can take instance {request.name}: {counted}"
    tenant = hosts.dropped[-1].tenant.format(zone_name=request.zone_name) if hosts.dropped and not hosts.left else ""
    if any(each.name == "storage" for each in hosts.dropped):
        pools = {disk.volume: of_pools(request, disk) for disk in request.disks}
        details["storage"] = [
            {"size": disk.size, "pools": pools[disk.volume].total, "dropped": pools[disk.volume].details}
            for disk in request.disks
        ]
        text += "".join(_of_disk(disk, pools[disk.volume]) for disk in request.disks)
    return Refusal(text, tenant, details | {"text": text})


def _of_disk(disk: Disk, pools: Counts) -> str:
    if not pools.dropped:
        return ""
    return f"; for a disk of {disk.size / storage.GIB:.3g} GiB {pools.sentence('pool')}"


def of_choice(request: Request, found: Found, host: Host, pools: Mapping[int, StoragePool]) -> dict[str, Any]:
    """Cheap: nothing is counted, it is what the search has seen anyway."""
    return {
        "instance": request.name,
        "planner": found.planner,
        "host": named(host),
        "text": f"{host.name}: {_why(request, found, host)}",
        "candidates": [
            named(each) | {"room": each.room, "weights": _rounded(found.weights, each.pk)} for each in found.hosts
        ],
        "storage": [{"size": disk.size, "pool": named(pools[disk.volume])} for disk in _placed(request, pools)],
    }


def _why(request: Request, found: Found, host: Host) -> str:
    if host.pk == request.last_host:
        return "it was there before, and still fits"
    place = next((number for number, each in enumerate(found.hosts) if each.pk == host.pk), None)
    if place is None:
        return "it had a place there already"
    if len(found.hosts) == 1:
        return f"the only one that fits where {found.planner} looked first"
    by = " and ".join(found.weights)
    missed = f", after others were faster for {place}" if place else ""
    return f"first of {len(found.hosts)} that fit where {found.planner} looked first, by {by}{missed}"


def _placed(request: Request, pools: Mapping[int, StoragePool]) -> list[Disk]:
    return [disk for disk in request.disks if disk.volume in pools]


def _rounded(weights: weighers.Weights, key: int) -> dict[str, float]:
    return {name: round(given.get(key, 0.0), 3) for name, given in weights.items()}


def named(row: Host | StoragePool) -> dict[str, str]:
    return {"id": str(row.uuid), "name": row.name}
