"""Stop and reboot: one effect each, with three exits."""

from collections.abc import Sequence
from typing import Any

from apps.compute.services import instances
from apps.core.errors import InvalidParameter, ResourceUnavailable
from apps.core.outcomes import Outcome
from apps.core.retry import atomically
from apps.hypervisors.errors import Busy, Refused, Unknown
from apps.infrastructure.drivers import DEADLINE, driver_for
from apps.machines.models import VirtualMachine
from apps.machines.services import nics, placement
from apps.machines.states import VM
from apps.storage.models import Volume

S = VirtualMachine.State


def stop(*, vm: VirtualMachine, force: bool = False) -> VirtualMachine:
    """Ensure the machine is down. ``force`` cuts the power; else the guest is asked first."""
    if vm.state == S.STOPPED:
        return vm
    _request_stop(vm)
    with STOP.settle(vm, f"cannot stop instance {vm.uuid}"):
        driver_for(_host(vm)).power.stop(str(vm.uuid), within=DEADLINE, force=force)
    return vm


@atomically
def _request_stop(vm: VirtualMachine) -> None:
    if STOP.is_open(vm):
        raise InvalidParameter(f"id: whether instance {vm.uuid} has stopped is being looked into")
    VM.fire(vm, "StopRequested")
    STOP.ask(vm)


def _stopped(vm: VirtualMachine) -> None:
    VM.fire(vm, "OperationSucceeded")
    down(vm)


def down(vm: VirtualMachine) -> None:
    """What a machine that does not run no longer holds."""
    placement.unreserve(vm)
    nics.unreserve_all(vm)


def _not_stopped(vm: VirtualMachine) -> None:
    VM.fire(vm, "OperationFailed")


def _is_down(vm: VirtualMachine) -> bool:
    return not driver_for(_host(vm)).power.runs(str(vm.uuid), within=DEADLINE)


STOP = Outcome("compute.stop", "machines.VirtualMachine", ok=_stopped, refused=_not_stopped, observe=_is_down)


def reboot(*, vm: VirtualMachine, force: bool = False) -> VirtualMachine:
    """No state changes: a machine whose reboot nobody knows about runs, before and after."""
    if vm.state != S.RUNNING:
        raise InvalidParameter(f"id: instance {vm.uuid} is {vm.state}: only a running one is rebooted")
    try:
        driver_for(_host(vm)).power.reboot(str(vm.uuid), within=DEADLINE, force=force)
    except (Refused, Busy) as error:
        text = f"instance {vm.uuid} was not rebooted: its host refused, or is busy with it"
        raise ResourceUnavailable(text, tenant=text) from error
    except Unknown as error:
        text = f"the host of instance {vm.uuid} did not answer in time: whether it was rebooted is not known"
        raise ResourceUnavailable(text, tenant=text) from error
    return vm


def _host(vm: VirtualMachine) -> Any:
    if vm.host is None:
        raise InvalidParameter(f"id: instance {vm.uuid} is on no host")
    return vm.host


def destroy(
    *, vm: VirtualMachine, volumes: Sequence[Volume], force: bool, expunge: bool, by_root: bool
) -> VirtualMachine:
    """Down first, then aside, then gone: each is whole when the next begins."""
    instances.check_destroyable(vm)
    if expunge:
        instances.check_allowed(vm, by_root)
    _check_volumes(vm, volumes)
    if vm.state == S.RUNNING:
        stop(vm=vm, force=force)
    if vm.state != S.DESTROYED:
        instances.destroy(vm=vm, volume_ids=[volume.pk for volume in volumes])
    if expunge and vm.removed is None:
        instances.expunge(vm=vm)
    return vm


def _check_volumes(vm: VirtualMachine, volumes: Sequence[Volume]) -> None:
    mine = set(Volume.all_tenants.filter(attachment__vm=vm, kind=Volume.Kind.DATADISK).values_list("pk", flat=True))
    for volume in volumes:
        if volume.pk not in mine:
            raise InvalidParameter(f"volumeids: {volume.uuid} is no data volume of instance {vm.uuid}")
        if volume.delete_protection:
            raise InvalidParameter(f"volumeids: volume {volume.uuid} is protected against deletion")
