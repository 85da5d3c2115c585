"""Stop and reboot: one effect each, with three exits."""

from collections.abc import Sequence
from typing import Any

from apps.compute.services import cards, disks, instances
from apps.core.errors import InvalidParameter, ResourceInUse, ResourceUnavailable
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
    if vm.state not in (S.RUNNING, S.STOPPING):
        raise InvalidParameter(f"id: instance {vm.uuid} is {vm.state}: only a running one is stopped")
    if STOP.is_open(vm):
        raise ResourceInUse(f"id: whether instance {vm.uuid} has stopped is being looked into")
    VM.fire(vm, "StopRequested")
    STOP.ask(vm)


def _stopped(vm: VirtualMachine) -> None:
    VM.fire(vm, "OperationSucceeded")
    down(vm)


@atomically
def down(vm: VirtualMachine) -> None:
    """What a machine that does not run no longer holds; and what it was asked meanwhile has an answer now."""
    placement.unreserve(vm)
    nics.unreserve_all(vm)
    disks.settle_of(vm)
    cards.settle_of(vm)


@atomically
def found_off(vm: VirtualMachine) -> None:
    """It ended by itself: its guest shut it down, or its process died."""
    VM.fire(vm, "FollowAgentPowerOffReport")
    down(vm)


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
        told = f"instance {vm.uuid} was not rebooted; try again later"
        raise ResourceUnavailable(f"instance {vm.uuid} was not rebooted: {error}", tenant=told) from error
    except Unknown as error:
        told = f"whether instance {vm.uuid} was rebooted is not known"
        raise ResourceUnavailable(f"{told}: its host did not answer in time", tenant=told) from error
    return vm


def _host(vm: VirtualMachine) -> Any:
    if vm.host is None:
        raise InvalidParameter(f"id: instance {vm.uuid} is on no host")
    return vm.host


def destroy(
    *, vm: VirtualMachine, volumes: Sequence[Volume], force: bool, expunge: bool, by_admin: bool
) -> VirtualMachine:
    """Down first, then aside or gone: the one is whole when the other begins."""
    instances.check_destroyable(vm)
    if expunge:
        instances.check_allowed(vm, by_admin)
    _check_volumes(vm, volumes)
    if vm.state == S.RUNNING:
        stop(vm=vm, force=force)
    instances.destroy(vm=vm, data=[volume.pk for volume in volumes], for_good=expunge)
    return vm


def _check_volumes(vm: VirtualMachine, volumes: Sequence[Volume]) -> None:
    mine = set(Volume.all_tenants.filter(attachment__vm=vm, kind=Volume.Kind.DATADISK).values_list("pk", flat=True))
    for volume in volumes:
        if volume.pk not in mine:
            raise InvalidParameter(f"volumeids: {volume.uuid} is no data volume of instance {vm.uuid}")
        if volume.delete_protection:
            raise InvalidParameter(f"volumeids: volume {volume.uuid} is protected against deletion")
