"""Networks: making, changing and finding them. Bringing them up and down is in ``flows``."""

from ipaddress import IPv4Network
from typing import Any

from django.db.models import F

from apps.core.callers import Caller
from apps.core.errors import InsufficientCapacity, InvalidParameter, PermissionDenied, ResourceInUse
from apps.core.ownership import admit, release
from apps.core.retry import atomically
from apps.core.settings import Setting
from apps.domains.models import Domain
from apps.infrastructure import addresses
from apps.infrastructure.models import PhysicalNetwork, Zone
from apps.network import document, ports
from apps.network.models import IpRange, Network, Segment
from apps.network.services import public, ranges
from apps.network.states import NETWORK
from apps.offerings.models import NetworkOffering

DOMAIN_SUFFIX = Setting("guest.domain.suffix", "cloud.internal", help_text="Domain name of guest networks without one.")
DEFAULT_CIDR = "10.1.1.0/24"
LARGEST, SMALLEST = 8, 30  # prefix lengths of a guest network
S = Network.State


def physical_network_of(zone: Zone, offering: NetworkOffering, wanted: PhysicalNetwork | None) -> PhysicalNetwork:
    """The one that carries guest traffic; by the tag of the offering where there are several."""
    if wanted is not None:
        if wanted.zone_id != zone.pk:
            raise InvalidParameter("physicalnetworkid: it is in another zone")
        return wanted
    rows = PhysicalNetwork.all_tenants.filter(zone=zone, state="Enabled", traffic_types__kind="Guest").distinct()
    rows = rows.filter(network_tags=offering.tags).order_by("pk")
    found = rows.first()
    if found is None:
        raise InvalidParameter(f"zoneid: zone {zone.name} has no enabled physical network for guest traffic")
    return found


def check_offering(offering: NetworkOffering, zone: Zone) -> None:
    if offering.state != "Enabled":
        raise InvalidParameter(f"networkofferingid: offering {offering.name} is not enabled")
    if offering.for_vpc:
        raise InvalidParameter(f"networkofferingid: offering {offering.name} is for tiers of a VPC")
    if offering.traffic_type != "Guest":
        raise InvalidParameter(f"networkofferingid: offering {offering.name} is not for guest networks")
    if zone.network_type == Zone.NetworkType.BASIC and offering.guest_ip_type != "Shared":
        raise InvalidParameter("networkofferingid: a Basic zone has shared networks only")


@atomically
def create_isolated(
    *,
    owner: Any,
    zone: Zone,
    offering: NetworkOffering,
    name: str,
    physical_network: PhysicalNetwork | None = None,
    gateway: str = "",
    netmask: str = "",
    vlan: str = "",
    **values: Any,
) -> Network:
    """A network of one account, Allocated: it takes a segment and a router when the first machine needs it."""
    check_offering(offering, zone)
    carrier = physical_network_of(zone, offering, physical_network)
    if vlan and not offering.specify_vlan:
        raise InvalidParameter("vlan: the offering does not let one choose it")
    inside = cidr_of(zone, gateway, netmask)
    first = gateway or str(inside.network_address + 1)
    layer2 = offering.guest_ip_type == "L2"
    row = admit(
        Network,
        owner,
        name=name,
        zone=zone,
        offering=offering,
        physical_network=carrier,
        guest_type=offering.guest_ip_type,
        cidr="" if layer2 else str(inside),
        gateway=None if layer2 else first,
        netmask=None if layer2 else str(inside.netmask),
        vlan=vlan,
        **{"network_domain": _domain_of(owner), "display_text": name, **values},
    )
    if not layer2:
        _own_range(row, inside, first)
    return row


def _domain_of(owner: Any) -> str:
    return owner.network_domain or f"cs{owner.pk}.{DOMAIN_SUFFIX.value()}"


def cidr_of(zone: Zone, gateway: str, netmask: str) -> IPv4Network:
    if bool(gateway) != bool(netmask):
        raise InvalidParameter("gateway and netmask are given together or not at all")
    inside = addresses.network(gateway, netmask) if gateway else IPv4Network(zone.guest_cidr or DEFAULT_CIDR)
    if not LARGEST <= inside.prefixlen <= SMALLEST or not inside.is_private:
        raise InvalidParameter(f"gateway: {inside} is no private network of a size between /{LARGEST} and /{SMALLEST}")
    return inside


def _own_range(network: Network, inside: IPv4Network, gateway: str) -> None:
    hosts = (str(inside.network_address + 1), str(inside.broadcast_address - 1))
    IpRange(
        zone=network.zone,
        network=network,
        for_virtual_network=False,
        is_lazy=True,
        gateway=gateway,
        netmask=str(inside.netmask),
        start_ip=hosts[0],
        end_ip=hosts[1],
    ).save()


@atomically
def create_shared(
    *,
    owner: Any,
    zone: Zone,
    offering: NetworkOffering,
    name: str,
    acl_type: str = "Domain",
    domain: Domain | None = None,
    subdomain_access: bool = True,
    physical_network: PhysicalNetwork | None = None,
    vlan: str = "",
    span: dict[str, str] | None = None,
    **values: Any,
) -> Network:
    """A network of the operator's that many accounts use; there is nothing to implement, so it is Setup at once."""
    check_offering(offering, zone)
    carrier = physical_network_of(zone, offering, physical_network)
    if offering.specify_vlan and not vlan and zone.network_type != Zone.NetworkType.BASIC:
        raise InvalidParameter("vlan: the offering asks for one")
    tag = vlan_number(vlan)
    if tag and Network.all_tenants.filter(physical_network=carrier, vlan=str(tag)).exists():
        raise InvalidParameter(f"vlan: {tag} is in use on this physical network")
    place: dict[str, Any] = {}
    if span:
        inside = addresses.network(span["gateway"], span["netmask"])
        place = {"cidr": str(inside), "gateway": span["gateway"], "netmask": span["netmask"]}
    row = admit(
        Network,
        owner,
        name=name,
        zone=zone,
        offering=offering,
        physical_network=carrier,
        guest_type="Shared",
        acl_type=acl_type,
        is_public=acl_type == "Domain" and domain is None,
        domain=domain,
        subdomain_access=subdomain_access,
        state=S.SETUP,
        vlan=str(tag) if tag else "",
        is_counted=acl_type == "Account",
        specify_ip_ranges=True,
        **place,
        **{"network_domain": _domain_of(owner), "display_text": name, **values},
    )
    if span:
        ranges.create(
            zone=zone, network=row, physical_network=carrier, for_virtual_network=False, vlan=vlan or "untagged", **span
        )
    return row


def vlan_number(text: str) -> int | None:
    """ "50", "vlan://50" or "untagged"."""
    tag = text.removeprefix("vlan://")
    if tag in ("", "untagged"):
        return None
    if not tag.isdecimal() or not 0 < int(tag) <= 16_777_215:
        raise InvalidParameter(f"vlan: {text!r} is no VLAN id")
    return int(tag)


@atomically
def update(*, network: Network, **values: Any) -> Network:
    """Names and name servers; the devices follow."""
    for name, value in values.items():
        setattr(network, name, value)
    if values:
        network.save(update_fields=list(values))
        Network.all_tenants.filter(pk=network.pk).update(generation=F("generation") + 1)
    return network


def check_deletable(network: Network) -> None:
    for answer in ports.in_use.all():
        if words := answer(network):
            raise ResourceInUse(f"id: network {network.name} still has {words}")


@atomically
def allocate_segment(network: Network) -> str:
    """The id that keeps the network apart, by compare-and-swap; the one that it has already."""
    held = Segment.objects.filter(network=network).first()
    if held is None and (given := vlan_number(network.vlan)):
        Segment.objects.filter(physical_network=network.physical_network_id, number=given, network=None).update(
            network=network
        )
        return str(given)
    if held is None:
        held = _free_segment(network)
    network.vlan = str(held.number)
    network.save(update_fields=["vlan"])
    return network.vlan


def _free_segment(network: Network) -> Segment:
    free = Segment.objects.filter(physical_network=network.physical_network_id, network=None).order_by("number")
    for _ in range(20):
        keys = list(free.values_list("pk", flat=True)[:8])
        for key in keys:
            if Segment.objects.filter(pk=key, network=None).update(network=network):
                return Segment.objects.get(pk=key)
        if not keys:
            break
    raise InsufficientCapacity(
        f"no VLAN is free on the physical network of {network.uuid}",
        tenant="There is no free segment for this network.",
    )


@atomically
def free_segment(network: Network) -> None:
    if Segment.objects.filter(network=network).update(network=None):
        network.vlan = ""
        network.save(update_fields=["vlan"])


@atomically
def remove(network: Network) -> None:
    """The end of a deletion: what was taken for the network is free again."""
    for answer in ports.network_removed.all():
        answer(network)
    for row in network.public_addresses.filter(removed=None).select_related("address__range", "owner__domain"):
        public.let_go(row)
    free_segment(network)
    for held in IpRange.all_tenants.filter(network=network):
        ranges.delete(row=held)
    NETWORK.fire(network, "DestroyNetwork")
    release(network)


def for_deployment(owner: Any, zone: Zone) -> list[Network]:
    """The networks of a machine for which none were named, as CloudStack picks them: the shared guest network of a
    Basic zone or one with security groups; else the owner's only isolated network, or a new one if it has none.
    """
    if zone.network_type == Zone.NetworkType.BASIC or zone.security_groups_enabled:
        rows = Network.all_tenants.filter(zone=zone, guest_type="Shared", is_public=True).order_by("pk")
        found = next((row for row in rows.select_related("offering") if "SecurityGroup" in row.offering.services), None)
        if found is None:
            raise InvalidParameter(f"zoneid: zone {zone.name} has no shared guest network yet")
        return [found]
    rows = Network.objects.owned_by(owner).filter(zone=zone, guest_type="Isolated").select_related("offering")
    mine = [row for row in rows.order_by("pk") if "SourceNat" in row.offering.services]
    if len(mine) > 1:
        raise InvalidParameter("networkids: the account has several networks in this zone; name one")
    return mine or [_first_network(owner, zone)]


def _first_network(owner: Any, zone: Zone) -> Network:
    required = NetworkOffering.all_tenants.filter(availability="Required", state="Enabled", guest_ip_type="Isolated")
    offering = required.order_by("pk").first()
    if offering is None:
        raise InvalidParameter("networkids: no network offering is marked as required, so a network must be named")
    return create_isolated(owner=owner, zone=zone, offering=offering, name=f"{owner.name}-network")


def check_usable(network: Network, caller: Caller) -> None:
    if not Network.objects.usable_by(caller).filter(pk=network.pk).exists():
        raise PermissionDenied(f"network {network.uuid} is not yours")


def ensure_applied(network_id: int, wanted: int | None = None) -> None:
    """Devices match the document of now, or at least generation ``wanted``. One application serves all who wait for an
    older generation: devices never go back, so nobody needs a lock.
    """
    network = Network.including_removed.select_related("offering", "zone", "owner__domain").get(pk=network_id)
    wanted = network.generation if wanted is None else wanted
    rendered = None
    for provider in providers_of(network):
        if provider.applied(network) < wanted:
            rendered = rendered or document.render(network_id)
            provider.apply(network, rendered)


def providers_of(network: Network) -> list[ports.Provider]:
    named = {name for givers in network.offering.services.values() for name in givers}
    return [provider for provider in ports.providers.all() if named.intersection(provider.names())]


def join_implemented(children: dict[str, int], network: Network) -> None:
    """For a step of a flow: be through when the network is up and its devices know what is in it now."""
    from apps.jobs.flows import join
    from apps.network.flows.implement import IMPLEMENT, Implement

    mark = f"generation:{network.pk}"
    wanted = children.setdefault(mark, network.generation)
    row = Network.including_removed.get(pk=network.pk)
    if row.state in (S.ALLOCATED, S.IMPLEMENTING, S.SHUTDOWN):
        join(children, IMPLEMENT, Implement(network_id=row.pk), key=f"network.implement:{row.pk}")
        children.pop(f"network.implement:{row.pk}", None)
    ensure_applied(row.pk, wanted)


def cidr_text(held: IpRange) -> str:
    return str(addresses.network(held.gateway, held.netmask))
