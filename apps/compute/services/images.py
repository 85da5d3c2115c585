"""What is in the drive of a machine."""

from typing import Any

from apps.compute.flows.insert import INSERT, Insert
from apps.core.errors import InvalidParameter
from apps.core.retry import atomically
from apps.images.models import Template
from apps.jobs.flows import begin
from apps.machines.models import VirtualMachine
from apps.machines.services.holding import hold
from apps.storage.models import Volume

S, V = VirtualMachine.State, Volume.State


@atomically
def attach(*, vm: VirtualMachine, iso: Template) -> Any:
    if not iso.is_iso:
        raise InvalidParameter(f"id: {iso.name} is no ISO")
    if not iso.copies.filter(zone=vm.zone_id, state="Ready", removed=None).exists():
        raise InvalidParameter(f"id: ISO {iso.name} is not ready in the zone of the instance")
    if vm.iso_id:
        raise InvalidParameter(f"virtualmachineid: instance {vm.uuid} has an ISO in its drive; detach it first")
    return _change(vm, iso)


@atomically
def detach(*, vm: VirtualMachine, iso: Template | None = None) -> Any:
    if not vm.iso_id:
        raise InvalidParameter(f"virtualmachineid: instance {vm.uuid} has no ISO in its drive")
    if iso is not None and iso.pk != vm.iso_id:
        raise InvalidParameter(f"id: ISO {iso.name} is not in the drive of instance {vm.uuid}")
    return _change(vm, None)


def _change(vm: VirtualMachine, iso: Template | None) -> Any:
    hold(vm)
    if vm.state == S.RUNNING:
        return begin(INSERT, Insert(vm_id=vm.pk, iso_id=iso.pk if iso else None, old_id=vm.iso_id))
    if vm.state != S.STOPPED:
        raise InvalidParameter(f"virtualmachineid: instance {vm.uuid} is {vm.state}")
    vm.iso = iso
    vm.save(update_fields=["iso", "updated"])
    return vm


def in_use(template: Template) -> str:
    """Why it cannot be deleted: it is in a drive, or a disk is still to be made from it."""
    if drives := VirtualMachine.all_tenants.filter(iso=template).count():
        return f"in the drive of {_some(drives)}"
    if disks := Volume.all_tenants.filter(template=template, state__in=(V.ALLOCATED, V.CREATING)).count():
        return f"what the root disk of {_some(disks)} will be made from"
    return ""


def _some(number: int) -> str:
    return f"{number} instance{'s' if number > 1 else ''}"
