"""Instance groups: a name that a customer gives to some machines."""

from typing import Any

from apps.compute.models import GroupMember, InstanceGroup
from apps.core.errors import InvalidParameter
from apps.core.ownership import admit, release
from apps.core.retry import atomically
from apps.machines.models import VirtualMachine


def create(*, owner: Any, name: str) -> InstanceGroup:
    check_name(owner, name)
    return admit(InstanceGroup, owner, name=name)


def check_name(owner: Any, name: str, besides: int | None = None) -> None:
    if InstanceGroup.all_tenants.filter(owner=owner, name=name).exclude(pk=besides).exists():
        raise InvalidParameter(f"name: there is an instance group {name} already")


def rename(*, group: InstanceGroup, name: str | None) -> InstanceGroup:
    if name == "":
        raise InvalidParameter("name: a group has a name")
    if name is not None:
        check_name(group.owner, name, besides=group.pk)
        group.name = name
        group.save(update_fields=["name"])
    return group


@atomically
def delete(*, group: InstanceGroup) -> None:
    """Its machines stay, in no group."""
    GroupMember.objects.filter(group=group).delete()
    release(group)


@atomically
def put(vm: VirtualMachine, name: str) -> None:
    """Into the owner's group of this name, which is made if there is none; "" takes the machine out of any."""
    GroupMember.objects.filter(vm=vm).delete()
    if name:
        found = InstanceGroup.all_tenants.filter(owner=vm.owner_id, name=name).first()
        GroupMember.objects.create(vm=vm, group=found or admit(InstanceGroup, vm.owner, name=name))
