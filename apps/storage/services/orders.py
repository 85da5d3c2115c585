"""What a customer orders on its own: data volumes, and later changes of their names."""

import uuid
from typing import Any

from apps.core.errors import InvalidParameter, PermissionDenied
from apps.infrastructure.models import Allocation, Zone
from apps.offerings.models import DiskOffering
from apps.storage.models import Volume
from apps.storage.services import sizes, volumes


def order(
    *,
    owner: Any,
    zone: Zone | None,
    offering: DiskOffering | None,
    size: int | None,
    name: str,
    is_displayed: bool = True,
) -> Volume:
    if zone is None:
        raise InvalidParameter("zoneid: say in which zone the volume shall be")
    if zone.allocation_state != Allocation.ENABLED:
        raise PermissionDenied(f"zoneid: zone {zone.name} is disabled")
    check_offering(offering, zone)
    amount = sizes.ordered_size(offering, size)
    name = name or f"VOL-{uuid.uuid4()}"
    return volumes.allocate(
        owner=owner, zone=zone, name=name, size=amount, offering=offering, is_displayed=is_displayed
    )


def check_offering(offering: DiskOffering | None, zone: Zone) -> None:
    if offering is None:
        return
    if offering.state != "Active":
        raise InvalidParameter(f"diskofferingid: disk offering {offering.name} is {offering.state}")
    if offering.zone_id and offering.zone_id != zone.pk:
        raise InvalidParameter(f"diskofferingid: disk offering {offering.name} is not offered in zone {zone.name}")


def update(*, volume: Volume, changes: dict[str, Any]) -> Volume:
    if not changes:
        raise InvalidParameter("say what shall change: name, displayvolume or deleteprotection")
    if changes.get("name") == "":
        raise InvalidParameter("name: a volume has a name")
    for name, value in changes.items():
        setattr(volume, name, value)
    volume.save(update_fields=list(changes))
    return volume
