"""Primary storage that could hold a disk, and the promise of its size there."""

from collections.abc import Collection, Sequence

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from apps.core.retry import atomically
from apps.storage.models import StoragePool, StoragePoolTag, Volume


def candidates(
    zone_id: int,
    hypervisor: str,
    size: int,
    tags: Sequence[str],
    cluster_id: int | None = None,
    host_id: int | None = None,
    local: bool = False,
    avoid: Collection[int] = (),
) -> QuerySet[StoragePool]:
    """Pools with room and all the tags that the cluster or, for local storage, the host reaches: the emptiest first."""
    room = Q(used_bytes__lte=F("capacity_bytes") - size)
    rows = StoragePool.all_tenants.filter(room, zone=zone_id, state="Up", hypervisor__in=(hypervisor, "Any"))
    rows = rows.filter(scope="HOST") if local else rows.exclude(scope="HOST")
    if local and host_id:
        rows = rows.filter(host=host_id)
    if not local and cluster_id:
        rows = rows.filter(Q(cluster=cluster_id) | Q(cluster=None))
    for tag in tags:
        rows = rows.filter(Exists(StoragePoolTag.objects.filter(pool=OuterRef("pk"), tag=tag)))
    if avoid:
        rows = rows.exclude(pk__in=avoid)
    return rows.order_by("used_bytes", "pk")


@atomically
def take(volume: Volume, pool: StoragePool) -> bool:
    """Promise the volume its size there, if there is room; a volume that is there already has it."""
    if volume.pool_id:
        return volume.pool_id == pool.pk
    room = StoragePool.all_tenants.filter(pk=pool.pk, state="Up", used_bytes__lte=F("capacity_bytes") - volume.size)
    if not room.kernel_update(used_bytes=F("used_bytes") + volume.size):
        return False
    Volume.all_tenants.filter(pk=volume.pk).kernel_update(pool=pool)
    volume.pool = pool
    return True
