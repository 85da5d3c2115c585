"""Network offerings: which services a network has, from whom."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apps.core.errors import InvalidParameter, ResourceInUse
from apps.offerings import network_services as known
from apps.offerings.models import NetworkOffering, Offering, ServiceOffering
from apps.offerings.ports import in_use
from apps.offerings.services import offerings
from apps.offerings.services.places import Places, comma_list

ISOLATED, SHARED, L2 = "Isolated", "Shared", "L2"
Records = Iterable[Mapping[str, str]]


def create(
    *,
    places: Places,
    details: Mapping[str, str],
    supported: Sequence[str] = (),
    providers: Records = (),
    capabilities: Records = (),
    enable: bool = False,
    **given: Any,
) -> NetworkOffering:
    for_vpc = given.get("for_vpc", False)
    services = _services(supported, providers, for_vpc)
    chosen = known.capabilities_of(services, capabilities)
    _check_kind(given, services)
    _check_shared(given, services)
    check_router_offering(given.get("service_offering"))
    given["tags"] = comma_list("tags", given.get("tags", ""))
    offerings.checked_details("details", details)
    state = "Enabled" if enable else "Disabled"
    row = NetworkOffering(services=services, capabilities=chosen, state=state, **given)
    return offerings.insert(row, places, details)


def _services(supported: Sequence[str], providers: Records, for_vpc: bool) -> known.Services:
    """A network with source NAT has the gateway of the same provider, also where nobody says so."""
    allowed = known.OF_VPCS if for_vpc else [name for name in known.PROVIDERS if name != "VpcVirtualRouter"]
    services = known.services_of(supported, providers, allowed=allowed)
    if "SourceNat" in services and "Gateway" not in services:
        services["Gateway"] = list(services["SourceNat"])
    for name in ("SourceNat", "Gateway", "Dhcp", "Dns", "UserData", "Firewall", "NetworkACL", "SecurityGroup"):
        if len(services.get(name, ())) > 1:
            raise InvalidParameter(f"serviceproviderlist: {name} has one provider, not {len(services[name])}")
    return services


def _check_kind(given: Mapping[str, Any], services: known.Services) -> None:
    kind = given["guest_ip_type"]
    if kind != ISOLATED and given.get("for_vpc"):
        raise InvalidParameter(f"forvpc: tiers of VPCs are Isolated, not {kind}")
    if kind != ISOLATED and "SourceNat" in services:
        raise InvalidParameter(f"supportedservices: a network of the type {kind} has no SourceNat")
    if kind == L2 and services.keys() - {"UserData"}:
        raise InvalidParameter("supportedservices: a network of the type L2 has UserData at most")
    if kind == SHARED and given.get("is_persistent"):
        raise InvalidParameter("ispersistent: networks of the type Shared always are")
    if given.get("availability") == "Required" and (kind != ISOLATED or "SourceNat" not in services):
        raise InvalidParameter("availability: only Isolated offerings with SourceNat can be Required")
    if given.get("for_vpc") and "Firewall" in services:
        raise InvalidParameter("supportedservices: tiers of VPCs have NetworkACL in place of Firewall")
    if not given.get("for_vpc") and "NetworkACL" in services:
        raise InvalidParameter("supportedservices: NetworkACL is for tiers of VPCs")
    if "SecurityGroup" in services and kind != SHARED:
        raise InvalidParameter("supportedservices: SecurityGroup is for networks of the type Shared")


def _check_shared(given: Mapping[str, Any], services: known.Services) -> None:
    if given["guest_ip_type"] == SHARED:
        for column, wire in (("specify_vlan", "specifyvlan"), ("specify_ip_ranges", "specifyipranges")):
            if not given.get(column):
                raise InvalidParameter(f"{wire}: must be true for networks of the type Shared")
    elif given.get("specify_ip_ranges") and ("SourceNat" in services or given["guest_ip_type"] == L2):
        raise InvalidParameter("specifyipranges: the network gets its addresses by itself")


def check_router_offering(offering: ServiceOffering | None) -> None:
    if offering is not None and offering.system_vm_type != "domainrouter":
        raise InvalidParameter(f"serviceofferingid: {offering.name} is no offering for virtual routers")


def update(*, offering: NetworkOffering, places: Places, **changes: Any) -> NetworkOffering:
    if "tags" in changes:
        changes["tags"] = comma_list("tags", changes["tags"])
    if changes.get("availability") == "Required" and "SourceNat" not in offering.services:
        raise InvalidParameter("availability: only Isolated offerings with SourceNat can be Required")
    return offerings.change(offering=offering, places=places, **changes)


def remove(*, offering: NetworkOffering) -> None:
    if offering.is_default:
        raise InvalidParameter(f"id: {offering.name} belongs to the installation; disable it instead")
    refuse_if_used(offering)
    offerings.remove(offering=offering)


def refuse_if_used(offering: Offering) -> None:
    for why in (answer(offering) for answer in in_use.all()):
        if why:
            raise ResourceInUse(f"id: {offering.name} is {why}; disable it instead")
