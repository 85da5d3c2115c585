"""Network cards as rows: which network, which address, which slot. Nothing here reaches a host."""

from apps.core.errors import InvalidParameter
from apps.core.prepared import Prepared, Slot, changed
from apps.core.retry import atomically
from apps.hypervisors.base import NicSpec
from apps.machines import ports
from apps.machines.models import Nic, VirtualMachine
from apps.network.models import Network
from apps.network.services import addressing, segments

ALLOCATED, RESERVED = "Allocated", "Reserved"


@atomically
def allocate(
    vm: VirtualMachine,
    network: Network,
    *,
    device_id: int,
    is_default: bool,
    ip: str | None = None,
    mac: str | None = None,
) -> Nic:
    got = addressing.take(network, wanted_ip=ip, wanted_mac=mac, by=vm.lock_key)
    if mac and Nic.all_tenants.filter(network=network, mac=mac).exists():  # the row of the network is held now
        raise InvalidParameter(f"macaddress: there is a card {mac} in network {network.name} already")
    nic = Nic(
        vm=vm,
        network=network,
        address=got.row,
        ip=got.ip,
        gateway=got.gateway,
        netmask=got.netmask,
        mac=got.mac,
        device_id=device_id,
        is_default=is_default,
    )
    nic.save()
    return nic


@atomically
def release(nic: Nic) -> None:
    """Remove the card and give its address back; once, however often this is called."""
    for leave in ports.leaving.all():
        leave(nic.vm, [nic.pk])
    if nic.mark_removed():
        address = nic.address
        Nic.including_removed.filter(pk=nic.pk).kernel_update(address=None)
        if address:
            addressing.give_back(address)


@atomically
def readdress(nic: Nic, ip: str | None) -> None:
    """The new address is taken before the old one is given back, so that it is another one."""
    got = addressing.take(nic.network, wanted_ip=ip, wanted_mac=nic.mac, by=nic.vm.lock_key)
    old, nic.address, nic.ip, nic.gateway, nic.netmask = nic.address, got.row, got.ip, got.gateway, got.netmask
    nic.save(update_fields=["address", "ip", "gateway", "netmask"])
    if old:
        addressing.give_back(old)


@atomically
def release_all(vm: VirtualMachine) -> None:
    """The machine goes for good, with or without cards."""
    for leave in ports.leaving.all():
        leave(vm, [])
    for nic in Nic.all_tenants.filter(vm=vm).select_related("address", "vm").order_by("pk"):
        release(nic)


def free_slot(vm: VirtualMachine) -> int:
    taken = set(Nic.all_tenants.filter(vm=vm).values_list("device_id", flat=True))
    return next(slot for slot in range(len(taken) + 1) if slot not in taken)


@atomically
def make_default(nic: Nic) -> None:
    """One default card per machine; both rows in one transaction, in key order."""
    mine = Nic.all_tenants.filter(vm=nic.vm_id)
    mine.filter(is_default=True).update(is_default=False)
    mine.filter(pk=nic.pk).update(is_default=True)


def reserve_all(vm: VirtualMachine) -> None:
    """The machine runs. The states between of state-machines.md 1.4 are never seen: one statement passes them."""
    changed(Nic, {"vm": vm, "state": ALLOCATED, "removed": None}, {"state": RESERVED})


def unreserve_all(vm: VirtualMachine) -> None:
    changed(Nic, {"vm": vm, "state": RESERVED, "removed": None}, {"state": ALLOCATED})


CARDS = Prepared(
    lambda: Nic.all_tenants.filter(vm=Slot("vm")).select_related("network__physical_network").order_by("device_id")
)


def specs(vm: VirtualMachine) -> tuple[NicSpec, ...]:
    return tuple(spec(nic) for nic in CARDS(vm=vm.pk))


def spec(nic: Nic) -> NicSpec:
    network = nic.network
    return NicSpec(str(nic.uuid), nic.mac, str(network.uuid), segments.label(network), nic.ip or "", nic.device_id)


def owned_by(vm: VirtualMachine, nic: Nic) -> None:
    if nic.vm_id != vm.pk:
        raise InvalidParameter(f"nicid: network card {nic.uuid} is not of instance {vm.uuid}")
