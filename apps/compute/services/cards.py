"""Network cards of machines that exist: added, removed, made the default."""

from typing import Any

from apps.compute.flows.plug import PLUG, Plug
from apps.compute.services import names, networking
from apps.core.errors import InvalidParameter, ResourceInUse
from apps.core.outcomes import Outcome
from apps.core.prepared import Prepared, Slot
from apps.core.retry import atomically
from apps.firewall.models import Rule, StaticNat
from apps.hypervisors.errors import Busy
from apps.infrastructure.drivers import DEADLINE, driver_for
from apps.jobs.flows import begin
from apps.machines.models import Nic, VirtualMachine
from apps.machines.services import nics
from apps.machines.services.holding import hold
from apps.network.models import Network
from apps.network.services import addressing

S = VirtualMachine.State


@atomically
def add(*, vm: VirtualMachine, network: Network, ip: str | None = None, mac: str | None = None) -> Any:
    """A card more. A running machine gets it at once, by a flow that brings the network up first."""
    _check_state(vm)
    hold(vm)
    networking.check(network, vm.owner, vm.zone)
    cards = Nic.all_tenants.filter(vm=vm)
    if cards.filter(network=network).exists():
        raise InvalidParameter(f"networkid: instance {vm.uuid} has a card in network {network.name} already")
    if cards.count() >= networking.MOST:
        raise InvalidParameter(
            f"virtualmachineid: instance {vm.uuid} has {networking.MOST} cards; more are not possible"
        )
    address, own_mac = networking.address(ip, "ipaddress"), networking.mac_address(mac)
    slot, is_first = nics.free_slot(vm), not cards.exists()
    nic = nics.allocate(vm, network, device_id=slot, is_default=is_first, ip=address, mac=own_mac)
    names.check(vm.name, [network], besides=vm.pk)
    return begin(PLUG, Plug(vm_id=vm.pk, nic_id=nic.pk)) if vm.state == S.RUNNING else vm


def remove(*, vm: VirtualMachine, nic: Nic) -> VirtualMachine:
    """The card goes when the host is known to have let go of it."""
    if _claim_removal(vm, nic):
        with REMOVE.settle(nic, f"cannot remove network card {nic.uuid}"):
            _nics(nic).unplug(str(vm.uuid), str(nic.uuid), within=DEADLINE)
    return vm


@atomically
def _claim_removal(vm: VirtualMachine, nic: Nic) -> bool:
    _check_state(vm)
    hold(vm)
    nics.owned_by(vm, nic)
    if nic.is_default:
        raise InvalidParameter(f"nicid: {nic.uuid} is the default card; make another one the default first")
    if has_rules(nic):
        raise ResourceInUse(f"nicid: rules of network {nic.network.name} lead to this card; delete them first")
    if vm.state == S.STOPPED:
        nics.release(nic)
        return False
    if not Nic.all_tenants.filter(pk=nic.pk, unplugging=False).update(unplugging=True):
        raise ResourceInUse(f"nicid: {nic.uuid} is being removed")
    REMOVE.ask(nic)
    return True


def has_rules(nic: Nic) -> bool:
    rules = Rule.all_tenants.filter(network=nic.network_id, vm=nic.vm_id).exclude(state=Rule.State.REVOKE)
    return rules.exists() or StaticNat.objects.filter(address__network=nic.network_id, vm=nic.vm_id).exists()


def _kept(nic: Nic) -> None:
    Nic.all_tenants.filter(pk=nic.pk).update(unplugging=False)


def _is_gone(nic: Nic) -> bool:
    if nic.vm.state in (S.STARTING, S.STOPPING):
        raise Busy(f"instance {nic.vm.uuid} is {nic.vm.state}: what it has is seen afterwards")
    return nic.vm.state != S.RUNNING or not _nics(nic).has(str(nic.vm.uuid), str(nic.uuid), within=DEADLINE)


REMOVE = Outcome("compute.unplug", "machines.Nic", ok=nics.release, refused=_kept, observe=_is_gone)


LEAVING = Prepared(lambda: Nic.all_tenants.filter(vm=Slot("vm"), pk__in=REMOVE.open()).select_related("vm", "address"))


def settle_of(vm: VirtualMachine) -> None:
    """The machine is known to be down: no card is plugged, whatever was asked."""
    for nic in LEAVING(vm=vm.pk):
        REMOVE.tell(nic, happened=True)


@atomically
def make_default(*, vm: VirtualMachine, nic: Nic) -> VirtualMachine:
    """The networks of both cards tell the machine another gateway from now on."""
    _check_state(vm)
    nics.owned_by(vm, nic)
    if nic.is_default:
        raise InvalidParameter(f"nicid: {nic.uuid} is the default card already")
    if nic.unplugging:
        raise ResourceInUse(f"nicid: {nic.uuid} is being removed")
    old = Nic.all_tenants.filter(vm=vm, is_default=True).first()
    nics.make_default(nic)
    for network in sorted({card.network_id for card in (old, nic) if card}):
        addressing.changed(network)
    return vm


@atomically
def change_address(*, nic: Nic, ip: str | None) -> VirtualMachine:
    """Another address for a card of a machine that is down; a free one if none is said."""
    vm, network = nic.vm, nic.network
    if vm.state != S.STOPPED:
        raise InvalidParameter(f"nicid: instance {vm.uuid} is {vm.state}: stop it before changing an address of it")
    hold(vm)
    if nic.ip is None:
        raise InvalidParameter(f"nicid: network {network.name} has no addresses to give")
    wanted = networking.address(ip, "ipaddress")
    if wanted == nic.ip:
        raise InvalidParameter(f"ipaddress: the card has {ip} already")
    if has_rules(nic):
        raise ResourceInUse(f"nicid: rules of network {network.name} lead to this card; delete them first")
    nics.readdress(nic, wanted)
    return vm


def _check_state(vm: VirtualMachine) -> None:
    if vm.state not in (S.RUNNING, S.STOPPED):
        raise InvalidParameter(f"virtualmachineid: instance {vm.uuid} is {vm.state}")


def _nics(nic: Nic) -> Any:
    if nic.vm.host is None:
        raise Busy(f"instance {nic.vm.uuid} is on no host")
    return driver_for(nic.vm.host).nics
