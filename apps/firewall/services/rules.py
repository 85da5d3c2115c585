"""Firewall, port forwarding and static NAT: rows first, then the devices of the network match them."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from apps.core.errors import InvalidParameter, RuleConflict
from apps.core.ownership import admit, release
from apps.core.retry import atomically
from apps.firewall.models import Rule, StaticNat
from apps.firewall.services import checks
from apps.machines.models import Nic, VirtualMachine
from apps.network.models import Network, PublicAddress
from apps.network.services import addressing

P, S = Rule.Purpose, Rule.State
HOLES = (P.FORWARDING, P.IP_FORWARDING)


def network_of(address: PublicAddress, service: str) -> Network:
    network = address.network
    if network is None:
        raise InvalidParameter("ipaddressid: the address is of no network yet")
    if service not in network.offering.services:
        raise InvalidParameter(f"ipaddressid: network {network.name} does not have the service {service}")
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
    first, last = checks.ports(kind, start_port, end_port, ("startport", "endport"))
    type_, code = checks.icmp(kind, icmp_type, icmp_code)
    same = Rule.all_tenants.filter(address=address, purpose=P.FIREWALL, protocol=kind)
    _check_conflict(same, first, last, (type_, code))
    return _insert(
        network,
        address=address,
        purpose=P.FIREWALL,
        protocol=kind,
        start_port=first,
        end_port=last,
        icmp_type=type_,
        icmp_code=code,
        cidrs=checks.cidrs(cidrs),
        **values,
    )


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
    kind = checks.protocol(protocol)
    first, last = checks.ports(kind, start_port, end_port, ("startport", "endport"))
    type_, code = checks.icmp(kind, icmp_type, icmp_code)
    sources = checks.cidrs(cidrs, default=network.cidr)
    wanted = checks.cidrs(destinations, "destcidrlist", default="")
    same = Rule.all_tenants.filter(network=network, purpose=P.EGRESS, protocol=kind, cidrs=sources, destinations=wanted)
    _check_conflict(same, first, last, (type_, code))
    return _insert(
        network,
        purpose=P.EGRESS,
        protocol=kind,
        start_port=first,
        end_port=last,
        icmp_type=type_,
        icmp_code=code,
        cidrs=sources,
        destinations=wanted,
        **values,
    )


def _insert(network: Network, **values: Any) -> Rule:
    row = admit(Rule, network.owner, network=network, **values)
    addressing.changed(network.pk)
    return row


def _check_conflict(rows: Any, first: int | None, last: int | None, icmp: tuple[Any, Any] = (None, None)) -> None:
    """Rules of one address and protocol do not overlap. The job has the lock of the address: nobody comes between."""
    if icmp != (None, None):
        rows = rows.filter(icmp_type=icmp[0], icmp_code=icmp[1])
    elif first is not None:
        rows = rows.filter(Q(start_port=None) | Q(start_port__lte=last, end_port__gte=first))
    if other := rows.exclude(state=S.REVOKE).first():
        raise RuleConflict(f"the new rule overlaps rule {other.uuid}")


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


@atomically
def forward_port(
    *,
    address: PublicAddress,
    vm: VirtualMachine,
    protocol: str,
    public_port: int,
    private_port: int,
    public_end_port: int | None = None,
    private_end_port: int | None = None,
    vm_ip: str | None = None,
    cidrs: list[str] | None = None,
    open_firewall_too: bool = True,
    **values: Any,
) -> Rule:
    network = network_of(address, "PortForwarding")
    _check_same_owner(address, vm)
    if StaticNat.objects.filter(address=address).exists():
        raise RuleConflict("ipaddressid: the address is mapped to one instance by static NAT")
    kind = checks.protocol(protocol, ("tcp", "udp"))
    first, last = checks.ports(kind, public_port, public_end_port, ("publicport", "publicendport"))
    inner, inner_last = checks.ports(kind, private_port, private_end_port, ("privateport", "privateendport"))
    if last - first != inner_last - inner:  # type: ignore[operator]
        raise InvalidParameter("privateendport: both ranges must be of the same length")
    _check_conflict(Rule.all_tenants.filter(address=address, purpose__in=HOLES, protocol=kind), first, last)
    row = _insert(
        network,
        address=address,
        purpose=P.FORWARDING,
        protocol=kind,
        start_port=first,
        end_port=last,
        private_port=inner,
        private_end_port=inner_last,
        cidrs=checks.cidrs(cidrs, default=""),
        vm=vm,
        vm_ip=place_of(vm, network, vm_ip),
        **values,
    )
    if open_firewall_too and "Firewall" in network.offering.services:
        _open_for(row, checks.cidrs(cidrs))
    return row


def _open_for(row: Rule, cidrs: list[str]) -> None:
    """The hole that a forwarding needs; where one is open already it serves."""
    same = Rule.all_tenants.filter(address=row.address, purpose=P.FIREWALL, protocol=row.protocol)
    if same.filter(start_port__lte=row.start_port, end_port__gte=row.end_port).exists():
        return
    open_firewall(
        address=row.address,
        protocol=row.protocol,
        start_port=row.start_port,
        end_port=row.end_port,
        cidrs=cidrs,
        opened_by=row,
    )


def _check_same_owner(address: PublicAddress, vm: VirtualMachine) -> None:
    if address.owner_id != vm.owner_id:
        raise InvalidParameter("virtualmachineid: instance and address are of different accounts")


@atomically
def update_forwarding(*, row: Rule, vm: VirtualMachine | None = None, **values: Any) -> Rule:
    vm_ip = values.pop("vm_ip", None)
    inner = values.get("private_port", row.private_port)
    inner_last = values.get("private_end_port", values.get("private_port") and inner + (row.end_port - row.start_port))
    inner_last = inner_last or row.private_end_port
    first, last = checks.ports(row.protocol, inner, inner_last, ("privateport", "privateendport"))
    if last - first != row.end_port - row.start_port:  # type: ignore[operator]
        raise InvalidParameter("privateendport: both ranges must be of the same length")
    changes: dict[str, Any] = {"private_port": first, "private_end_port": last}
    if "cidrs" in values:
        changes["cidrs"] = checks.cidrs(values["cidrs"], default="")
    if vm is not None or vm_ip:
        target = vm or row.vm
        _check_same_owner(row.address, target)
        changes |= {"vm": target, "vm_ip": place_of(target, row.network, vm_ip)}
    if "is_displayed" in values:
        changes["is_displayed"] = values["is_displayed"]
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(update_fields=list(changes))
    addressing.changed(row.network_id)
    return row


@atomically
def enable_static_nat(
    *, address: PublicAddress, vm: VirtualMachine, network: Network | None = None, vm_ip: str | None = None
) -> None:
    """All of the address goes to the machine. Doing it again changes nothing."""
    if address.is_source_nat:
        raise InvalidParameter("ipaddressid: the source NAT address cannot be mapped to one instance")
    _check_same_owner(address, vm)
    if address.network_id is None:
        if network is None:
            raise InvalidParameter("networkid: the address is of no network yet")
        _join(address, network)
    target = network_of(address, "StaticNat")
    ip = place_of(vm, target, vm_ip)
    held = StaticNat.objects.filter(address=address).first()
    if held is not None:
        if held.vm_id != vm.pk:
            raise RuleConflict("ipaddressid: the address is mapped to another instance")
        return
    if Rule.all_tenants.filter(address=address, purpose=P.FORWARDING).exists():
        raise RuleConflict("ipaddressid: ports of the address are forwarded")
    if StaticNat.objects.filter(vm=vm, vm_ip=ip).exists():
        raise InvalidParameter("virtualmachineid: another address is mapped to the instance already")
    try:
        with transaction.atomic():
            StaticNat.objects.create(address=address, vm=vm, vm_ip=ip)
    except IntegrityError:
        raise RuleConflict("ipaddressid: the address was mapped at this moment") from None
    addressing.changed(target.pk)


def _join(address: PublicAddress, network: Network) -> None:
    if network.zone_id != address.zone_id or network.owner_id != address.owner_id:
        raise InvalidParameter("networkid: network and address do not belong together")
    PublicAddress.all_tenants.filter(pk=address.pk, network=None).update(network=network)
    address.network = network


@atomically
def disable_static_nat(*, address: PublicAddress) -> None:
    if not StaticNat.objects.filter(address=address).delete()[0]:
        raise InvalidParameter("ipaddressid: the address is not mapped to an instance")
    for row in Rule.all_tenants.filter(address=address, purpose=P.IP_FORWARDING):
        remove(row)
    if address.network_id:
        addressing.changed(address.network_id)


@atomically
def forward_ip(
    *,
    address: PublicAddress,
    protocol: str,
    start_port: int,
    end_port: int | None = None,
    cidrs: list[str] | None = None,
    open_firewall_too: bool = True,
) -> Rule:
    """Let these ports of a mapped address through to its machine."""
    held = StaticNat.objects.filter(address=address).select_related("vm").first()
    if held is None:
        raise InvalidParameter("ipaddressid: the address is not mapped to an instance")
    network = network_of(address, "StaticNat")
    kind = checks.protocol(protocol, ("tcp", "udp"))
    first, last = checks.ports(kind, start_port, end_port, ("startport", "endport"))
    _check_conflict(Rule.all_tenants.filter(address=address, purpose__in=HOLES, protocol=kind), first, last)
    row = _insert(
        network,
        address=address,
        purpose=P.IP_FORWARDING,
        protocol=kind,
        start_port=first,
        end_port=last,
        private_port=first,
        private_end_port=last,
        vm=held.vm,
        vm_ip=held.vm_ip,
        cidrs=checks.cidrs(cidrs, default=""),
    )
    if open_firewall_too and "Firewall" in network.offering.services:
        _open_for(row, checks.cidrs(cidrs))
    return row


@atomically
def activate(row: Rule) -> None:
    Rule.all_tenants.filter(pk=row.pk, state=S.ADD).kernel_update(state=S.ACTIVE)
    Rule.all_tenants.filter(opened_by=row, state=S.ADD).kernel_update(state=S.ACTIVE)


@atomically
def remove(row: Rule) -> None:
    """The rule, and what was opened for it."""
    for opened in Rule.all_tenants.filter(opened_by=row).select_related("owner__domain"):
        release(opened)
    if release(row):
        addressing.changed(row.network_id)


def address_released(address: PublicAddress) -> None:
    StaticNat.objects.filter(address=address).delete()
    for row in Rule.all_tenants.filter(address=address, opened_by=None).select_related("owner__domain"):
        remove(row)
    for row in Rule.all_tenants.filter(address=address).select_related("owner__domain"):
        remove(row)


def network_removed(network: Network) -> None:
    for row in Rule.all_tenants.filter(network=network, opened_by=None).select_related("owner__domain"):
        remove(row)


def machine_leaves(vm: VirtualMachine, nics: list[int]) -> None:
    """A card, or all of the machine, goes: rules that lead there go in the same transaction."""
    ips = Nic.including_removed.filter(pk__in=nics).values_list("network", "ip")
    for network, ip in ips:
        for row in Rule.all_tenants.filter(vm=vm, network=network, vm_ip=ip).select_related("owner__domain"):
            remove(row)
        if StaticNat.objects.filter(vm=vm, vm_ip=ip, address__network=network).delete()[0]:
            addressing.changed(network)
