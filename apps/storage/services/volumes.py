"""The life of a volume: allocate, create on primary storage, resize, destroy, recover, expunge.

A volume that has a pool is promised its size there, whether its disk exists yet or not; who takes the pool away knows
that there is no disk. Expunging takes the row from its owner at once; the disk goes by a flow that does not give up.
"""

from typing import Any

from django.db.models import F
from django.utils import timezone

from apps.core.errors import InvalidParameter, ResourceUnavailable
from apps.core.outcomes import Outcome
from apps.core.ownership import admit, count_again, release, resize, uncount
from apps.core.retry import atomically
from apps.hypervisors.base import DiskSpec, ImageSpec, PoolSpec
from apps.images.models import Template
from apps.infrastructure.drivers import DEADLINE, driver_for
from apps.infrastructure.models import Host, Zone
from apps.offerings.models import DiskOffering
from apps.storage.models import StoragePool, Volume
from apps.storage.states import VOLUME

V = Volume.State


def allocate(
    *,
    owner: Any,
    zone: Zone,
    name: str,
    size: int,
    kind: str = Volume.Kind.DATADISK,
    offering: DiskOffering | None = None,
    template: Template | None = None,
    **more: Any,
) -> Volume:
    """As in CloudStack a disk is only a row until it is attached or its machine starts: then the pool is known."""
    values = {"offering": offering, "template": template, "is_counted": not more.get("is_system", False), **more}
    return admit(Volume, owner, name=name, zone=zone, size=size, kind=kind, **values)


def create_disk(volume: Volume, host: Host | None = None) -> None:
    """Make an allocated volume ready on primary storage."""
    _request_creation(volume)
    with CREATE.settle(volume, f"cannot create volume {volume.uuid}"):
        disks(volume, host).create(spec(volume), within=DEADLINE)


@atomically
def _request_creation(volume: Volume) -> None:
    VOLUME.fire(volume, "CreateRequested")
    CREATE.ask(volume)


def _created(volume: Volume) -> None:
    VOLUME.fire(volume, "OperationSucceeded")


def _not_created(volume: Volume) -> None:
    VOLUME.fire(volume, "OperationFailed")
    leave_pool(volume)


def _exists(volume: Volume) -> bool:
    return disks(volume).exists(str(volume.uuid), within=DEADLINE)


CREATE = Outcome("storage.create", "storage.Volume", ok=_created, refused=_not_created, observe=_exists)


@atomically
def leave_pool(volume: Volume) -> None:
    """Give back what the pool has promised; once, however often this is called."""
    pool = volume.pool_id
    if pool and Volume.including_removed.filter(pk=volume.pk, pool=pool).kernel_update(pool=None, path=""):
        StoragePool.including_removed.filter(pk=pool).kernel_update(used_bytes=F("used_bytes") - volume.size)
    volume.pool, volume.path = None, ""


@atomically
def promise(volume: Volume, by: int) -> None:
    """More or, with a negative ``by``, less of its pool."""
    if not volume.pool_id:
        return
    pool = StoragePool.including_removed.filter(pk=volume.pool_id)
    if by > 0:
        pool = pool.filter(used_bytes__lte=F("capacity_bytes") - by)
    if not pool.kernel_update(used_bytes=F("used_bytes") + by):
        text = f"primary storage has no room for {by} bytes more of volume {volume.uuid}"
        raise ResourceUnavailable(text, tenant=text)


def change_size(volume: Volume, size: int, host: Host | None = None) -> Volume:
    """Grow or shrink. A disk that exists is resized where it is, under a running machine too (``host`` is its host)."""
    if volume.state == V.ALLOCATED:
        resize(volume, "size", size)
        return volume
    _request_resize(volume, size)
    with RESIZE.settle(volume, f"cannot resize volume {volume.uuid}"):
        wanted = DiskSpec(str(volume.uuid), size, pool=pool_spec(volume))
        disks(volume, host).resize(wanted, within=DEADLINE)
    return volume


@atomically
def _request_resize(volume: Volume, size: int) -> None:
    VOLUME.fire(volume, "ResizeRequested", target_size=size, settled_size=volume.size)
    if size > volume.size:
        promise(volume, size - volume.size)
        resize(volume, "size", size)
    RESIZE.ask(volume)


def _resized(volume: Volume) -> None:
    _settle_size(volume, volume.target_size, "OperationSucceeded")


def _not_resized(volume: Volume) -> None:
    _settle_size(volume, volume.settled_size, "OperationFailed")


def _settle_size(volume: Volume, size: int | None, event: str) -> None:
    if size is not None and size < volume.size:
        promise(volume, size - volume.size)
        resize(volume, "size", size)
    VOLUME.fire(volume, event, target_size=None, settled_size=None)


def _has_its_size(volume: Volume) -> bool:
    return bool(disks(volume).size(str(volume.uuid), within=DEADLINE) == volume.target_size)


RESIZE = Outcome("storage.resize", "storage.Volume", ok=_resized, refused=_not_resized, observe=_has_its_size)


@atomically
def destroy(volume: Volume) -> None:
    """Put the volume aside: it counts nothing and can be recovered until the cleanup expunges it."""
    VOLUME.fire(volume, "DestroyRequested", destroyed=timezone.now())
    uncount(volume)


@atomically
def recover(volume: Volume) -> None:
    VOLUME.fire(volume, "RecoverRequested", destroyed=None)
    count_again(volume)


@atomically
def give_up(volume: Volume) -> bool:
    """Take the volume from its owner for good. True if a disk is left that has to go from primary storage."""
    is_blank = volume.state == V.ALLOCATED
    if VOLUME.allows(volume, "DestroyRequested"):
        VOLUME.fire(volume, "DestroyRequested", destroyed=timezone.now())
    VOLUME.fire(volume, "ExpungingRequested")
    release(volume)
    if is_blank:
        _wiped(volume)
    return not is_blank


def wipe(volume: Volume) -> None:
    """Ensure that the disk of a volume that was given up is gone. A step of flows: may run again at any point."""
    if volume.state != V.EXPUNGING:
        return
    disks(volume).delete(str(volume.uuid), within=DEADLINE)
    _wiped(volume)


@atomically
def _wiped(volume: Volume) -> None:
    leave_pool(volume)
    VOLUME.fire(volume, "OperationSucceeded")


def expunge(volume: Volume) -> None:
    """Both at once, for flows that take down many."""
    if volume.state != V.EXPUNGING and not give_up(volume):
        return
    wipe(volume)


def ensure_free(volume: Volume) -> None:
    """Not attached, and no operation under way."""
    if hasattr(volume, "attachment"):
        raise InvalidParameter(f"id: volume {volume.uuid} is attached to an instance; detach it first")
    if volume.state not in (V.ALLOCATED, V.READY, V.DESTROY):
        raise InvalidParameter(f"id: volume {volume.uuid} is {volume.state}")
    if volume.delete_protection:
        raise InvalidParameter(f"id: volume {volume.uuid} is protected against deletion; see updateVolume")


def disks(volume: Volume, host: Host | None = None) -> Any:
    """The driver of a host that reaches the volume's primary storage: the machine's own, if that is known."""
    return driver_for(host or _reaching(volume)).disks


def _reaching(volume: Volume) -> Host:
    hosts = Host.all_tenants.filter(zone=volume.zone_id, status="Up", type="Routing")
    if volume.pool and volume.pool.host_id:
        hosts = hosts.filter(pk=volume.pool.host_id)
    elif volume.pool and volume.pool.cluster_id:
        hosts = hosts.filter(cluster=volume.pool.cluster_id)
    host = hosts.order_by("pk").first()
    if host is None:
        raise ResourceUnavailable(f"no host is up that can reach the storage of volume {volume.uuid}")
    return host


def pool_spec(volume: Volume) -> PoolSpec | None:
    pool = volume.pool
    return PoolSpec(str(pool.uuid), pool.type, pool.url) if pool else None


def spec(volume: Volume, device_id: int | None = None) -> DiskSpec:
    return DiskSpec(str(volume.uuid), volume.size, device_id, pool_spec(volume), image_spec(volume.template))


def image_spec(template: Template | None) -> ImageSpec | None:
    if template is None:
        return None
    return ImageSpec(str(template.uuid), template.url, template.format, template.size_bytes)
