"""Zones."""

import secrets
from typing import Any

from apps.core.errors import InvalidParameter
from apps.core.models import Detail
from apps.core.retry import atomically
from apps.infrastructure import addresses, ports
from apps.infrastructure.models import Allocation, Host, PhysicalNetwork, Pod, Zone
from apps.infrastructure.services.places import hold, save_named

ADDRESSES = ("dns1", "dns2", "internal_dns1", "internal_dns2")


@atomically
def create(*, allocation_state: str = Allocation.DISABLED, **values: Any) -> Zone:
    _check(values)
    zone = Zone(token=secrets.token_hex(16), **values)
    save_named(zone)
    if allocation_state == Allocation.ENABLED:
        set_allocation(zone=zone, state=allocation_state)
    return zone


def _check(values: dict[str, Any]) -> None:
    for name in ADDRESSES:
        if values.get(name):
            addresses.address(values[name], name.replace("_", ""))
    if values.get("guest_cidr"):
        if values.get("network_type") == Zone.NetworkType.BASIC:
            raise InvalidParameter("guestcidraddress: a Basic zone has no guest networks of its own")
        addresses.cidr(values["guest_cidr"], "guestcidraddress")


@atomically
def update(*, zone: Zone, details: list[dict[str, str]] | None = None, is_public: bool = False, **values: Any) -> Zone:
    """``is_public`` ends that the zone is one domain's; it cannot begin here."""
    _check(values | {"network_type": zone.network_type})
    state = values.pop("allocation_state", None)
    if is_public:
        values["domain"] = None
    for name, value in values.items():
        setattr(zone, name, value)
    if values:
        save_named(zone, update_fields=list(values))
    for entry in details or ():
        which = Detail.objects.filter(kind="infrastructure.zone", row_id=zone.pk, name=entry.get("key", ""))
        if not which.update(value=entry.get("value", "")):
            Detail.objects.create(
                kind="infrastructure.zone", row_id=zone.pk, name=entry.get("key", ""), value=entry.get("value", "")
            )
    if state and state != zone.allocation_state:
        set_allocation(zone=zone, state=state)
    return zone


@atomically
def set_allocation(*, zone: Zone, state: str) -> None:
    zone.allocation_state = state
    zone.save(update_fields=["allocation_state"])
    if state == Allocation.ENABLED:
        for answer in ports.zone_enabled.all():
            answer(zone)


@atomically
def delete(*, zone: Zone) -> None:
    """Only an empty one: what is in it must be deleted first, and each of those deletions says what is in its way."""
    hold(zone)
    for model, word in ((Pod, "pods"), (Host, "hosts"), (PhysicalNetwork, "physical networks")):
        if model.all_tenants.filter(zone=zone).exists():
            raise InvalidParameter(f"id: zone {zone.name} still has {word}")
    ports.check_unused(zone)
    zone.mark_removed()
