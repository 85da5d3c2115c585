"""Instance groups: a name that a customer gives to some machines."""

from typing import Any

from django.db import IntegrityError, transaction

from apps.compute.models import GroupMember, InstanceGroup
from apps.core.errors import InvalidParameter
from apps.core.ownership import admit, release
from apps.core.retry import atomically
from apps.machines.models import VirtualMachine


@atomically
def create(*, owner: Any, name: str) -> InstanceGroup:
    if not name:
        raise InvalidParameter("name: an instance group has a name")
    try:
        with transaction.atomic():
            return admit(InstanceGroup, owner, name=name)
    except IntegrityError:
        raise InvalidParameter(f"name: there is an instance group {name} already") from None


@atomically
def rename(*, group: InstanceGroup, name: str | None) -> InstanceGroup:
    if name == "":
        raise InvalidParameter("name: an instance group has a name")
    if name is not None:
        group.name = name
        try:
            with transaction.atomic():
                group.save(update_fields=["name"])
        except IntegrityError:
            raise InvalidParameter(f"name: there is an instance group {name} already") from None
    return group


@atomically
def delete(*, group: InstanceGroup) -> None:
    """Its machines stay, in no group."""
    release(group)
    GroupMember.objects.filter(group=group).delete()


@atomically
def put(vm: VirtualMachine, name: str) -> None:
    """Into the owner's group of this name, which is made if there is none; "" takes the machine out of any."""
    GroupMember.objects.filter(vm=vm).delete()
    if name:
        GroupMember.objects.create(vm=vm, group=_held(vm.owner, name) or _made(vm.owner, name))


def _held(owner: Any, name: str) -> InstanceGroup | None:
    """Until the transaction ends nobody deletes it."""
    return InstanceGroup.all_tenants.select_for_update().filter(owner=owner, name=name).first()


def _made(owner: Any, name: str) -> InstanceGroup:
    try:
        return create(owner=owner, name=name)
    except InvalidParameter:
        if found := _held(owner, name):  # somebody made it at this moment
            return found
        raise
