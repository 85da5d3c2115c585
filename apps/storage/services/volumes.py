"""The life of a volume: allocate, create on primary storage, expunge."""

from typing import Any

from apps.core.errors import ResourceUnavailable
from apps.core.outcomes import Outcome
from apps.core.ownership import admit, release
from apps.core.retry import atomically
from apps.hypervisors.base import DiskSpec
from apps.infrastructure.drivers import DEADLINE, driver_for
from apps.infrastructure.models import Host, Zone
from apps.storage.models import Volume
from apps.storage.states import VOLUME

V = Volume.State


def allocate(*, owner: Any, zone: Zone, name: str, size: int, kind: str = Volume.Kind.DATADISK) -> Volume:
    """As in CloudStack a data disk is only a row until it is attached: then the pool is known."""
    return admit(Volume, owner, name=name, zone=zone, size=size, kind=kind)


def create_disk(volume: Volume) -> None:
    """Make an allocated volume ready on primary storage."""
    _request_creation(volume)
    with CREATE.settle(volume, f"cannot create volume {volume.uuid}"):
        disks(volume).create(spec(volume), within=DEADLINE)


@atomically
def _request_creation(volume: Volume) -> None:
    VOLUME.fire(volume, "CreateRequested")
    CREATE.ask(volume)


def _created(volume: Volume) -> None:
    VOLUME.fire(volume, "OperationSucceeded")


def _not_created(volume: Volume) -> None:
    VOLUME.fire(volume, "OperationFailed")


def _exists(volume: Volume) -> bool:
    return disks(volume).exists(str(volume.uuid), within=DEADLINE)


CREATE = Outcome("storage.create", "storage.Volume", ok=_created, refused=_not_created, observe=_exists)


def expunge(volume: Volume) -> None:
    """Ensure the volume is gone, on primary storage and as a row. A step of flows: may run again at any point."""
    if VOLUME.allows(volume, "DestroyRequested"):
        VOLUME.fire(volume, "DestroyRequested")
    VOLUME.fire(volume, "ExpungingRequested")
    disks(volume).delete(str(volume.uuid), within=DEADLINE)
    _expunged(volume)


@atomically
def _expunged(volume: Volume) -> None:
    VOLUME.fire(volume, "OperationSucceeded")
    release(volume)


def disks(volume: Volume) -> Any:
    """Any host of the zone reaches its primary storage."""
    host = Host.all_tenants.filter(zone=volume.zone_id, status="Up", type="Routing").first()
    if host is None:
        raise ResourceUnavailable(f"no host can reach the storage of zone {volume.zone_id}")
    return driver_for(host).disks


def spec(volume: Volume, device_id: int | None = None) -> DiskSpec:
    return DiskSpec(uuid=str(volume.uuid), size=volume.size, device_id=device_id)
