"""Rules of networks from row to row: accepted, known to the devices, revoked, gone."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from apps.core.errors import InvalidParameter, ResourceInUse
from apps.core.ownership import admit, release
from apps.core.retry import atomically
from apps.firewall.models import Rule, StaticNat
from apps.firewall.services import checks, conflicts
from apps.firewall.states import machine
from apps.machines.models import Nic, VirtualMachine
from apps.network.models import Network, PublicAddress
from apps.network.services import addressing

P, S = Rule.Purpose, Rule.State
USABLE = (PublicAddress.State.ALLOCATING, PublicAddress.State.ALLOCATED)


def network_of(address: PublicAddress, service: str) -> Network:
    """The network of an address, held until the transaction ends: its rules are made one after the other."""
    network = address.network
    if network is None:
        raise InvalidParameter(f"ipaddressid: address {address.ip} is of no network yet")
    if service not in network.offering.services:
        raise InvalidParameter(f"ipaddressid: network {network.name} does not have the service {service}")
    addressing.hold(network)
    if not PublicAddress.all_tenants.filter(pk=address.pk, network=network, state__in=USABLE).exists():
        raise ResourceInUse(f"ipaddressid: address {address.ip} is being released")
    return network


@atomically
def open_firewall(
    *,
    address: PublicAddress,
    protocol: str,
    start_port: int | None = None,
    end_port: int | None = None,
    icmp_type: int | None = None,
    icmp_code: int | None = None,
    cidrs: list[str] | None = None,
    **values: Any,
) -> Rule:
    network = network_of(address, "Firewall")
    kind = checks.protocol(protocol)
    ports = checks.ports(kind, start_port, end_port, ("startport", "endport"))
    icmp = checks.icmp(kind, icmp_type, icmp_code)
    sources = checks.cidrs(cidrs)
    same = Rule.all_tenants.filter(address=address, purpose=P.FIREWALL, protocol=kind)
    conflicts.check_holes(same, ports, icmp, sources)
    given = {"cidrs": sources, **values}
    return insert(network, address=address, purpose=P.FIREWALL, protocol=kind, ports=ports, icmp=icmp, **given)


@atomically
def open_egress(
    *,
    network: Network,
    protocol: str,
    start_port: int | None = None,
    end_port: int | None = None,
    icmp_type: int | None = None,
    icmp_code: int | None = None,
    cidrs: list[str] | None = None,
    destinations: list[str] | None = None,
    **values: Any,
) -> Rule:
    if "Firewall" not in network.offering.services:
        raise InvalidParameter(f"networkid: network {network.name} does not have the service Firewall")
    addressing.hold(network)
    kind = checks.protocol(protocol)
    ports = checks.ports(kind, start_port, end_port, ("startport", "endport"))
    icmp = checks.icmp(kind, icmp_type, icmp_code)
    sources = checks.cidrs(cidrs, default=network.cidr, within=network.cidr)
    wanted = checks.cidrs(destinations, "destcidrlist", default="")
    same = Rule.all_tenants.filter(network=network, purpose=P.EGRESS, protocol=kind)
    conflicts.check_holes(same, ports, icmp, sources, wanted)
    given = {"cidrs": sources, "destinations": wanted, **values}
    return insert(network, purpose=P.EGRESS, protocol=kind, ports=ports, icmp=icmp, **given)


def insert(network: Network, *, ports: conflicts.Ports, icmp: conflicts.Ports = (None, None), **values: Any) -> Rule:
    first, last = ports
    type_, code = icmp
    where = {"start_port": first, "end_port": last, "icmp_type": type_, "icmp_code": code}
    return admit(Rule, network.owner, network=network, **where, **values)


def place_of(vm: VirtualMachine, network: Network, vm_ip: str | None) -> str:
    """The address of the machine in the network."""
    nic = Nic.all_tenants.filter(vm=vm, network=network).first()
    if nic is None or not nic.ip:
        raise InvalidParameter(f"virtualmachineid: the instance is not in network {network.name}")
    if vm_ip and vm_ip != nic.ip:
        raise InvalidParameter(f"vmguestip: the instance does not have {vm_ip} in network {network.name}")
    if vm.state in ("Destroyed", "Expunging", "Error"):
        raise InvalidParameter(f"virtualmachineid: the instance is {vm.state}")
    return nic.ip


def check_same_owner(address: PublicAddress, vm: VirtualMachine) -> None:
    if address.owner_id != vm.owner_id:
        raise InvalidParameter("virtualmachineid: instance and address are of different accounts")


def open_for(row: Rule, address: PublicAddress, cidrs: list[str] | None) -> None:
    """The hole that a forwarding needs; where one is open already it serves."""
    if "Firewall" not in row.network.offering.services:
        return
    same = Rule.all_tenants.filter(address=address, purpose=P.FIREWALL, protocol=row.protocol).exclude(state=S.REVOKE)
    if same.filter(start_port__lte=row.start_port, end_port__gte=row.end_port).exists():
        return
    ports = {"start_port": row.start_port, "end_port": row.end_port}
    open_firewall(address=address, protocol=row.protocol, cidrs=cidrs, opened_by=row, **ports)


@atomically
def update(*, row: Rule, **values: Any) -> Rule:
    for name, value in values.items():
        setattr(row, name, value)
    if values:
        row.save(update_fields=list(values))
    return row


@atomically
def activate(row: Rule) -> None:
    """The devices know the rule, and what was opened for it."""
    for each in (row, *Rule.all_tenants.filter(opened_by=row, state=S.ADD)):
        machine(each).fire(each, "Applied")


@atomically
def revoke(row: Rule) -> None:
    """The rule leaves the document, with what was opened for it; it is gone when the devices know: ``remove``."""
    for opened in Rule.all_tenants.filter(opened_by=row):
        revoke(opened)
    if row.state != S.REVOKE:
        machine(row).fire(row, "Revoked")
    addressing.changed(row.network_id)


@atomically
def remove(row: Rule) -> None:
    """No device has it. Safe to repeat."""
    if row.state != S.REVOKE:
        revoke(row)
    release(row)


def address_released(address: PublicAddress) -> None:
    """Nothing leads from the address any more."""
    StaticNat.objects.filter(address=address).delete()
    for row in Rule.all_tenants.filter(address=address).exclude(state=S.REVOKE).order_by("pk"):
        row.refresh_from_db(fields=["state"])  # what an earlier one opened went with it
        revoke(row)


def network_removed(network: Network) -> None:
    """The devices are gone already."""
    for row in Rule.all_tenants.filter(network=network).select_related("owner__domain").order_by("pk"):
        row.refresh_from_db(fields=["state"])
        remove(row)


def machine_leaves(vm: VirtualMachine, nics: list[int]) -> None:
    """A card, or all of the machine, goes: rules that lead there are revoked in the same transaction."""
    for network, ip in Nic.including_removed.filter(pk__in=nics).values_list("network", "ip"):
        for row in Rule.all_tenants.filter(vm=vm, network=network, vm_ip=ip).exclude(state=S.REVOKE):
            revoke(row)
        if StaticNat.objects.filter(vm=vm, vm_ip=ip, address__network=network).delete()[0]:
            addressing.changed(network)


WORDS = {
    "Firewall": (P.FIREWALL, P.EGRESS),
    "PortForwarding": (P.FORWARDING,),
    "StaticNat": (P.IP_FORWARDING,),
}


def service_in_use(network: Network, services: set[str]) -> str:
    """What keeps a service from being taken away."""
    for service, purposes in WORDS.items():
        if service in services and Rule.all_tenants.filter(network=network, purpose__in=purposes).exists():
            return f"rules of the service {service}"
    if "StaticNat" in services and StaticNat.objects.filter(address__network=network).exists():
        return "addresses that are mapped to instances"
    if "SourceNat" in services and PublicAddress.all_tenants.filter(network=network).exists():
        return "public addresses"
    return ""


class Revoked:
    """Answers ``network.leaving``."""

    def networks(self) -> QuerySet:
        return Rule.all_tenants.filter(state=S.REVOKE).values("network")

    def marked(self, network: int) -> list[int]:
        rows = Rule.all_tenants.filter(network=network, state=S.REVOKE)
        return list(rows.order_by("pk").values_list("pk", flat=True))

    def gone(self, keys: Iterable[int]) -> None:
        rows = Rule.all_tenants.filter(pk__in=list(keys), state=S.REVOKE)
        for row in rows.select_related("owner__domain").order_by("pk"):
            remove(row)
