"""Start an instance: take a place, ensure its root disk, start it; a host that refuses is avoided the next round."""

from dataclasses import dataclass, field

from apps.core.retry import atomically
from apps.hypervisors.base import MachineSpec
from apps.hypervisors.errors import Refused
from apps.infrastructure.drivers import DEADLINE, driver_for
from apps.infrastructure.models import Host
from apps.jobs.flows import Flow, GoBack, Step
from apps.machines.models import Attachment, VirtualMachine
from apps.machines.services import placement
from apps.machines.states import VM
from apps.storage.models import Volume
from apps.storage.services import volumes
from apps.storage.states import VOLUME

ROOT_SIZE = 8 << 30


@dataclass
class Start:
    vm_id: int
    host_id: int = 0
    avoid: list[int] = field(default_factory=list)


def machine(ctx: Start) -> VirtualMachine:
    return VirtualMachine.including_removed.select_related("offering", "owner__domain").get(pk=ctx.vm_id)


def host(ctx: Start) -> Host:
    return Host.including_removed.get(pk=ctx.host_id)


def place(ctx: Start) -> None:
    ctx.host_id = placement.reserve(machine(ctx), ctx.avoid).pk


def unplace(ctx: Start) -> None:
    placement.unreserve(machine(ctx))
    ctx.host_id = 0


def prepare(ctx: Start) -> None:
    """Ensure the root disk; one that an earlier start made is kept."""
    root = _root(machine(ctx))
    if VOLUME.allows(root, "CreateRequested"):
        VOLUME.fire(root, "CreateRequested")
    volumes.disks(root).create(volumes.spec(root), within=DEADLINE)
    if root.state == Volume.State.CREATING:
        VOLUME.fire(root, "OperationSucceeded")


def unprepare(ctx: Start) -> None:
    """A disk that was not finished goes, and the row back to Allocated; a finished one stays the instance's."""
    for root in Volume.all_tenants.filter(attachment__vm=ctx.vm_id, state=Volume.State.CREATING):
        volumes.disks(root).delete(str(root.uuid), within=DEADLINE)
        VOLUME.fire(root, "OperationFailed")


@atomically
def _root(vm: VirtualMachine) -> Volume:
    held = Attachment.objects.filter(vm=vm, device_id=Attachment.ROOT_DEVICE).select_related("volume").first()
    if held:
        return held.volume
    name = f"ROOT-{vm.pk}"
    root = volumes.allocate(owner=vm.owner, zone=vm.zone, name=name, size=ROOT_SIZE, kind=Volume.Kind.ROOT)
    Attachment.objects.create(vm=vm, volume=root, device_id=Attachment.ROOT_DEVICE)
    return root


def start(ctx: Start) -> None:
    vm = machine(ctx)
    spec = MachineSpec(str(vm.uuid), vm.cpus, vm.memory_mib)
    try:
        driver_for(host(ctx)).power.start(spec, within=DEADLINE)
    except Refused as error:
        ctx.avoid.append(ctx.host_id)
        raise GoBack("place", "the host refused the instance") from error


def stop(ctx: Start) -> None:
    driver_for(host(ctx)).power.stop(str(machine(ctx).uuid), within=DEADLINE)


def running(ctx: Start) -> None:
    VM.fire(machine(ctx), "OperationSucceeded", host=host(ctx))


def stopped(ctx: Start) -> None:
    VM.fire(machine(ctx), "OperationFailed")


START = Flow(
    "compute.start",
    Start,
    on_success=running,
    on_failure=stopped,
    result=machine,
    steps=(
        Step(place, undo=unplace),
        Step(prepare, undo=unprepare, queue="storage"),
        Step(start, undo=stop, queue="hypervisor"),
    ),
)
