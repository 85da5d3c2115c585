from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from apps.compute.commands.instances import machine
from apps.compute.commands.responses import AffinityGroupResponse, InstanceGroupResponse, InstanceResponse
from apps.compute.models import AffinityGroup, InstanceGroup
from apps.compute.services import affinity, groups
from apps.core.callers import USER, Access
from apps.core.commands import NO_EVENT, AsyncCommand, Command, CreateCommand, command
from apps.core.lists import MemoryListCommand, OwnedListCommand
from apps.core.refs import Owner, Ref, RefFilter
from apps.core.responses import Plain
from apps.core.wire import List, Str
from apps.machines.models import VirtualMachine


def group(**more: Any) -> Ref:
    return Ref("compute.InstanceGroup", Access.OPERATE, source="group", help_text="the group", **more)


@command("createInstanceGroup", roles=USER, event=NO_EVENT, response=InstanceGroupResponse)
class CreateInstanceGroup(Command):
    """Creates a group of instances."""

    name = Str(required=True, help_text="the name")
    owner = Owner()

    def run(self, owner: Any, name: str) -> InstanceGroup:
        return groups.create(owner=owner, name=name)


@command("updateInstanceGroup", roles=USER, event=NO_EVENT, response=InstanceGroupResponse)
class UpdateInstanceGroup(Command):
    """Renames a group of instances."""

    id = group(required=True)
    name = Str(help_text="the new name")

    def run(self, group: InstanceGroup, name: str | None = None) -> InstanceGroup:
        return groups.rename(group=group, name=name)


@command("deleteInstanceGroup", roles=USER, event=NO_EVENT, response=None)
class DeleteInstanceGroup(Command):
    """Deletes a group; its instances stay."""

    id = group(required=True)

    def run(self, group: InstanceGroup) -> dict[str, Any]:
        groups.delete(group=group)
        return {"success": True}


@command("listInstanceGroups", roles=USER, response=InstanceGroupResponse)
class ListInstanceGroups(OwnedListCommand):
    """Lists groups of instances."""

    model = "compute.InstanceGroup"
    taggable = False
    keyword_in = ("name",)
    filters = {"name": "name"}


@command("createAffinityGroup", roles=USER, event="AG.CREATE", response=AffinityGroupResponse, locks=())
class CreateAffinityGroup(CreateCommand):
    """Creates an affinity group, by which instances are placed on one host or on different ones."""

    name = Str(required=True, help_text="the name")
    type = Str(required=True, source="kind", help_text="host affinity or host anti-affinity")
    description = Str(default="", help_text="what it is for")
    owner = Owner()

    def create(self, owner: Any, name: str, kind: str, description: str) -> AffinityGroup:
        return affinity.create(owner=owner, name=name, kind=kind, description=description)

    def run(self, row: AffinityGroup, **values: Any) -> AffinityGroup:
        return row

    def failed(self, row: AffinityGroup) -> None:
        affinity.delete(group=row)


@command("deleteAffinityGroup", roles=USER, event="AG.DELETE", response=None, locks=("group",))
class DeleteAffinityGroup(AsyncCommand):
    """Deletes an affinity group that no instance is in."""

    id = Ref("compute.AffinityGroup", Access.OPERATE, source="group", help_text="the group")
    name = Str(help_text="its name, instead")
    owner = Owner()

    def run(self, owner: Any, group: AffinityGroup | None = None, name: str | None = None) -> dict[str, Any]:
        affinity.delete(group=group or affinity.named(owner, name))
        return {"success": True}


@command("listAffinityGroups", roles=USER, response=AffinityGroupResponse)
class ListAffinityGroups(OwnedListCommand):
    """Lists affinity groups."""

    model = "compute.AffinityGroup"
    taggable = False
    keyword_in = ("name", "kind")
    filters = {"name": "name", "type": "kind"}
    virtualmachineid = RefFilter("machines.VirtualMachine", "", help_text="list those that this instance is in")

    def narrow(self, rows: QuerySet, given: dict[str, Any]) -> QuerySet:
        vm = given.get("virtualmachineid")
        return rows if vm is None else rows.filter(members__vm=vm)


class AffinityGroupTypeResponse(Plain):
    wire_name = "affinityGroupType"
    fields = {"type": "string"}


@command("listAffinityGroupTypes", roles=USER, response=AffinityGroupTypeResponse)
class ListAffinityGroupTypes(MemoryListCommand):
    """Lists the types that affinity groups can have."""

    def entries(self, keyword: str = "") -> list[dict[str, Any]]:
        return [{"type": kind} for kind in AffinityGroup.Kind.values if keyword.lower() in kind]


@command("updateVMAffinityGroup", roles=USER, event="VM.AG.UPDATE", response=InstanceResponse, locks=("vm",))
class UpdateVMAffinityGroup(AsyncCommand):
    """Puts a stopped instance into these affinity groups, and into no others."""

    id = machine()
    affinitygroupids = List(of=Ref("compute.AffinityGroup", Access.USE), source="groups", help_text="the groups")
    affinitygroupnames = List(source="names", help_text="the groups by name, instead")

    def run(
        self, vm: VirtualMachine, groups: Sequence[AffinityGroup] | None = None, names: Sequence[str] | None = None
    ) -> VirtualMachine:
        return affinity.replace(vm=vm, groups=groups, names=names)
