"""Physical networks: the traffic they carry, the ids that isolate networks on them, who serves what."""

from typing import Any

from django.db import IntegrityError, transaction

from apps.core.errors import InvalidParameter
from apps.core.retry import atomically
from apps.domains.models import Domain
from apps.infrastructure import addresses, ports
from apps.infrastructure.models import PhysicalNetwork, Pod, ServiceProvider, StorageNetworkRange, TrafficType, Zone
from apps.infrastructure.services.places import hold

KINDS = ("Guest", "Management", "Public", "Storage")
ISOLATION = ("VLAN", "VXLAN", "GRE", "L3", "STT", "BCF_SEGMENT", "SSP", "ODL", "L3VPN", "VCS", "NSX", "OVN")
EVERYTHING = (
    "Vpn",
    "Dhcp",
    "Dns",
    "Gateway",
    "Firewall",
    "Lb",
    "UserData",
    "SourceNat",
    "StaticNat",
    "PortForwarding",
)
# Provider -> the services it can give. Those that need a device or a system of its own come with their rooms.
PROVIDERS: dict[str, tuple[str, ...]] = {
    "VirtualRouter": EVERYTHING,
    "VpcVirtualRouter": (*EVERYTHING, "NetworkACL"),
    "InternalLbVm": ("Lb",),
    "ConfigDrive": ("Dhcp", "Dns", "UserData"),
    "SecurityGroupProvider": ("SecurityGroup",),
}
SERVICES = (*EVERYTHING, "SecurityGroup", "NetworkACL", "Connectivity")


@atomically
def create(*, zone: Zone, name: str, vlan: str = "", domain: Domain | None = None, **values: Any) -> PhysicalNetwork:
    hold(zone)
    ranges = addresses.vlans(vlan)
    if zone.network_type == Zone.NetworkType.BASIC:
        if vlan:
            raise InvalidParameter("vlan: networks of a Basic zone are not isolated by VLAN")
        if PhysicalNetwork.all_tenants.filter(zone=zone).exists():
            raise InvalidParameter("zoneid: a Basic zone has one physical network")
    basic = zone.network_type == Zone.NetworkType.BASIC
    values = {"broadcast_domain_range": "POD" if basic else "ZONE", **values}
    network = PhysicalNetwork(zone=zone, name=name, vlan=vlan, domain=domain, **values)
    network.save()
    for provider, services in PROVIDERS.items():
        ServiceProvider(physical_network=network, name=provider, services=list(services)).save()
    for answer in ports.network_made.all():
        answer(network)
    _change_vlans(network, ranges)
    return network


def _change_vlans(network: PhysicalNetwork, ranges: list[tuple[int, int]]) -> None:
    for answer in ports.vlans_changed.all():
        answer(network, ranges)


@atomically
def update(*, network: PhysicalNetwork, vlan: str | None = None, **values: Any) -> PhysicalNetwork:
    if vlan is not None:
        if vlan and network.zone.network_type == Zone.NetworkType.BASIC:
            raise InvalidParameter("vlan: networks of a Basic zone are not isolated by VLAN")
        _change_vlans(network, addresses.vlans(vlan))
        values["vlan"] = vlan
    for name, value in values.items():
        setattr(network, name, value)
    if values:
        network.save(update_fields=list(values))
    return network


@atomically
def delete(*, network: PhysicalNetwork) -> None:
    hold(network)
    ports.check_unused(network)
    _change_vlans(network, [])
    for model in (TrafficType, ServiceProvider):
        for row in model.all_tenants.filter(physical_network=network):
            row.mark_removed()
    network.mark_removed()


@atomically
def add_traffic(*, network: PhysicalNetwork, kind: str, labels: dict[str, str], vlan: str = "") -> TrafficType:
    if kind != "Guest":
        taken = TrafficType.all_tenants.filter(physical_network__zone=network.zone_id, kind=kind)
        if taken.exists() or (kind == "Public" and network.zone.network_type == Zone.NetworkType.BASIC):
            raise InvalidParameter(
                f"traffictype: {kind} traffic is on another network of the zone, or not possible there"
            )
    row = TrafficType(physical_network=network, kind=kind, labels=labels, vlan=vlan)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise InvalidParameter(f"traffictype: the physical network carries {kind} traffic already") from None
    return row


@atomically
def update_traffic(*, traffic: TrafficType, labels: dict[str, str]) -> TrafficType:
    traffic.labels = traffic.labels | labels
    traffic.save(update_fields=["labels"])
    return traffic


@atomically
def delete_traffic(*, traffic: TrafficType) -> None:
    if traffic.kind == "Guest":
        ports.check_unused(traffic.physical_network)
    traffic.mark_removed()


@atomically
def add_provider(*, network: PhysicalNetwork, name: str, services: list[str] | None) -> ServiceProvider:
    known = PROVIDERS.get(name)
    if known is None:
        raise InvalidParameter(f"name: {name} is no provider of this installation")
    row = ServiceProvider(physical_network=network, name=name, services=_checked(services, known))
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise InvalidParameter(f"name: the physical network has provider {name} already") from None
    return row


def _checked(services: list[str] | None, known: tuple[str, ...]) -> list[str]:
    if services is None:
        return list(known)
    if strange := set(services) - set(known):
        raise InvalidParameter(f"servicelist: the provider does not give {', '.join(sorted(strange))}")
    return services


@atomically
def update_provider(
    *, provider: ServiceProvider, state: str | None = None, services: list[str] | None = None
) -> ServiceProvider:
    if services is not None:
        provider.services = _checked(services, PROVIDERS[provider.name])
        provider.save(update_fields=["services"])
    if state == "Enabled":
        _check_ready(provider)
    if state:
        provider.state = state
        type(provider).all_tenants.filter(pk=provider.pk).kernel_update(state=state)
    return provider


def _check_ready(provider: ServiceProvider) -> None:
    for answer in ports.provider_lacks.all():
        if words := answer(provider):
            raise InvalidParameter(f"state: provider {provider.name} is not ready: {words}")


@atomically
def delete_provider(*, provider: ServiceProvider) -> None:
    ports.check_unused(provider)
    provider.mark_removed()


@atomically
def create_storage_range(
    *, pod: Pod, gateway: str, netmask: str, start_ip: str, end_ip: str, vlan: int | None
) -> StorageNetworkRange:
    _check_storage(pod, gateway, netmask, start_ip, end_ip)
    row = StorageNetworkRange(
        zone=pod.zone, pod=pod, gateway=gateway, netmask=netmask, start_ip=start_ip, end_ip=end_ip, vlan=vlan
    )
    row.save()
    return row


def _check_storage(pod: Pod, gateway: str, netmask: str, start_ip: str, end_ip: str, but: int = 0) -> None:
    addresses.span(start_ip, end_ip, addresses.network(gateway, netmask), gateway)
    others = StorageNetworkRange.all_tenants.filter(zone=pod.zone_id).exclude(pk=but)
    if addresses.overlap(start_ip, end_ip, list(others.values_list("start_ip", "end_ip"))):
        raise InvalidParameter("startip: the range overlaps another of the zone")


@atomically
def update_storage_range(*, row: StorageNetworkRange, **values: Any) -> StorageNetworkRange:
    place = {n: values.get(n, getattr(row, n)) for n in ("gateway", "netmask", "start_ip", "end_ip")}
    _check_storage(row.pod, **place, but=row.pk)
    for name, value in values.items():
        setattr(row, name, value)
    if values:
        row.save(update_fields=list(values))
    return row
