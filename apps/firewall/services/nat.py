"""What leads from a public address to a machine: forwarded ports, or the whole address."""

from typing import Any

from apps.core.errors import InvalidParameter, RuleConflict
from apps.core.retry import atomically
from apps.firewall.models import Rule, StaticNat
from apps.firewall.services import checks, conflicts, rules
from apps.machines.models import VirtualMachine
from apps.network.models import Network, PublicAddress
from apps.network.services import addressing

P, S = Rule.Purpose, Rule.State
HOLES = (P.FORWARDING, P.IP_FORWARDING)
PUBLIC, PRIVATE = ("publicport", "publicendport"), ("privateport", "privateendport")
Span = tuple[int, int]


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
    rules.check_same_owner(address, vm)
    kind = checks.protocol(protocol, ("tcp", "udp"))
    outer = checks.span(public_port, public_end_port, PUBLIC)
    inner = checks.span(private_port, private_end_port, PRIVATE)
    _check_length(outer, inner)
    network = rules.network_of(address, "PortForwarding")
    if StaticNat.objects.filter(address=address).exists():
        raise RuleConflict(f"ipaddressid: address {address.ip} is mapped to one instance by static NAT")
    conflicts.check_forwarding(_of(address, kind), *outer)
    row = rules.insert(
        network,
        address=address,
        purpose=P.FORWARDING,
        protocol=kind,
        ports=outer,
        private_port=inner[0],
        private_end_port=inner[1],
        cidrs=checks.cidrs(cidrs, default=""),
        vm=vm,
        vm_ip=rules.place_of(vm, network, vm_ip),
        **values,
    )
    if open_firewall_too:
        rules.open_for(row, address, cidrs)
    return row


def _of(address: PublicAddress, protocol: str) -> Any:
    return Rule.all_tenants.filter(address=address, purpose__in=HOLES, protocol=protocol)


def _check_length(outer: Span, inner: Span) -> None:
    if outer[1] - outer[0] != inner[1] - inner[0]:
        raise InvalidParameter("privateendport: both ranges must be of the same length")


@atomically
def update_forwarding(
    *,
    row: Rule,
    vm: VirtualMachine | None = None,
    vm_ip: str | None = None,
    private_port: int | None = None,
    private_end_port: int | None = None,
    cidrs: list[str] | None = None,
    **values: Any,
) -> Rule:
    """Send the ports of a rule elsewhere; which ports of the address they are stays."""
    address = row.address
    if address is None or row.start_port is None or row.end_port is None or row.state == S.REVOKE:
        raise InvalidParameter(f"id: rule {row.uuid} is being deleted")
    network = rules.network_of(address, "PortForwarding")
    if private_port is not None or private_end_port is not None:
        first = row.private_port if private_port is None else private_port
        default = None if first is None else first + row.end_port - row.start_port
        inner = checks.span(first, default if private_end_port is None else private_end_port, PRIVATE)
        _check_length((row.start_port, row.end_port), inner)
        values |= {"private_port": inner[0], "private_end_port": inner[1]}
    if cidrs is not None:
        values["cidrs"] = checks.cidrs(cidrs, default="")
    target = vm or row.vm
    if target is not None and (vm is not None or vm_ip):
        rules.check_same_owner(address, target)
        values |= {"vm": target, "vm_ip": rules.place_of(target, network, vm_ip)}
    return rules.update(row=row, **values)


@atomically
def enable_static_nat(*, address: PublicAddress, vm: VirtualMachine, vm_ip: str | None = None) -> Network:
    """All of the address goes to the machine. Doing it again changes nothing."""
    if address.is_source_nat:
        raise InvalidParameter(f"ipaddressid: source NAT address {address.ip} cannot be mapped to one instance")
    rules.check_same_owner(address, vm)
    network = rules.network_of(address, "StaticNat")
    ip = rules.place_of(vm, network, vm_ip)
    held = StaticNat.objects.filter(address=address).first()
    if held is not None:
        if (held.vm_id, held.vm_ip) != (vm.pk, ip):
            raise RuleConflict(f"ipaddressid: address {address.ip} is mapped to another instance")
        return network
    if Rule.all_tenants.filter(address=address, purpose=P.FORWARDING).exclude(state=S.REVOKE).exists():
        raise RuleConflict(f"ipaddressid: ports of address {address.ip} are forwarded")
    if StaticNat.objects.filter(vm=vm, vm_ip=ip, address__network=network).exists():
        raise InvalidParameter("virtualmachineid: another address is mapped to the instance already")
    StaticNat.objects.create(address=address, vm=vm, vm_ip=ip)
    return network


@atomically
def disable_static_nat(*, address: PublicAddress) -> None:
    """The mapping goes, and what it let through."""
    if not StaticNat.objects.filter(address=address).delete()[0]:
        raise InvalidParameter(f"ipaddressid: address {address.ip} is not mapped to an instance")
    for row in Rule.all_tenants.filter(address=address, purpose=P.IP_FORWARDING).exclude(state=S.REVOKE):
        rules.revoke(row)
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
    network = rules.network_of(address, "StaticNat")
    held = StaticNat.objects.filter(address=address).select_related("vm").first()
    if held is None:
        raise InvalidParameter(f"ipaddressid: address {address.ip} is not mapped to an instance")
    kind = checks.protocol(protocol, ("tcp", "udp"))
    ports = checks.span(start_port, end_port, ("startport", "endport"))
    conflicts.check_forwarding(_of(address, kind), *ports)
    row = rules.insert(
        network,
        address=address,
        purpose=P.IP_FORWARDING,
        protocol=kind,
        ports=ports,
        private_port=ports[0],
        private_end_port=ports[1],
        vm=held.vm,
        vm_ip=held.vm_ip,
        cidrs=checks.cidrs(cidrs, default=""),
    )
    if open_firewall_too:
        rules.open_for(row, address, cidrs)
    return row
