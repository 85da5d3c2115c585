"""Primary storage for the disks of a request. What a pool must be to hold a disk is for apps.storage to say; here its
answer is narrowed by what operators have added, and tied to the hosts that reach the pool.
"""

from collections import Counter
from collections.abc import Collection

from django.db.models import F, OuterRef, Q, QuerySet

from apps.infrastructure.models import Host
from apps.machines.services.placement import weighers
from apps.machines.services.placement.contracts import PoolFilter, added, has
from apps.machines.services.placement.requests import Disk, Request
from apps.storage.models import StoragePool, StoragePoolTag
from apps.storage.services import pools

CANDIDATES = 10
GIB = 1 << 30


def candidates(request: Request, disk: Disk, host: Host | None = None, avoid: Collection[int] = ()) -> QuerySet:
    rows = pools.fitting(pools.Wish(disk.size, tuple(disk.tags), disk.is_local))
    rows = rows.filter(zone=request.zone, hypervisor__in=(request.hypervisor, pools.ANY))
    if host:
        rows = rows.filter(place__in=pools.places(host, disk.is_local))
    else:
        rows = rows.filter(scope="HOST") if disk.is_local else rows.exclude(scope="HOST")
    rows = rows.exclude(pk__in=list(avoid)).order_by("used_bytes", "pk")
    for each in added("pool_filters"):
        if (condition := each.q(request, disk)) is not None:
            rows = rows.filter(condition)
    return rows


def within_reach(request: Request, disk: Disk) -> Q | None:
    """A condition on hosts. Nothing where a pool of the whole zone has room: every host reaches that."""
    rows = candidates(request, disk)
    if disk.is_local:
        return has(rows.filter(host=OuterRef("pk")))
    if rows.filter(cluster=None, host=None).exists():
        return None
    return has(rows.filter(cluster=OuterRef("cluster_id")))


def near(request: Request, some: int) -> Q | None:
    """Hosts by the emptiest pools that could hold the first disk; None where the zone has pools for all hosts."""
    if not request.disks:
        return None
    first = request.disks[0]
    places = candidates(request, first)[:some].values_list("host", "cluster")
    if first.is_local:
        return Q(pk__in=[host for host, _ in places])
    clusters = [cluster for _, cluster in places]
    return None if None in clusters else Q(cluster__in=clusters)


def choose(request: Request, host: Host, full: Collection[int] = ()) -> dict[int, StoragePool] | None:
    """A pool for each disk that has none, by key of the volume; ``full`` are pools that turned out to be."""
    chosen: dict[int, StoragePool] = {}
    planned: Counter[int] = Counter()
    for disk in request.disks:
        rows = list(candidates(request, disk, host, full)[:CANDIDATES])
        ordered, _ = weighers.order(rows, weighers.of_pools(), request)
        pool = next((each for each in ordered if planned[each.pk] + disk.size <= _left(each)), None)
        if pool is None:
            return None
        planned[pool.pk] += disk.size
        chosen[disk.volume] = pool
    return chosen


def _left(pool: StoragePool) -> int:
    return pool.placement_bytes - pool.used_bytes


def _scope(request: Request, disk: Disk) -> Q:
    return Q(scope="HOST") if disk.is_local else ~Q(scope="HOST")


def _tags(request: Request, disk: Disk) -> Q | None:
    conditions = Q()
    for tag in disk.tags:
        conditions &= has(StoragePoolTag.objects.filter(pool=OuterRef("pk"), tag=tag))
    return conditions or None


def _room(request: Request, disk: Disk) -> Q:
    return Q(used_bytes__lte=F("placement_bytes") - disk.size)


# What explanations count by; the pools that are left in the end are those that apps.storage names.
EXPLAINED = (
    PoolFilter("state", lambda request, disk: Q(state="Up"), lambda request, disk: "not Up"),
    PoolFilter(
        "hypervisor",
        lambda request, disk: Q(hypervisor__in=(request.hypervisor, pools.ANY)),
        lambda request, disk: f"not for {request.hypervisor}",
    ),
    PoolFilter("scope", _scope, lambda request, disk: "shared" if disk.is_local else "local"),
    PoolFilter("tags", _tags, lambda request, disk: f"without storage tags {', '.join(disk.tags)}"),
    PoolFilter("room", _room, lambda request, disk: f"with less than {disk.size / GIB:.3g} GiB left"),
)


def chain() -> tuple[PoolFilter, ...]:
    return EXPLAINED + added("pool_filters")
