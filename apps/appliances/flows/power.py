"""What operators do with machines of the system: start, stop, destroy. One step each, that ensures."""

from dataclasses import dataclass

from apps.appliances.models import Router
from apps.appliances.services import machines, system
from apps.appliances.services.routers import VirtualRouters
from apps.jobs.flows import Flow, Step
from apps.machines.models import VirtualMachine
from apps.network.services import networks

K = VirtualMachine.Kind


@dataclass
class Power:
    vm_id: int


def machine(ctx: Power) -> VirtualMachine:
    return machines.read(ctx.vm_id)


def up(ctx: Power) -> None:
    vm = machine(ctx)
    router = Router.objects.filter(vm=vm).exclude(network=None).select_related("network__offering").first()
    if router and router.network:
        VirtualRouters().ensure(router.network)
        networks.ensure_applied(router.network.pk)
    else:
        machines.bring_up(vm)


def down(ctx: Power) -> None:
    machines.take_down(machine(ctx))


def gone(ctx: Power) -> None:
    vm = machine(ctx)
    router = Router.objects.filter(vm=vm).exclude(network=None).select_related("network__offering").first()
    if router and router.network:
        VirtualRouters().remove(router.network)
    elif not vm.removed:
        system.remove(vm)


def nothing(ctx: Power) -> None:
    """The step did it all."""


START = Flow("appliances.start", Power, (Step(up, undo=down, tries=6),), nothing, nothing, result=machine)
STOP = Flow("appliances.stop", Power, (Step(down, tries=6),), nothing, nothing, result=machine)
DESTROY = Flow("appliances.destroy", Power, (Step(gone, tries=6),), nothing, nothing, result=machine)
