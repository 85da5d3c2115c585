"""Capacity by type and place: sums made by the database, one statement for each type.

``used`` is what is promised, ``total`` what may be promised; units are those of the wire (bytes, MHz, addresses).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from apps.infrastructure import ports
from apps.infrastructure.models import Host, PodAddress

MIB = 1 << 20
NAMES = {
    0: "MEMORY",
    1: "CPU",
    2: "STORAGE",
    3: "STORAGE_ALLOCATED",
    4: "VIRTUAL_NETWORK_PUBLIC_IP",
    5: "PRIVATE_IP",
    6: "SECONDARY_STORAGE",
    7: "VLAN",
    8: "DIRECT_ATTACHED_PUBLIC_IP",
    9: "LOCAL_STORAGE",
    90: "CPU_CORE",
}
LEVELS = ("zone", "pod", "cluster")


@dataclass(frozen=True)
class Amount:
    type: int
    place: int  # key of the zone, pod or cluster
    used: int
    total: int


Where = Mapping[str, Sequence[int]]


def amounts(level: str, where: Where) -> list[Amount]:
    """Of each place of a level; ``where`` narrows to keys of zones, pods, clusters: {"zone": [1, 2]}."""
    found = [*_hosts(level, where), *_pod_addresses(level, where)]
    for answer in ports.capacity.all():
        found += answer(level, where)
    return found


def _hosts(level: str, where: Where) -> Iterable[Amount]:
    rows = Host.all_tenants.filter(type="Routing", **within(where)).exclude(**{level: None})
    sums = rows.values_list(level).annotate(
        memory_used=Sum("memory_mib_used"),
        memory=Sum("memory_mib_capacity"),
        cpu_used=Sum("cpu_mhz_used"),
        cpu=Sum("cpu_mhz_capacity"),
        cores_used=Coalesce(Sum(F("cpu_mhz_used") / F("cpu_speed_mhz")), 0),
        cores=Sum("cpu_cores"),
    )
    for place, memory_used, memory, cpu_used, cpu, cores_used, cores in sums:
        yield Amount(0, place, memory_used * MIB, memory * MIB)
        yield Amount(1, place, cpu_used, cpu)
        yield Amount(90, place, int(cores_used), cores)


def _pod_addresses(level: str, where: Where) -> Iterable[Amount]:
    if level == "cluster" or "cluster" in where:
        return
    rows = PodAddress.objects.filter(**{("pod__in" if n == "pod" else "pod__zone__in"): k for n, k in where.items()})
    for place, used, total in taken(rows.values_list("pod" if level == "pod" else "pod__zone")):
        yield Amount(5, place, used, total)


def within(where: Where) -> dict[str, Sequence[int]]:
    return {f"{name}__in": keys for name, keys in where.items()}


def taken(rows: QuerySet) -> Iterable[tuple[int, int, int]]:
    """(place, taken, all) of rows that are grouped by place and have ``taken_by``."""
    return rows.annotate(used=Count("pk", filter=~Q(taken_by="")), total=Count("pk"))


def said(amount: Amount) -> dict[str, object]:
    percent = 100 * amount.used / amount.total if amount.total else 0
    return {
        "type": amount.type,
        "name": NAMES[amount.type],
        "capacityused": amount.used,
        "capacityallocated": amount.used,
        "capacitytotal": amount.total,
        "percentused": f"{percent:.2f}".rstrip("0").rstrip("."),
    }
