"""A fresh root disk. The old one is given up in the transaction that orders the new one."""

from django.utils import timezone

from apps.compute.services import instances, orders, power
from apps.core.errors import InvalidParameter
from apps.core.retry import atomically
from apps.images.models import Template
from apps.jobs.models import FlowRun
from apps.machines.models import Attachment, VirtualMachine
from apps.machines.states import VM
from apps.storage.flows.expunge import begin_expunge
from apps.storage.models import Volume
from apps.storage.services import sizes, volumes

S = VirtualMachine.State


def restore(*, vm: VirtualMachine, template: Template | None, root_size: int | None) -> VirtualMachine | FlowRun:
    """A running instance is stopped first and started again."""
    if vm.state not in (S.RUNNING, S.STOPPED):
        raise InvalidParameter(f"virtualmachineid: instance {vm.uuid} is {vm.state}")
    source = orders.check_template(template or vm.template, vm.zone, "")
    root = _root(vm)
    size = _size(source, root, root_size)
    if source.is_iso != bool(vm.template and vm.template.is_iso):
        raise InvalidParameter("templateid: an instance from an ISO stays one, and one from a template too")
    was_running = vm.state == S.RUNNING
    power.stop(vm=vm)
    _swap(vm, root, source, size)
    return instances.start(vm) if was_running else vm


def _root(vm: VirtualMachine) -> Attachment:
    rows = Attachment.objects.filter(vm=vm, device_id=Attachment.ROOT_DEVICE)
    root = rows.select_related("volume__owner__domain").first()
    if root is None:
        raise InvalidParameter(f"virtualmachineid: instance {vm.uuid} has no root disk")
    return root


def _size(source: Template, root: Attachment, root_size: int | None) -> int:
    size = sizes.largest(root_size, "rootdisksize") if root_size is not None else root.volume.size
    if size < source.size_bytes:
        if root_size is not None:
            raise InvalidParameter(f"rootdisksize: template {source.name} needs {source.size_bytes} bytes or more")
        return source.size_bytes
    return size


@atomically
def _swap(vm: VirtualMachine, root: Attachment, source: Template, size: int) -> None:
    VM.fire(vm, "RestoringRequested")
    old = root.volume
    root.delete()
    if volumes.give_up(old):
        begin_expunge([old.pk])
    fresh = volumes.allocate(
        owner=vm.owner,
        zone=vm.zone,
        name=f"ROOT-{vm.pk}",
        size=size,
        kind=Volume.Kind.ROOT,
        offering=old.offering,
        template=None if source.is_iso else source,
        is_displayed=old.is_displayed,
        attached_at=timezone.now(),
    )
    Attachment.objects.create(vm=vm, volume=fresh, device_id=Attachment.ROOT_DEVICE)
    vm.template, vm.os_type = source, source.os_type
    vm.save(update_fields=["template", "os_type", "updated"])
    VM.fire(vm, "RestoringSuccess")
