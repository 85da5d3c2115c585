"""A fresh root disk. The old one is given up in the transaction that orders the new one."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.compute.services import instances, orders, passwords, power
from apps.core import ports
from apps.core.errors import InvalidParameter
from apps.core.retry import atomically
from apps.images.models import Template
from apps.jobs.models import FlowRun
from apps.machines.models import Attachment, VirtualMachine
from apps.machines.states import VM
from apps.storage.flows.expunge import begin_expunge
from apps.storage.models import Volume
from apps.storage.services import sizes, volumes

S, V = VirtualMachine.State, Volume.State


def restore(*, vm: VirtualMachine, template: Template | None, root_size: int | None) -> VirtualMachine | FlowRun:
    """A running instance is stopped first and started again. All that can be refused is refused before."""
    if vm.state not in (S.RUNNING, S.STOPPED):
        raise InvalidParameter(f"virtualmachineid: instance {vm.uuid} is {vm.state}")
    source = orders.check_template(template or vm.template, vm.zone)
    _check_kind(vm, source)
    old = _root(vm).volume
    size = _size(source, old, root_size)
    _check_limits(vm, size - old.size)
    was_running = vm.state == S.RUNNING
    power.stop(vm=vm)
    return _swap(vm, source, size, and_start=was_running)


def _check_kind(vm: VirtualMachine, source: Template) -> None:
    if source.is_iso != bool(vm.template and vm.template.is_iso):
        raise InvalidParameter("templateid: an instance from an ISO stays one, and one from a template too")
    if not source.is_iso and source.hypervisor != vm.hypervisor:
        raise InvalidParameter(f"templateid: template {source.name} is made for {source.hypervisor}")


def _root(vm: VirtualMachine) -> Attachment:
    rows = Attachment.objects.filter(vm=vm, device_id=Attachment.ROOT_DEVICE)
    root = rows.select_related("volume__owner__domain").first()
    if root is None:
        raise InvalidParameter(f"virtualmachineid: instance {vm.uuid} has no root disk")
    if root.volume.state not in (V.ALLOCATED, V.READY):
        raise InvalidParameter(f"virtualmachineid: the root disk of the instance is {root.volume.state}")
    return root


def _size(source: Template, old: Volume, root_size: int | None) -> int:
    if root_size is None:
        return max(old.size, source.size_bytes)
    size = sizes.largest(root_size, "rootdisksize")
    if size < source.size_bytes:
        least = -(-source.size_bytes // sizes.GIB)
        raise InvalidParameter(f"rootdisksize: template {source.name} needs {least} GiB or more")
    return size


@atomically
def _check_limits(vm: VirtualMachine, more: int) -> None:
    """Asked for and given back: a machine is not stopped for a disk that its owner may not have."""
    if more > 0:
        with transaction.atomic():
            ports.limits.one().take(vm.owner, {"primary_storage": more})
            transaction.set_rollback(True)


@atomically
def _swap(vm: VirtualMachine, source: Template, size: int, and_start: bool) -> VirtualMachine | FlowRun:
    """And the start, if one is due, in the same transaction: nothing is restored and then forgotten."""
    VM.fire(vm, "RestoringRequested")
    root = _root(vm)
    old = root.volume
    root.delete()
    if volumes.give_up(old):
        begin_expunge([old.pk])
    fresh = volumes.allocate(
        owner=vm.owner,
        zone=vm.zone,
        name=old.name,
        size=size,
        kind=Volume.Kind.ROOT,
        offering=old.offering,
        template=None if source.is_iso else source,
        is_displayed=old.is_displayed,
        attached_at=timezone.now(),
    )
    Attachment.objects.create(vm=vm, volume=fresh, device_id=Attachment.ROOT_DEVICE)
    _change(vm, template=source, os_type=source.os_type, **_password(vm, source))
    VM.fire(vm, "RestoringSuccess")
    return instances.start(vm) if and_start else vm


def _password(vm: VirtualMachine, source: Template) -> dict[str, Any]:
    """The fresh system asks for one if its template does: the one there is, or a new one that is told."""
    if source.password_enabled and not vm.password:
        return {"password": passwords.sealed_for(source), "password_told": False}
    return {} if source.password_enabled else {"password": ""}


def _change(vm: VirtualMachine, **columns: Any) -> None:
    for name, value in columns.items():
        setattr(vm, name, value)
    vm.save(update_fields=[*columns, "updated"])
