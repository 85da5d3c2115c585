"""Give a machine with its disks to another account. Cards stay behind: they are in networks of the old one."""

from collections.abc import Sequence
from typing import Any

from apps.compute.models import AffinityMember, GroupMember
from apps.compute.services import changes, instances, networking, orders, security
from apps.core.errors import InvalidParameter, ResourceInUse
from apps.core.ownership import reassign
from apps.core.retry import atomically
from apps.firewall.models import Member, Rule, StaticNat
from apps.jobs import locks
from apps.machines.models import Attachment, Nic, VirtualMachine
from apps.machines.services import nics
from apps.network.models import Network
from apps.storage.models import Volume

V = Volume.State


@atomically
def assign(
    *, vm: VirtualMachine, owner: Any, networks: Sequence[Network], security_groups: Sequence[Any]
) -> VirtualMachine:
    """All or nothing: limits, networks and names of the new owner are asked for as at a deployment."""
    _check(vm, owner)
    disks = _disks(vm)
    offerings = [disk.offering for disk in disks]
    orders.check_reach(
        owner, serviceofferingid=[vm.offering], templateid=[_living(vm.template)], diskofferingid=offerings
    )
    for nic in Nic.all_tenants.filter(vm=vm).select_related("address__range", "vm").order_by("network"):
        nics.release(nic)
    for groups in (AffinityMember, GroupMember, Member):
        groups.objects.filter(vm=vm).delete()
    for row in (vm, *disks):
        reassign(row, owner)
    wanted = networking.order(owner, vm.zone, networks, (), None, None)
    instances.connect(vm, wanted, security.chosen(owner, security_groups, ()))
    return vm


def _check(vm: VirtualMachine, owner: Any) -> None:
    if owner.pk == vm.owner_id:
        raise InvalidParameter(f"account: instance {vm.uuid} is of account {owner.name} already")
    if owner.state == "disabled":
        raise InvalidParameter(f"account: {owner.name} is disabled: nothing new can belong to it")
    changes.hold_stopped(vm, "giving it to another account")
    if Rule.all_tenants.filter(vm=vm).exists() or StaticNat.objects.filter(vm=vm).exists():
        raise ResourceInUse(f"virtualmachineid: rules lead to instance {vm.uuid}; delete them first")


def _disks(vm: VirtualMachine) -> list[Volume]:
    held = Attachment.objects.filter(vm=vm).select_related("volume__owner__domain", "volume__offering")
    disks = [attachment.volume for attachment in held.order_by("volume_id")]
    for disk in disks:
        if disk.state not in (V.ALLOCATED, V.READY):
            raise ResourceInUse(f"virtualmachineid: volume {disk.uuid} of the instance is {disk.state}")
    if locks.held(row.lock_key for row in (vm, *disks)):
        raise ResourceInUse(f"virtualmachineid: a job works on instance {vm.uuid}; try again when it has ended")
    return disks


def _living(template: Any) -> Any:
    return None if template is None or template.removed else template
