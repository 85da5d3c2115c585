"""How large a machine is: the offering says it, or leaves it to the customer."""

from collections.abc import Mapping

from apps.compute.services import details
from apps.core.errors import InvalidParameter
from apps.infrastructure.models import Zone
from apps.offerings.models import ServiceOffering
from apps.offerings.selectors import is_offered_in

WIRE = {"cpus": "cpuNumber", "speed_mhz": "cpuSpeed", "memory_mib": "memory"}


def check_offering(offering: ServiceOffering, zone: Zone) -> None:
    if offering.is_system:
        raise InvalidParameter(f"serviceofferingid: {offering.name} is for machines of the system")
    if offering.state != "Active":
        raise InvalidParameter(f"serviceofferingid: offering {offering.name} is {offering.state}")
    if not is_offered_in(offering, zone):
        raise InvalidParameter(f"serviceofferingid: {offering.name} is not offered in zone {zone.name}")


def of(offering: ServiceOffering, given: Mapping[str, str]) -> dict[str, int]:
    """The columns ``cpus``, ``speed_mhz`` and ``memory_mib`` of a machine with this offering."""
    chosen = details.sizes(given)
    return {column: _size(offering, column, chosen.get(column)) for column in WIRE}


def _size(offering: ServiceOffering, column: str, chosen: int | None) -> int:
    fixed, wire = getattr(offering, column), WIRE[column]
    if fixed is not None:
        if chosen not in (None, fixed):
            raise InvalidParameter(f"details: offering {offering.name} has a fixed {wire}; leave it out")
        return int(fixed)
    if chosen is None:
        raise InvalidParameter(f"details: offering {offering.name} leaves {wire} to you; say it")
    least, most = getattr(offering, f"min_{column}", None), getattr(offering, f"max_{column}", None)
    if (least and chosen < least) or (most and chosen > most):
        bounds = f"from {least or 1} to {most}" if most else f"{least} or more"
        raise InvalidParameter(f"details: offering {offering.name} has a {wire} of {bounds}, not {chosen}")
    return chosen
