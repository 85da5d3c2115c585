"""Networks: making, changing and finding them. Bringing them up and down is in ``flows``."""

from ipaddress import IPv4Network
from typing import Any

from apps.core.errors import InvalidParameter, ResourceInUse
from apps.core.ownership import admit, release
from apps.core.prepared import changed
from apps.core.retry import atomically
from apps.core.settings import Setting
from apps.domains.models import Domain
from apps.infrastructure import addresses
from apps.infrastructure.models import PhysicalNetwork, ServiceProvider, Zone
from apps.network import ports
from apps.network.models import IpRange, Network
from apps.network.services import addressing, devices, public, ranges, segments, sharing
from apps.network.states import NETWORK
from apps.offerings.models import NetworkOffering
from apps.offerings.selectors import is_offered_in

DOMAIN_SUFFIX = Setting("guest.domain.suffix", "cloud.internal", help_text="Domain name of guest networks without one.")
BELOW = Setting(
    "allow.subdomain.network.access",
    True,
    help_text="May domains below use the networks of a domain, where a network does not say so itself.",
)
DEFAULT_CIDR = "10.1.1.0/24"
LARGEST, SMALLEST = 8, 30  # prefix lengths of a guest network
S = Network.State


def physical_network_of(zone: Zone, offering: NetworkOffering, wanted: PhysicalNetwork | None) -> PhysicalNetwork:
    """The one that carries guest traffic; by the tag of the offering where there are several."""
    if wanted is not None:
        if wanted.zone_id != zone.pk:
            raise InvalidParameter("physicalnetworkid: it is in another zone")
        if wanted.state != "Enabled":
            raise InvalidParameter(f"physicalnetworkid: physical network {wanted.name} is {wanted.state}")
        _check_providers(offering, wanted)
        return wanted
    rows = PhysicalNetwork.all_tenants.filter(zone=zone, state="Enabled", traffic_types__kind="Guest").distinct()
    rows = rows.filter(network_tags=offering.tags).order_by("pk")
    found = rows.first()
    if found is None:
        raise InvalidParameter(
            f"zoneid: zone {zone.name} has no enabled physical network for guest traffic",
            tenant=f"zoneid: zone {zone.name} takes no networks of this offering",
        )
    _check_providers(offering, found)
    return found


def _check_providers(offering: NetworkOffering, carrier: PhysicalNetwork) -> None:
    """Each service has a provider that an operator enabled on the physical network."""
    rows = ServiceProvider.all_tenants.filter(physical_network=carrier, state="Enabled")
    gives = dict(rows.values_list("name", "services"))
    for service, givers in offering.services.items():
        if not any(service in gives.get(name, ()) for name in givers):
            raise InvalidParameter(
                f"networkofferingid: {service} of offering {offering.name} has no enabled provider in this zone"
            )


def check_offering(offering: NetworkOffering, zone: Zone) -> None:
    if offering.state != "Enabled":
        raise InvalidParameter(f"networkofferingid: offering {offering.name} is not enabled")
    if offering.for_vpc:
        raise InvalidParameter(f"networkofferingid: offering {offering.name} is for tiers of a VPC")
    if offering.traffic_type != "Guest":
        raise InvalidParameter(f"networkofferingid: offering {offering.name} is not for guest networks")
    if zone.network_type == Zone.NetworkType.BASIC and offering.guest_ip_type != "Shared":
        raise InvalidParameter("networkofferingid: a Basic zone has shared networks only")
    if not is_offered_in(offering, zone):
        raise InvalidParameter(f"networkofferingid: offering {offering.name} is not offered in zone {zone.name}")


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
    may_overlap: bool = False,
    source_nat_ip: str = "",
    **values: Any,
) -> Network:
    """A network of one account, Allocated: it takes a segment and a router when the first machine needs it."""
    check_offering(offering, zone)
    carrier = physical_network_of(zone, offering, physical_network)
    number = _chosen_vlan(offering, zone, vlan)
    layer2 = offering.guest_ip_type == "L2"
    if layer2 and (gateway or netmask):
        raise InvalidParameter("gateway: an L2 network has no addresses")
    inside = cidr_of(zone, gateway, netmask)
    first = gateway or str(inside.network_address + 1)
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
        vlan=str(number) if number else "",
        **{"network_domain": _domain_of(owner), "display_text": name, **values},
    )
    if number and not may_overlap:
        segments.choose(row, number)
    if not layer2:
        _own_range(row, inside, first)
    if source_nat_ip:
        _own_source_nat(row, source_nat_ip)
    return row


def _chosen_vlan(offering: NetworkOffering, zone: Zone, vlan: str) -> int | None:
    number = segments.number_of(vlan)
    if number and not offering.specify_vlan:
        raise InvalidParameter("vlan: the offering does not let one choose it")
    if offering.specify_vlan and not vlan and zone.network_type != Zone.NetworkType.BASIC:
        raise InvalidParameter("vlan: the offering asks for one")
    return number


def _own_source_nat(network: Network, wanted: str) -> None:
    if "SourceNat" not in network.offering.services:
        raise InvalidParameter("sourcenatipaddress: the offering has no source NAT")
    public.assigned(
        public.associate(owner=network.owner, zone=network.zone, network=network, wanted=public.read(wanted))
    )


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
    subdomain_access: bool | None = None,
    physical_network: PhysicalNetwork | None = None,
    vlan: str = "",
    may_overlap: bool = False,
    span: dict[str, str] | None = None,
    **values: Any,
) -> Network:
    """A network of the operator's for the accounts of a domain, or for one; nothing is implemented: Setup at once."""
    check_offering(offering, zone)
    carrier = physical_network_of(zone, offering, physical_network)
    number = _chosen_vlan(offering, zone, vlan)
    whose = domain or owner.domain
    below = BELOW.value() if subdomain_access is None else subdomain_access
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
        is_public=acl_type == "Domain" and whose.parent_id is None and below,
        domain=whose if acl_type == "Domain" else None,
        subdomain_access=acl_type == "Domain" and below,
        state=S.SETUP,
        vlan=str(number) if number else "",
        is_counted=acl_type == "Account",
        specify_ip_ranges=True,
        **place,
        **{"network_domain": _domain_of(owner), "display_text": name, **values},
    )
    if number and not may_overlap:
        segments.choose(row, number)
    if span:
        add_range(network=row, **span)
    return row


@atomically
def add_range(*, network: Network, **values: Any) -> IpRange:
    """Addresses of a shared network; the first range says which gateway and netmask its machines have."""
    row = ranges.create(
        zone=network.zone,
        network=network,
        physical_network=values.pop("physical_network", None) or network.physical_network,
        for_virtual_network=False,
        vlan=network.vlan or "untagged",
        **values,
    )
    if not network.cidr:
        first = {"gateway": row.gateway, "netmask": row.netmask}
        update(network=network, cidr=str(addresses.network(row.gateway, row.netmask)), **first)
    return row


@atomically
def update(*, network: Network, **values: Any) -> Network:
    """Names and name servers; the devices follow."""
    for name, value in values.items():
        setattr(network, name, value)
    if values:
        network.save(update_fields=list(values))
        addressing.changed(network.pk)
    return network


@atomically
def change_offering(*, network: Network, offering: NetworkOffering) -> None:
    """Other services from now on; those that go may not be in use. Devices follow with the next restart."""
    check_offering(offering, network.zone)
    if offering.guest_ip_type != network.guest_type:
        raise InvalidParameter(f"networkofferingid: offering {offering.name} is for {offering.guest_ip_type} networks")
    if offering.specify_vlan != network.offering.specify_vlan:
        raise InvalidParameter("networkofferingid: only one of the two offerings lets one choose the VLAN")
    if offering.tags != network.offering.tags:
        raise InvalidParameter("networkofferingid: the offering is for another physical network")
    gone = set(network.offering.services) - set(offering.services)
    for answer in ports.service_in_use.all():
        if gone and (words := answer(network, gone)):
            raise ResourceInUse(f"networkofferingid: network {network.name} still has {words}")
    network.offering = offering
    network.save(update_fields=["offering"])
    addressing.changed(network.pk)


def check_deletable(network: Network) -> None:
    for answer in ports.in_use.all():
        if words := answer(network):
            raise ResourceInUse(f"id: network {network.name} still has {words}")


def check_idle(network: Network) -> None:
    for answer in ports.busy.all():
        if answer().filter(network=network.pk).exists():
            raise ResourceInUse(f"id: an instance runs in network {network.name}")


@atomically
def close(network: Network, *, delete: bool) -> None:
    """From here on no machine starts there without implementing the network again.

    The row is held before one looks for machines, and who starts one holds it after it says so: either is seen.
    """
    if network.state == S.IMPLEMENTED:
        NETWORK.fire(network, "DestroyNetwork")
    else:
        addressing.hold(network)
    if delete:
        check_deletable(network)
    else:
        check_idle(network)


def needed(network_id: int) -> Network:
    """The network for a machine that says already that it starts there: it is shut down before this, or not at all."""
    changed(Network, {"pk": network_id, "state": S.IMPLEMENTED, "removed": None}, {"idle_since": None})
    return devices.read(network_id)


@atomically
def remove(network: Network) -> None:
    """The end of a deletion: what was taken for the network is free again."""
    NETWORK.fire(network, "DestroyNetwork")
    check_deletable(network)  # again: a card that came meanwhile is seen now, and later ones are refused
    for answer in ports.network_removed.all():
        answer(network)
    for row in network.public_addresses.filter(removed=None).select_related("address__range", "owner__domain"):
        public.let_go(row)
    segments.give_up(network)
    for held in IpRange.all_tenants.filter(network=network):
        ranges.delete(row=held)
    network.shared_with.all().delete()
    release(network)


def for_deployment(owner: Any, zone: Zone) -> list[Network]:
    """The networks of a machine for which none were named, as CloudStack picks them: the shared guest network of a
    Basic zone or one with security groups; else the owner's only isolated network, or a new one if it has none.
    """
    if zone.network_type == Zone.NetworkType.BASIC or zone.security_groups_enabled:
        rows = Network.all_tenants.filter(zone=zone, guest_type="Shared", acl_type="Domain").order_by("pk")
        for row in rows.select_related("offering"):
            if "SecurityGroup" in row.offering.services and sharing.may_use(row, owner):
                return [row]
        raise InvalidParameter(f"zoneid: zone {zone.name} has no shared guest network for the account yet")
    mine = _isolated(owner, zone)
    if len(mine) > 1:
        raise InvalidParameter("networkids: the account has several networks in this zone; name one")
    return mine or [_first_network(owner, zone)]


def _isolated(owner: Any, zone: Zone) -> list[Network]:
    rows = Network.objects.owned_by(owner).filter(zone=zone, guest_type="Isolated").select_related("offering")
    return [row for row in rows.order_by("pk") if "SourceNat" in row.offering.services]


def only_isolated(owner: Any, zone: Zone | None) -> Network:
    """For what names a zone and means the network of the account there."""
    if zone is None:
        raise InvalidParameter("networkid or zoneid must say where the address is needed")
    rows = list(Network.objects.owned_by(owner).filter(zone=zone, guest_type="Isolated").order_by("pk")[:2])
    if len(rows) != 1:
        which = "several isolated networks" if rows else "no isolated network"
        raise InvalidParameter(f"networkid: account {owner.name} has {which} in zone {zone.name}: name one")
    return rows[0]


@atomically
def _first_network(owner: Any, zone: Zone) -> Network:
    required = NetworkOffering.all_tenants.filter(availability="Required", state="Enabled", guest_ip_type="Isolated")
    offering = required.order_by("pk").first()
    if offering is None:
        raise InvalidParameter("networkids: no network offering is marked as required, so a network must be named")
    made = create_isolated(owner=owner, zone=zone, offering=offering, name=f"{owner.name}-network")
    first = _isolated(owner, zone)[0]
    if first.pk != made.pk:  # somebody made it at this moment, and the owner's counter let us come after
        remove(made)
    return first
