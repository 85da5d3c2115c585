"""Put an image into the drive of a running machine, or take it out. What is known afterwards is what the row says."""

from dataclasses import dataclass

from apps.core.errors import InvalidParameter
from apps.images.models import Template
from apps.infrastructure.drivers import DEADLINE, driver_for
from apps.jobs.flows import Flow, Step
from apps.machines.models import VirtualMachine
from apps.storage.services import volumes


@dataclass
class Insert:
    vm_id: int
    iso_id: int | None
    old_id: int | None = None


def machine(ctx: Insert) -> VirtualMachine:
    return VirtualMachine.including_removed.select_related("host").get(pk=ctx.vm_id)


def insert(ctx: Insert) -> None:
    if machine(ctx).host is None:
        raise InvalidParameter("virtualmachineid: the instance does not run any more")
    _into_drive(ctx, ctx.iso_id)


def put_back(ctx: Insert) -> None:
    if machine(ctx).host is not None:
        _into_drive(ctx, ctx.old_id)


def _into_drive(ctx: Insert, key: int | None) -> None:
    vm = machine(ctx)
    image = Template.including_removed.filter(pk=key).first() if key else None
    driver_for(vm.host).power.insert(str(vm.uuid), volumes.image_spec(image, vm.zone_id), within=DEADLINE)  # type: ignore[arg-type]


def inserted(ctx: Insert) -> None:
    VirtualMachine.all_tenants.filter(pk=ctx.vm_id).update(iso=ctx.iso_id)


def nothing(ctx: Insert) -> None:
    """The row still says what is in the drive."""


INSERT = Flow(
    "compute.insert",
    Insert,
    on_success=inserted,
    on_failure=nothing,
    result=machine,
    steps=(Step(insert, undo=put_back, queue="hypervisor"),),
)
