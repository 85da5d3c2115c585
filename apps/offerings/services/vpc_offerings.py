"""VPC offerings: which services the tiers of a VPC may have, from whom."""

from collections.abc import Sequence
from typing import Any

from apps.core.errors import InvalidParameter
from apps.offerings import network_services as known
from apps.offerings.models import VpcOffering
from apps.offerings.services import offerings
from apps.offerings.services.network_offerings import Records, check_router_offering, refuse_if_used
from apps.offerings.services.places import Places

ROUTER = "VpcVirtualRouter"
NOT_OF_VPCS = ("Firewall", "SecurityGroup")


def create(
    *,
    places: Places,
    supported: Sequence[str] | None = None,
    providers: Records = (),
    capabilities: Records = (),
    enable: bool = False,
    **given: Any,
) -> VpcOffering:
    """Without services it has all that the VPC router provides, which also provides what is assigned to nobody."""
    wanted = known.PROVIDERS[ROUTER] if supported is None else supported
    services = known.services_of(wanted, providers, allowed=known.OF_VPCS, default=ROUTER)
    for name in NOT_OF_VPCS:
        if name in services:
            raise InvalidParameter(f"supportedservices: VPCs have no {name}")
    services.setdefault("Gateway", [ROUTER])
    chosen = known.capabilities_of(services, capabilities)
    check_router_offering(given.get("service_offering"))
    row = VpcOffering(
        services=services,
        capabilities=chosen,
        redundant=chosen.get("SourceNat", {}).get("RedundantRouter") == "true",
        distributed=chosen.get("Connectivity", {}).get("DistributedRouter") == "true",
        state="Enabled" if enable else "Disabled",
        **given,
    )
    return offerings.insert(row, places)


def remove(*, offering: VpcOffering) -> None:
    if offering.is_default:
        raise InvalidParameter(f"id: {offering.name} belongs to the installation; disable it instead")
    refuse_if_used(offering)
    offerings.remove(offering=offering)
