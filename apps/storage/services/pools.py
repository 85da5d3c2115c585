"""Which primary storage a disk goes to. Looking is pure and one query; taking is one conditional UPDATE, exact under
any concurrency, and gives the same answer when it is repeated.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from apps.core.errors import InsufficientCapacity, ResourceUnavailable
from apps.core.prepared import changed
from apps.core.retry import atomically
from apps.infrastructure.models import Host
from apps.storage.models import StoragePool, StoragePoolTag, Volume

CANDIDATES = 10
ANY = "Any"  # hypervisor of a pool of a zone that all of them use
P, V = StoragePool.State, Volume.State
IN_SERVICE = (P.UP, P.DISABLED)  # a disabled pool gets nothing new, what is there goes on


@dataclass(frozen=True)
class Wish:
    """What a disk asks of its pool. ``tags`` must all be there; a pool may have more."""

    size: int
    tags: tuple[str, ...] = ()
    is_local: bool = False


def wish_of(volume: Volume, offering: Any = None) -> Wish:
    """``offering`` is what says tags and storage type: of a root disk the compute offering, else the disk's own."""
    said = offering or volume.offering
    if said is None:
        return Wish(volume.size)
    return Wish(volume.size, tuple(split(said.storage_tags)), said.storage_type == "local")


def split(tags: str) -> list[str]:
    return sorted({tag.strip() for tag in tags.split(",") if tag.strip()})


def candidates(wish: Wish, host: Host, avoid: Iterable[int] = ()) -> QuerySet[StoragePool]:
    """The pools that this host reaches and that could take the disk, the least promised first; at most ``CANDIDATES``.

    Up, of the host's hypervisor, with all tags, and with room under over-provisioning and thresholds. A local disk goes
    to storage of the host alone, a shared one to that of its cluster or zone. One query by the index of places, however
    many pools there are; ``avoid`` are keys of pools that failed before. Nothing is promised by looking: see ``take``.
    """
    rows = fitting(wish).filter(place__in=places(host, wish.is_local), hypervisor__in=(host.hypervisor, ANY))
    return rows.exclude(pk__in=list(avoid)).order_by("used_bytes", "pk")[:CANDIDATES]


def fitting(wish: Wish) -> QuerySet[StoragePool]:
    """Up, with the tags and with room, wherever: for a placement that looks for clusters before it has a host."""
    rows = StoragePool.all_tenants.filter(state=P.UP, used_bytes__lte=F("placement_bytes") - wish.size)
    for tag in wish.tags:
        rows = rows.filter(Exists(StoragePoolTag.objects.filter(pool=OuterRef("pk"), tag=tag)))
    return rows


def places(host: Host, is_local: bool) -> list[str]:
    """As ``StoragePool.place`` has them."""
    return [f"host:{host.pk}"] if is_local else [f"cluster:{host.cluster_id}", f"zone:{host.zone_id}"]


def reaches(pool: StoragePool) -> Q:
    """The hosts that reach it."""
    if pool.host_id or pool.cluster_id:
        found = Q(pk=pool.host_id) if pool.host_id else Q(cluster=pool.cluster_id)
    else:
        found = Q(zone=pool.zone_id)
    return found if pool.hypervisor == ANY else found & Q(hypervisor=pool.hypervisor)


@atomically
def take(volume: Volume, pool: StoragePool, via: Host | None = None) -> bool:
    """Promise the volume its size on this pool. True: it is promised there, by this call or by an earlier one. False:
    nothing has changed, because the pool has no room any more or is not Up, because the volume has a place on another
    pool, or because it is gone; try the next candidate, or look where the volume is.

    ``volume`` says the truth afterwards. ``via`` is the host that will be asked to make the disk, if that is known: who
    looks later whether the disk is there asks the same one. Whoever takes and does not use it calls ``leave_pool``.
    """
    row = Volume.all_tenants.select_for_update().filter(pk=volume.pk).first()
    if row is None or row.state in (V.DESTROY, V.EXPUNGING, V.EXPUNGED):
        return False
    if row.pool_id is None:
        room = StoragePool.all_tenants.filter(pk=pool.pk, state=P.UP, used_bytes__lte=F("placement_bytes") - row.size)
        if not room.kernel_update(used_bytes=F("used_bytes") + row.size):
            return False
        changed(Volume, {"pk": row.pk, "removed": None}, {"pool": pool, "path": str(row.uuid)})
    elif row.pool_id != pool.pk:
        volume.pool, volume.path = row.pool, row.path
        return False
    if via is not None:
        changed(Volume, {"pk": row.pk, "removed": None}, {"via": via})
        volume.via = via
    volume.pool, volume.path = pool, str(row.uuid)
    return True


def choose(volume: Volume, host: Host, offering: Any = None, avoid: Iterable[int] = ()) -> StoragePool:
    """The pool that has promised the volume its size: where it is already, or the first candidate that takes it. Raises
    InsufficientCapacity, with nothing promised, if there is none that this host reaches. A promise for a disk that was
    never made is left where the host cannot use it.
    """
    if volume.pool is not None and volume.state == V.ALLOCATED and not _is_usable(volume.pool, host):
        leave_pool(volume)
    if volume.pool_id is None:
        for pool in candidates(wish_of(volume, offering), host, avoid):
            if take(volume, pool, via=host) or volume.pool_id:
                break
    if volume.pool is None:
        text = f"no primary storage that host {host.name} reaches has room for {volume.size} bytes with these tags"
        raise InsufficientCapacity(text)
    return volume.pool


def _is_usable(pool: StoragePool, host: Host) -> bool:
    return pool.state in IN_SERVICE and Host.all_tenants.filter(reaches(pool), pk=host.pk).exists()


@atomically
def leave_pool(volume: Volume) -> None:
    """Give back what the pool has promised; once, however often this is called."""
    row = Volume.including_removed.select_for_update().get(pk=volume.pk)
    if row.pool_id:
        Volume.including_removed.filter(pk=row.pk).kernel_update(pool=None, path="", via=None)
        StoragePool.including_removed.filter(pk=row.pool_id).kernel_update(used_bytes=F("used_bytes") - row.size)
    volume.pool, volume.path, volume.via = None, "", None


@atomically
def promise(volume: Volume, by: int, limit: int) -> None:
    """More or, with a negative ``by``, less of its pool; more only up to ``limit`` promised bytes of all volumes."""
    if not volume.pool_id:
        return
    pool = StoragePool.including_removed.filter(pk=volume.pool_id)
    if by > 0:
        pool = pool.filter(state__in=IN_SERVICE, used_bytes__lte=limit - by)
    if not pool.kernel_update(used_bytes=F("used_bytes") + by):
        text = f"primary storage has no room for {by} bytes more of volume {volume.uuid}"
        raise ResourceUnavailable(text, tenant=text)


def hold_in_service(volume: Volume) -> None:
    """In the transaction that says that a disk is worked on: maintenance begins after it and sees it, or before."""
    if volume.pool_id:
        pool = StoragePool.all_tenants.select_for_update().get(pk=volume.pool_id)
        _check_in_service(volume, pool)


def check_in_service(volume: Volume) -> None:
    """Nothing is done to disks on storage in maintenance: it may be switched off. ``volume`` was read just now: whoever
    starts a machine says first that it does, and looks here then; so either maintenance sees that, or we see it.
    """
    if volume.pool is not None:
        _check_in_service(volume, volume.pool)


def _check_in_service(volume: Volume, pool: StoragePool) -> None:
    if pool.state not in IN_SERVICE:
        text = f"the storage of volume {volume.uuid} is not in service now; try again later"
        raise ResourceUnavailable(text, tenant=text)
