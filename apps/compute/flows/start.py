"""Start an instance: implement its networks, take a place, ensure its disks, start it. A host that refuses is avoided
in the next round. What a step has made its undo takes back; of a deployment (``is_fresh``) finished disks too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from apps.compute.services import networking, places
from apps.core.prepared import Prepared, Slot
from apps.core.retry import atomically
from apps.hypervisors.base import MachineSpec
from apps.hypervisors.errors import DriverError, Refused
from apps.infrastructure.drivers import DEADLINE, driver_for
from apps.infrastructure.models import Host
from apps.jobs.flows import Flow, GoBack, Step, progress
from apps.machines.models import Attachment, VirtualMachine
from apps.machines.services import nics, placement
from apps.machines.states import VM
from apps.storage.models import Volume
from apps.storage.services import pools, volumes
from apps.storage.states import VOLUME

V = Volume.State


@dataclass
class Start:
    vm_id: int
    is_fresh: bool = False
    tells_password: bool = False
    host_id: int = 0
    wish: dict[str, Any] = field(default_factory=dict)
    avoid: list[int] = field(default_factory=list)
    children: dict[str, int] = field(default_factory=dict)


WHOLE = ("offering", "owner__domain", "iso", "zone", "template")
MACHINE = Prepared(lambda: VirtualMachine.including_removed.select_related(*WHOLE).filter(pk=Slot("key")))
WITH_DISK = ("volume__pool", "volume__template")
HELD = Prepared(lambda: Attachment.objects.filter(vm=Slot("vm")).select_related(*WITH_DISK).order_by("device_id"))
HOST = Prepared(lambda: Host.including_removed.filter(pk=Slot("key")))


def machine(ctx: Start) -> VirtualMachine:
    return MACHINE.one(key=ctx.vm_id)


def host(ctx: Start) -> Host:
    return HOST.one(key=ctx.host_id)


def connect(ctx: Start) -> None:
    """Join the flows that implement the networks, each once for all machines that wait for it."""
    networking.ensure_implemented(ctx.children, ctx.vm_id)


def place(ctx: Start) -> None:
    ctx.host_id = places.reserve(machine(ctx), ctx.wish, ctx.avoid).pk


def unplace(ctx: Start) -> None:
    placement.unreserve(machine(ctx))
    ctx.host_id = 0


def prepare(ctx: Start) -> None:
    """Ensure the disks; one that an earlier start made is kept."""
    on = host(ctx)
    for volume in _disks(ctx, (V.ALLOCATED, V.CREATING)):
        if volume.state == V.ALLOCATED:
            progress(50, "Creating the disks")
            _request(volume, on)
        with said_as("A disk of the instance could not be made."):
            volumes.disks(volume, on).create(volumes.spec(volume), within=DEADLINE)
        VOLUME.fire(volume, "OperationSucceeded")


@atomically
def _request(volume: Volume, on: Host) -> None:
    places.reserve_pool(volume, on)
    VOLUME.fire(volume, "CreateRequested")


def unprepare(ctx: Start) -> None:
    """A disk that was not finished goes, and the row back to Allocated; a finished one stays the instance's."""
    for volume in _disks(ctx, (V.CREATING, V.READY) if ctx.is_fresh else (V.CREATING,)):
        if volume.state == V.READY:
            VOLUME.fire(volume, "CreateRequested")
        volumes.disks(volume).delete(str(volume.uuid), within=DEADLINE, pool=volumes.pool_spec(volume))
        _uncreated(volume)


@atomically
def _uncreated(volume: Volume) -> None:
    VOLUME.fire(volume, "OperationFailed")
    pools.leave_pool(volume)


@contextmanager
def said_as(sentence: str) -> Iterator[None]:
    """What a tenant reads if this is where it ends: drivers speak of hosts and storage."""
    try:
        yield
    except DriverError as error:
        error.tenant = sentence  # type: ignore[attr-defined]
        raise


def _disks(ctx: Start, states: tuple[str, ...]) -> list[Volume]:
    rows = Volume.all_tenants.filter(attachment__vm=ctx.vm_id, state__in=states)
    return list(rows.select_related("pool", "template").order_by("attachment__device_id"))


def start(ctx: Start) -> None:
    progress(80, "Starting the instance")
    try:
        with said_as("The instance could not be started in time."):
            driver_for(host(ctx)).power.start(spec(machine(ctx)), within=DEADLINE)
    except Refused as error:
        ctx.avoid.append(ctx.host_id)
        raise GoBack("place", "the host refused the instance") from error


def spec(vm: VirtualMachine) -> MachineSpec:
    """All that the host is told of the machine."""
    return MachineSpec(
        uuid=str(vm.uuid),
        cpus=vm.cpus,
        memory_mib=vm.memory_mib,
        name=vm.instance_name,
        speed_mhz=vm.speed_mhz,
        disks=tuple(volumes.spec(a.volume, a.device_id) for a in HELD(vm=vm.pk)),
        nics=nics.specs(vm),
        iso=volumes.image_spec(vm.iso, vm.zone_id),
    )


def stop(ctx: Start) -> None:
    driver_for(host(ctx)).power.stop(str(machine(ctx).uuid), within=DEADLINE, force=True)


def running(ctx: Start) -> None:
    vm, on = machine(ctx), host(ctx)
    told = {"password_told": True} if ctx.tells_password else {}
    VM.fire(vm, "OperationSucceeded", host=on, last_host=on, pod=on.pod, **told)
    nics.reserve_all(vm)


def started(ctx: Start) -> VirtualMachine:
    """To answer with: this answer tells the password, if no other did."""
    vm = machine(ctx)
    vm.tells_password = ctx.tells_password
    return vm


def stopped(ctx: Start) -> None:
    VM.fire(machine(ctx), "OperationFailed")


START = Flow(
    "compute.start",
    Start,
    on_success=running,
    on_failure=stopped,
    result=started,
    steps=(
        Step(connect, queue="network"),
        Step(place, undo=unplace),
        Step(prepare, undo=unprepare, tries=7, queue="storage"),  # busy while a host brings the template
        Step(start, undo=stop, queue="hypervisor"),
    ),
)
