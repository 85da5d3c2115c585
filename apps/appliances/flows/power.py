"""What is done with the power of machines of the system, for operators and by schedules: each step ensures.

They hold the lock of the machine and, of a router, that of its network: nobody implements it at the same time.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from apps.appliances.services import machines, places, routers, system
from apps.core.errors import ResourceInUse
from apps.jobs.flows import Flow, Step
from apps.machines.models import VirtualMachine
from apps.network.services import devices


@dataclass
class Power:
    vm_id: int


def machine(ctx: Power) -> VirtualMachine:
    return machines.read(ctx.vm_id)


def keys(ctx: Power) -> Iterable[str]:
    vm = machine(ctx)
    router = routers.of_machine(vm)
    return [vm.lock_key, *([router.network.lock_key] if router and router.network else [])]


def up(ctx: Power) -> None:
    """Of a router whose network is gone nothing comes up: it only waits to be retired."""
    vm = machine(ctx)
    if vm.kind != VirtualMachine.Kind.ROUTER:
        system.bring_up(vm)
    elif (router := routers.of_machine(vm)) and router.network:
        routers.ensure_running(router)


def down(ctx: Power) -> None:
    vm = machine(ctx)
    router = routers.of_machine(vm)
    if router is None:
        machines.take_down(vm)
    else:
        routers.take_down(router)


def tell(ctx: Power) -> None:
    """A router that has just come up gets the document of its network."""
    router = routers.of_machine(machine(ctx))
    if router and router.network:
        devices.catch_up(router.network.pk)


def gone(ctx: Power) -> None:
    vm = machine(ctx)
    router = routers.of_machine(vm)
    if vm.removed:
        return
    if router is None:
        system.retire(vm)
    else:
        routers.retire(router)


def again(ctx: Power) -> None:
    """Not idempotent, and safe to repeat."""
    vm = machine(ctx)
    router = routers.of_machine(vm)
    if router is None:
        machines.reboot(vm)
    else:
        routers.reboot(router)


def can_move(ctx: Power) -> None:
    """Nothing is taken down that has no other place."""
    vm = machine(ctx)
    if vm.host and not places.has_room_elsewhere(vm):
        raise ResourceInUse(f"no other host has room for {vm.instance_name}")


def nothing(ctx: Power) -> None:
    """The steps did it all."""


UP = (Step(up, undo=down, tries=6), Step(tell, tries=6))
START = Flow("appliances.start", Power, UP, nothing, nothing, result=machine, locks=keys)
STOP = Flow("appliances.stop", Power, (Step(down, tries=6),), nothing, nothing, result=machine, locks=keys)
REBOOT = Flow("appliances.reboot", Power, (Step(again), Step(tell, tries=6)), nothing, nothing, result=machine)
DESTROY = Flow("appliances.destroy", Power, (Step(gone, tries=6),), nothing, nothing, result=machine, locks=keys)
MOVE = Flow("appliances.move", Power, (Step(can_move), Step(down, tries=6), *UP), nothing, nothing, locks=keys)
