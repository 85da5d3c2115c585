"""Give a running machine a network card: bring the network up, plug the card. A card that could not be plugged goes."""

from dataclasses import dataclass, field

from apps.compute.services import networking
from apps.core.errors import InvalidParameter
from apps.core.retry import atomically
from apps.infrastructure.drivers import DEADLINE, driver_for
from apps.infrastructure.models import Host
from apps.jobs.flows import Flow, Step
from apps.machines.models import Nic, VirtualMachine
from apps.machines.services import nics


@dataclass
class Plug:
    vm_id: int
    nic_id: int
    children: dict[str, int] = field(default_factory=dict)


def machine(ctx: Plug) -> VirtualMachine:
    return VirtualMachine.including_removed.select_related("host").get(pk=ctx.vm_id)


def _card(ctx: Plug) -> Nic:
    return Nic.including_removed.select_related("network", "vm", "address__range").get(pk=ctx.nic_id)


def connect(ctx: Plug) -> None:
    networking.ensure_implemented(ctx.children, ctx.vm_id)


def plug(ctx: Plug) -> None:
    vm = machine(ctx)
    driver_for(_host(vm)).nics.plug(str(vm.uuid), nics.spec(_card(ctx)), within=DEADLINE)


def unplug(ctx: Plug) -> None:
    vm = machine(ctx)
    if vm.host:  # else it went down meanwhile, and its cards with it
        driver_for(vm.host).nics.unplug(str(vm.uuid), str(_card(ctx).uuid), within=DEADLINE)


def _host(vm: VirtualMachine) -> Host:
    if vm.host is None:
        raise InvalidParameter(f"virtualmachineid: instance {vm.uuid} does not run any more")
    return vm.host


@atomically
def plugged(ctx: Plug) -> None:
    nics.reserve_all(machine(ctx))


@atomically
def given_up(ctx: Plug) -> None:
    nics.release(_card(ctx))


PLUG = Flow(
    "compute.plug",
    Plug,
    on_success=plugged,
    on_failure=given_up,
    result=machine,
    steps=(Step(connect, queue="network"), Step(plug, undo=unplug, queue="hypervisor")),
)
