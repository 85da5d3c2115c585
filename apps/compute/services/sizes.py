"""How large a machine is: the offering says it, or leaves it to the customer."""

from collections.abc import Mapping

from apps.compute.services import details
from apps.core.errors import InvalidParameter
from apps.infrastructure.models import Zone
from apps.offerings.models import ServiceOffering

WIRE = {"cpus": "cpuNumber", "speed_mhz": "cpuSpeed", "memory_mib": "memory"}


def check_offering(offering: ServiceOffering, zone: Zone) -> None:
    if offering.is_system:
        raise InvalidParameter(f"serviceofferingid: {offering.name} is for machines of the system")
    if offering.state != "Active":
        raise InvalidParameter(f"serviceofferingid: offering {offering.name} is {offering.state}")
    if offering.zone_id and offering.zone_id != zone.pk:
        raise InvalidParameter(f"serviceofferingid: {offering.name} is not offered in zone {zone.name}")


def of(offering: ServiceOffering, given: Mapping[str, str]) -> dict[str, int]:
    """The columns ``cpus``, ``speed_mhz`` and ``memory_mib`` of a machine with this offering."""
    chosen, values = details.sizes(given), {}
    for column, wire in WIRE.items():
        fixed = getattr(offering, column)
        if fixed is None and column not in chosen:
            raise InvalidParameter(f"details: offering {offering.name} leaves {wire} to you; say it")
        if fixed is not None and column in chosen and chosen[column] != fixed:
            raise InvalidParameter(f"details: offering {offering.name} has a fixed {wire}; leave it out")
        values[column] = chosen[column] if fixed is None else fixed
    return values
