"""The life of a volume: allocate, create on primary storage, resize, destroy, recover, expunge.

A volume that has a pool is promised its size there, whether its disk exists yet or not; who takes the pool away knows
that there is no disk. Expunging takes the row from its owner at once; the disk goes by a flow that does not give up.
"""

from typing import Any

from django.db.models import Q
from django.utils import timezone

from apps.core.errors import InvalidParameter, ResourceInUse, ResourceUnavailable
from apps.core.outcomes import Outcome
from apps.core.ownership import admit, count_again, release, resize, uncount
from apps.core.retry import atomically
from apps.hypervisors.base import DiskSpec, ImageSpec, PoolSpec
from apps.images.models import Template
from apps.images.services import copies
from apps.infrastructure.drivers import DEADLINE, driver_for
from apps.infrastructure.models import Host, Zone
from apps.offerings.models import DiskOffering
from apps.storage.models import Volume
from apps.storage.services import connecting, pool_limits, pool_urls, pools
from apps.storage.states import VOLUME

V = Volume.State
UNSETTLED = (V.CREATING, V.ATTACHING, V.RESIZING)


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
    """Make an allocated volume ready on primary storage: of ``host``, if it has no place yet and one is named."""
    if host is not None:
        pools.choose(volume, host)
    asked = host or reaching(volume)
    _request_creation(volume, asked)
    with CREATE.settle(volume, f"cannot create volume {volume.uuid}"):
        disks(volume, asked).create(spec(volume), within=DEADLINE)


@atomically
def _request_creation(volume: Volume, host: Host) -> None:
    VOLUME.fire(volume, "CreateRequested", via=host)
    pools.hold_in_service(volume)
    CREATE.ask(volume)


def _created(volume: Volume) -> None:
    if volume.state == V.CREATING:
        VOLUME.fire(volume, "OperationSucceeded", via=None)


def _not_created(volume: Volume) -> None:
    if volume.state == V.CREATING:
        VOLUME.fire(volume, "OperationFailed")
        pools.leave_pool(volume)


def _exists(volume: Volume) -> bool:
    return bool(asked_before(volume).exists(str(volume.uuid), within=DEADLINE, pool=pool_spec(volume)))


CREATE = Outcome("storage.create", "storage.Volume", ok=_created, refused=_not_created, observe=_exists)


leave_pool = pools.leave_pool  # for who makes the disks of a machine


def change_size(volume: Volume, size: int, host: Host | None = None, offering: DiskOffering | None = None) -> Volume:
    """Grow or shrink. A disk that exists is resized where it is, under a running machine too (``host`` is its host).
    ``offering`` is the volume's from then on.
    """
    if volume.state == V.ALLOCATED:
        _change_order(volume, size, offering)
        return volume
    asked = host or reaching(volume)
    _request_resize(volume, size, offering, asked)
    with RESIZE.settle(volume, f"cannot resize volume {volume.uuid}"):
        wanted = DiskSpec(str(volume.uuid), size, pool=pool_spec(volume))
        disks(volume, asked).resize(wanted, within=DEADLINE)
    return volume


@atomically
def _change_order(volume: Volume, size: int, offering: DiskOffering | None) -> None:
    """Nothing is there yet; what a pool has promised for it changes too."""
    row = Volume.all_tenants.select_for_update().filter(pk=volume.pk, state=V.ALLOCATED, size=volume.size).first()
    if row is None:
        raise ResourceInUse(f"id: volume {volume.uuid} was changed meanwhile")
    _promise(row, size - row.size)
    resize(volume, "size", size)
    set_offering(volume, offering)


def set_offering(volume: Volume, offering: DiskOffering | None) -> None:
    if offering is not None:
        volume.offering = offering
        volume.save(update_fields=["offering"])


def _promise(volume: Volume, by: int) -> None:
    if volume.pool is not None:
        pools.promise(volume, by, pool_limits.for_growth(volume.pool))


@atomically
def _request_resize(volume: Volume, size: int, offering: DiskOffering | None, host: Host) -> None:
    before = {"target_size": size, "settled_size": volume.size, "target_offering": offering, "via": host}
    VOLUME.fire(volume, "ResizeRequested", **before)
    pools.hold_in_service(volume)
    if size > volume.size:
        _promise(volume, size - volume.size)
        resize(volume, "size", size)
    RESIZE.ask(volume)


def _resized(volume: Volume) -> None:
    set_offering(volume, volume.target_offering)
    _settle_size(volume, volume.target_size, "OperationSucceeded")


def _not_resized(volume: Volume) -> None:
    _settle_size(volume, volume.settled_size, "OperationFailed")


def _settle_size(volume: Volume, size: int | None, event: str) -> None:
    if size is not None and size < volume.size:
        _promise(volume, size - volume.size)
        resize(volume, "size", size)
    VOLUME.fire(volume, event, target_size=None, settled_size=None, target_offering=None, via=None)


def _has_its_size(volume: Volume) -> bool:
    size = asked_before(volume).size(str(volume.uuid), within=DEADLINE, pool=pool_spec(volume))
    return bool(size == volume.target_size)


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
    if volume.state in UNSETTLED:
        raise InvalidParameter(f"id: volume {volume.uuid} is {volume.state}; it can be deleted when that has ended")
    is_blank = volume.state == V.ALLOCATED
    if VOLUME.allows(volume, "DestroyRequested"):
        VOLUME.fire(volume, "DestroyRequested", destroyed=timezone.now())
    VOLUME.fire(volume, "ExpungingRequested")
    release(volume)
    if is_blank:
        _wiped(volume)
    return not is_blank


def wipe(volume: Volume) -> None:
    """Ensure that the disk of a volume that was given up is gone. A step of flows: may run again at any point, and
    beside another that does the same.
    """
    if volume.state != V.EXPUNGING:
        return
    pools.check_in_service(volume)
    disks(volume).delete(str(volume.uuid), within=DEADLINE, pool=pool_spec(volume))
    _wiped(volume)


@atomically
def _wiped(volume: Volume) -> None:
    if Volume.including_removed.select_for_update().get(pk=volume.pk).state == V.EXPUNGED:
        return
    pools.leave_pool(volume)
    VOLUME.fire(volume, "OperationSucceeded")


@atomically
def abandon(volume: Volume) -> None:
    """Its storage is taken away, and the disk with it."""
    if volume.state != V.EXPUNGING:
        give_up(volume)
    _wiped(volume)


def ensure_free(volume: Volume) -> None:
    """Not attached, and no operation under way."""
    if hasattr(volume, "attachment"):
        raise InvalidParameter(f"id: volume {volume.uuid} is attached to an instance; detach it first")
    if volume.state not in (V.ALLOCATED, V.READY, V.DESTROY):
        raise InvalidParameter(f"id: volume {volume.uuid} is {volume.state}")
    if volume.delete_protection:
        raise InvalidParameter(f"id: volume {volume.uuid} is protected against deletion; see updateVolume")


def disks(volume: Volume, host: Host | None = None) -> Any:
    """The driver of a host that reaches the volume's primary storage: the machine's own, if that is known, or the one
    that was asked before and may still be at it, or any.
    """
    before = volume.via if volume.via and _answers(volume.via) else None
    return driver_for(host or before or reaching(volume)).disks


def asked_before(volume: Volume) -> Any:
    """For looking whether a call has had its effect: another host would not know that it is still under way."""
    if volume.via and volume.via.removed is None and not _answers(volume.via):
        raise ResourceUnavailable(f"host {volume.via.name}, which was asked about {volume}, is {volume.via.status}")
    return disks(volume)


def _answers(host: Host) -> bool:
    return host.removed is None and host.status == Host.Status.UP


def reaching(volume: Volume) -> Host:
    """Any host that is up and reaches the volume's storage."""
    host = (
        connecting.any_host(volume.pool) if volume.pool else connecting.spread(Q(zone=volume.zone_id, type="Routing"))
    )
    if host is None:
        raise ResourceUnavailable(f"no host is up that can reach the storage of volume {volume.uuid}")
    return host


def pool_spec(volume: Volume) -> PoolSpec | None:
    pool = volume.pool
    return pool_urls.spec(pool) if pool else None


def spec(volume: Volume, device_id: int | None = None) -> DiskSpec:
    """For a host. What is on storage in maintenance gets into no machine."""
    pools.check_in_service(volume)
    return DiskSpec(
        str(volume.uuid), volume.size, device_id, pool_spec(volume), image_spec(volume.template, volume.zone_id)
    )


def image_spec(template: Template | None, zone: int) -> ImageSpec | None:
    """Hosts read it where it lies in secondary storage."""
    if template is None:
        return None
    url, checksum = copies.source_of(template, zone)
    return ImageSpec(str(template.uuid), url, template.format, template.size_bytes, checksum)
