"""What customers order: data volumes, other sizes and offerings for them, and what is said about them."""

import uuid
from typing import Any

from apps.core.errors import InvalidParameter, PermissionDenied
from apps.infrastructure.models import Allocation, Host, Zone
from apps.offerings.models import DiskOffering
from apps.offerings.selectors import is_offered_in
from apps.storage.models import StoragePoolTag, Volume
from apps.storage.services import pools, removal, sizes, volumes

V = Volume.State


def order(
    *,
    owner: Any,
    zone: Zone | None,
    offering: DiskOffering | None,
    size: int | None,
    name: str,
    vm: Any = None,
    is_displayed: bool = True,
    by_root: bool = False,
) -> Volume:
    """``vm`` is a machine that it will be attached to: then it is made in the machine's zone."""
    if vm is not None:
        _check_machine(vm, owner, zone)
    place = zone or (vm.zone if vm is not None else None)
    if place is None:
        raise InvalidParameter("zoneid: say in which zone the volume shall be")
    if place.allocation_state != Allocation.ENABLED and not by_root:
        raise PermissionDenied(f"zoneid: zone {place.name} is disabled")
    check_offering(offering, place)
    amount = sizes.ordered_size(offering, size)
    name = name or f"VOL-{uuid.uuid4()}"
    return volumes.allocate(
        owner=owner, zone=place, name=name, size=amount, offering=offering, is_displayed=is_displayed
    )


def _check_machine(vm: Any, owner: Any, zone: Zone | None) -> None:
    if vm.owner_id != owner.pk:
        raise InvalidParameter("virtualmachineid: the instance belongs to another account than the volume")
    if zone is not None and vm.zone_id != zone.pk:
        raise InvalidParameter("virtualmachineid: the instance is in another zone than the volume")


def check_offering(offering: DiskOffering | None, zone: Zone) -> None:
    if offering is None:
        return
    if offering.state != "Active":
        raise InvalidParameter(f"diskofferingid: disk offering {offering.name} is {offering.state}")
    if not is_offered_in(offering, zone):
        raise InvalidParameter(f"diskofferingid: disk offering {offering.name} is not offered in zone {zone.name}")


def resize(
    *, volume: Volume, size: int | None = None, offering: DiskOffering | None = None, may_shrink: bool = False
) -> Volume:
    """Another size in GiB, or another offering and its size. A disk that exists is resized where it is."""
    vm = _machine_of(volume)
    amount = _new_size(volume, size, offering)
    if amount < volume.size:
        _check_shrinks(volume, amount, may_shrink, is_running=vm is not None and vm.state == "Running")
    if amount == volume.size:
        volumes.set_offering(volume, offering)
        return volume
    host: Host | None = vm.host if vm is not None and vm.state == "Running" else None
    return volumes.change_size(volume, amount, host, offering)


def _machine_of(volume: Volume) -> Any:
    """The machine that it is in, if any; both must stand still."""
    if volume.state not in (V.ALLOCATED, V.READY):
        raise InvalidParameter(f"id: volume {volume.uuid} is {volume.state}: it is resized when it is Ready")
    held = getattr(volume, "attachment", None)
    if held is not None and held.vm.state not in ("Running", "Stopped"):
        raise InvalidParameter(f"id: the instance of volume {volume.uuid} is {held.vm.state}; try again later")
    return held.vm if held is not None else None


def _new_size(volume: Volume, size: int | None, offering: DiskOffering | None) -> int:
    if offering is not None:
        _check_fits(volume, offering)
    elif size is None:
        raise InvalidParameter("size: say the new size in GiB, or name another disk offering")
    elif volume.offering is not None and not volume.offering.customized:
        text = f"size: disk offering {volume.offering.name} has a size of its own; name another one with diskofferingid"
        raise InvalidParameter(text)
    if volume.offering is not None and volume.offering.size_strictness:
        raise InvalidParameter(f"id: volumes of disk offering {volume.offering.name} are not resized")
    amount = sizes.ordered_size(offering or volume.offering, size)
    if volume.template is not None and amount < volume.template.size_bytes:
        raise InvalidParameter(f"size: template {volume.template.name} needs {volume.template.size_bytes} bytes")
    return amount


def _check_fits(volume: Volume, offering: DiskOffering) -> None:
    """The volume stays where it is, so the new offering may ask for nothing that its storage has not."""
    if volume.kind == Volume.Kind.ROOT and volume.offering is None:
        raise InvalidParameter("diskofferingid: the size of a root disk changes by size")
    check_offering(offering, volume.zone)
    if volume.pool is None:
        return
    wish = pools.wish_of(volume, offering)
    there = set(StoragePoolTag.objects.filter(pool=volume.pool).values_list("tag", flat=True))
    if wish.is_local != volume.pool.is_local or not there.issuperset(wish.tags):
        raise InvalidParameter(f"diskofferingid: {offering.name} wants other storage than the volume lies on")


def _check_shrinks(volume: Volume, size: int, is_allowed: bool, *, is_running: bool) -> None:
    if not is_allowed:
        text = f"shrinkok: volume {volume.uuid} would shrink from {volume.size} to {size} bytes; say true if it shall"
        raise InvalidParameter(text)
    if is_running and volume.state == V.READY:
        raise InvalidParameter("shrinkok: a volume shrinks while its instance is stopped, or while it is in none")


def update(*, volume: Volume | None, changes: dict[str, Any]) -> Volume:
    if volume is None:
        raise InvalidParameter("id: say which volume")
    if not changes:
        raise InvalidParameter("say what shall change: name, displayvolume or deleteprotection")
    if changes.get("name", "x").strip() == "":
        raise InvalidParameter("name: a volume has a name")
    for name, value in changes.items():
        setattr(volume, name, value)
    volume.save(update_fields=list(changes))
    return volume


def take_back(volume: Volume) -> None:
    """An order that failed leaves nothing, unless it may have had its effect: then the volume stays as it turns out."""
    if volume.state == V.ATTACHING or hasattr(volume, "attachment") or volumes.CREATE.is_open(volume):
        return
    removal.give_up(volume)
