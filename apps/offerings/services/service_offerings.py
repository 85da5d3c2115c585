"""Compute offerings: sizes of machines, fixed or within bounds that the customer chooses in."""

from collections.abc import Mapping
from typing import Any

from apps.core.errors import InvalidParameter
from apps.core.settings import Setting
from apps.offerings.models import ServiceOffering
from apps.offerings.services import offerings
from apps.offerings.services.places import Places, comma_list

MOST_CPUS = Setting("vm.serviceoffering.cpu.cores.max", 0, help_text="CPUs of a compute offering at most; 0: any.")
MOST_MEMORY = Setting("vm.serviceoffering.ram.size.max", 0, help_text="MiB of a compute offering at most; 0: any.")
SIZES = {"cpus": "cpunumber", "speed_mhz": "cpuspeed", "memory_mib": "memory"}
BOUNDS = {"cpus": ("mincpunumber", "maxcpunumber"), "memory_mib": ("minmemory", "maxmemory")}
ROUTER = "domainrouter"


def create(*, places: Places, details: Mapping[str, str], customized: bool | None = None, **given: Any) -> Any:
    sizes = {name: given.pop(name, None) for name in SIZES}
    custom = sizes["cpus"] is None and sizes["memory_mib"] is None if customized is None else customized
    bounds = {n: given.get(n) for n in ("min_cpus", "max_cpus", "min_memory_mib", "max_memory_mib")}
    if custom:
        _check_custom(sizes, bounds)
    else:
        _check_fixed(sizes, bounds)
    _check_largest(sizes, bounds)
    _check_system(given)
    for name in ("host_tags", "storage_tags"):
        given[name] = comma_list(name.replace("_", ""), given.get(name, ""))
    offerings.checked_details("serviceofferingdetails", details)
    return offerings.insert(ServiceOffering(customized=custom, **sizes, **given), places, details)


def _check_fixed(sizes: Mapping[str, int | None], bounds: Mapping[str, int | None]) -> None:
    for column, wire in SIZES.items():
        if sizes[column] is None:
            raise InvalidParameter(f"{wire}: an offering of a fixed size has cpunumber, cpuspeed and memory")
    if any(value is not None for value in bounds.values()):
        raise InvalidParameter("mincpunumber, maxcpunumber, minmemory and maxmemory are for customized offerings")


def _check_custom(sizes: Mapping[str, int | None], bounds: Mapping[str, int | None]) -> None:
    if sizes["cpus"] is not None or sizes["memory_mib"] is not None:
        raise InvalidParameter("customized: cpunumber and memory are the customer's choice, leave them out")
    for column, (low, high) in BOUNDS.items():
        least, most = bounds[f"min_{column}"], bounds[f"max_{column}"]
        if (least is None) != (most is None):
            raise InvalidParameter(f"{low} and {high} are given together")
        if least is not None and most is not None and least > most:
            raise InvalidParameter(f"{low} {least} is more than {high} {most}")


def _check_largest(sizes: Mapping[str, int | None], bounds: Mapping[str, int | None]) -> None:
    for column, wire, setting in (("cpus", "cpunumber", MOST_CPUS), ("memory_mib", "memory", MOST_MEMORY)):
        most, largest = setting.value(), max(sizes[column] or 0, bounds[f"max_{column}"] or 0)
        if most and largest > most:
            raise InvalidParameter(f"{wire}: {largest} is more than the {most} that {setting.name} allows")


def _check_system(given: Mapping[str, Any]) -> None:
    kind = given.get("system_vm_type", "")
    if given.get("is_system") and not kind:
        raise InvalidParameter("systemvmtype: say for which machines of the system the offering is")
    if kind and not given.get("is_system"):
        raise InvalidParameter("systemvmtype is only for offerings with issystem=true")
    if kind and kind != ROUTER and given.get("network_rate_mbps") is not None:
        raise InvalidParameter(f"networkrate: machines of the type {kind} have none")


def update(*, offering: ServiceOffering, places: Places, **changes: Any) -> ServiceOffering:
    for name in ("host_tags", "storage_tags"):
        if name in changes:
            changes[name] = comma_list(name.replace("_", ""), changes[name])
    return offerings.change(offering=offering, places=places, **changes)


def remove(*, offering: ServiceOffering) -> None:
    if offering.is_default_use:
        raise InvalidParameter(f"id: {offering.name} is what the machines of the system are made of")
    offerings.remove(offering=offering)
