"""What is in the drive of a machine."""

from typing import Any

from apps.compute.flows.insert import INSERT, Insert
from apps.core.errors import InvalidParameter
from apps.core.retry import atomically
from apps.images.models import Template
from apps.jobs.flows import begin
from apps.machines.models import VirtualMachine

S = VirtualMachine.State


@atomically
def attach(*, vm: VirtualMachine, iso: Template) -> Any:
    if not iso.is_iso:
        raise InvalidParameter(f"id: {iso.name} is no ISO")
    if not iso.copies.filter(zone=vm.zone_id, state="Ready").exists():
        raise InvalidParameter(f"id: ISO {iso.name} is not ready in the zone of the instance")
    if vm.iso_id:
        raise InvalidParameter(f"virtualmachineid: instance {vm.uuid} has an ISO in its drive; detach it first")
    return _change(vm, iso)


@atomically
def detach(*, vm: VirtualMachine) -> Any:
    if not vm.iso_id:
        raise InvalidParameter(f"virtualmachineid: instance {vm.uuid} has no ISO in its drive")
    return _change(vm, None)


def _change(vm: VirtualMachine, iso: Template | None) -> Any:
    if vm.state == S.RUNNING:
        return begin(INSERT, Insert(vm_id=vm.pk, iso_id=iso.pk if iso else None, old_id=vm.iso_id))
    if vm.state != S.STOPPED:
        raise InvalidParameter(f"virtualmachineid: instance {vm.uuid} is {vm.state}")
    vm.iso = iso
    vm.save(update_fields=["iso", "updated"])
    return vm
