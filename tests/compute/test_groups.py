"""Instance groups and affinity groups."""

import pytest

from apps.compute.models import AffinityGroup, AffinityMember, GroupMember, InstanceGroup
from apps.compute.services import affinity as services
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.core.ownership import release
from tests.compute.world import check
from tests.conftest import unknown

NOT_YOURS = "Caller does not have permission to operate with provided resource."


def refused(world, command, text, code=431, caller=None, **params):
    """And nothing changes."""
    models = (InstanceGroup, AffinityGroup)
    before = [list(model.all_tenants.order_by("pk").values_list("pk", "name")) for model in models]
    members = [list(model.objects.values_list("vm", "group")) for model in (GroupMember, AffinityMember)]

    with pytest.raises(CloudError, match=f"^{text}$") as error:
        world.do(command, caller, **params)

    assert error.value.code == code
    assert [list(model.all_tenants.order_by("pk").values_list("pk", "name")) for model in models] == before
    assert [list(model.objects.values_list("vm", "group")) for model in (GroupMember, AffinityMember)] == members


def test_an_instance_group_is_made_renamed_listed_and_deleted(world, vm):
    group = world.do("createInstanceGroup", name="front")["instancegroup"]
    assert (group["name"], group["account"]) == ("front", "alice")
    world.do("updateVirtualMachine", id=vm.uuid, group="front")

    renamed = world.do("updateInstanceGroup", id=group["id"], name="back")["instancegroup"]
    assert renamed["name"] == "back"
    found = world.do("listVirtualMachines", groupid=group["id"])["virtualmachine"]
    assert [(row["id"], row["group"], row["groupid"]) for row in found] == [(str(vm.uuid), "back", group["id"])]
    assert world.do("listInstanceGroups", name="Back")["count"] == 1
    assert world.do("listInstanceGroups", name="front") == {}
    assert world.do("deleteInstanceGroup", id=group["id"]) == {"success": True}
    assert "group" not in world.do("listVirtualMachines")["virtualmachine"][0]
    check(world)


def test_a_machine_is_in_one_group_and_leaves_it_for_none(world, vm):
    for name in ("a", "b", "b", ""):
        world.do("updateVirtualMachine", id=vm.uuid, group=name)
        assert list(GroupMember.objects.values_list("group__name", flat=True)) == ([name] if name else [])

    assert set(InstanceGroup.all_tenants.values_list("name", flat=True)) == {"a", "b"}


def test_instance_groups_have_names_of_their_own(world, make):
    first = world.do("createInstanceGroup", name="a")["instancegroup"]
    world.do("createInstanceGroup", name="b")
    bob = make.caller("bob", make.domain("b", make.domain()))
    world.do("createInstanceGroup", bob, name="a")

    refused(world, "createInstanceGroup", "name: there is an instance group a already", name="a")
    refused(world, "updateInstanceGroup", "name: there is an instance group b already", id=first["id"], name="b")
    refused(world, "updateInstanceGroup", "name: an instance group has a name", id=first["id"], name="")
    refused(world, "createInstanceGroup", "Invalid value provided for API arg: name", name="")
    for command in ("updateInstanceGroup", "deleteInstanceGroup"):
        refused(world, command, NOT_YOURS, 531, bob, id=first["id"], name="x")
        refused(world, command, ".*Invalid parameter id.*", 431, bob, id=unknown(), name="x")


def affinity(world, name="apart", kind="host anti-affinity", caller=None, **more):
    return world.do("createAffinityGroup", caller, name=name, type=kind, **more)["affinitygroup"]


def test_an_affinity_group_is_made_joined_listed_and_left(world, make):
    group = affinity(world, description="no two on one host")
    assert (group["type"], group["description"]) == ("host anti-affinity", "no two on one host")
    vm, other = world.deploy(affinitygroupids=group["id"]), world.deploy(startvm=False)

    listed = world.do("listAffinityGroups", virtualmachineid=vm.uuid)["affinitygroup"]
    assert [(row["id"], row["virtualmachineIds"]) for row in listed] == [(group["id"], [str(vm.uuid)])]
    assert world.do("listAffinityGroups", virtualmachineid=other.uuid) == {}
    assert world.do("listAffinityGroups", type="host affinity") == {}
    found = world.do("listVirtualMachines", affinitygroupid=group["id"])["virtualmachine"]
    assert [(row["id"], [g["name"] for g in row["affinitygroup"]]) for row in found] == [(str(vm.uuid), ["apart"])]
    bob = make.caller("bob", make.domain("b", make.domain()))
    assert world.do("listAffinityGroups", bob, virtualmachineid=vm.uuid) == {}

    answer = world.do("updateVMAffinityGroup", id=other.uuid, affinitygroupnames="apart")["virtualmachine"]
    assert [g["id"] for g in answer["affinitygroup"]] == [group["id"]]
    answer = world.do("updateVMAffinityGroup", id=other.uuid, affinitygroupids="")["virtualmachine"]
    assert answer["affinitygroup"] == []
    check(world)


def test_the_machines_of_a_group_that_is_deleted_go_on_without_it(world, vm):
    group = affinity(world)
    vm = world.deploy(affinitygroupids=group["id"])

    assert world.do("deleteAffinityGroup", name="apart") == {"success": True}

    assert (AffinityMember.objects.count(), world.read(vm).state) == (0, "Running")
    assert world.do("listAffinityGroups") == {}
    assert affinity(world)["name"] == "apart"
    check(world)


def test_affinity_groups_that_cannot_be_are_refused(world, make, vm):
    group, other = affinity(world), world.deploy(startvm=False)
    bob = make.caller("bob", make.domain("b", make.domain()))
    foreign = affinity(world, caller=bob)

    text = "type: is one of host affinity, host anti-affinity, not cosy"
    refused(world, "createAffinityGroup", text, name="x", type="cosy")
    text = "name: there is an affinity group apart already"
    refused(world, "createAffinityGroup", text, name="apart", type="host affinity")
    refused(world, "deleteAffinityGroup", NOT_YOURS, 531, id=foreign["id"])
    refused(world, "deleteAffinityGroup", "name: there is no affinity group x", name="x")
    refused(world, "deleteAffinityGroup", "id or name of the group is needed")
    text = f"id: instance {vm.uuid} is Running: stop it before changing its affinity groups"
    refused(world, "updateVMAffinityGroup", text, id=vm.uuid, affinitygroupids=group["id"])
    text = "affinitygroupids: say the groups, or an empty list for none"
    refused(world, "updateVMAffinityGroup", text, id=other.uuid)
    refused(world, "updateVMAffinityGroup", NOT_YOURS, 531, id=other.uuid, affinitygroupids=foreign["id"])
    text = f"affinitygroupids: group {foreign['id']} is of another account than the instance"
    refused(world, "updateVMAffinityGroup", text, 431, world.root, id=other.uuid, affinitygroupids=foreign["id"])
    refused(world, "updateVMAffinityGroup", NOT_YOURS, 531, bob, id=other.uuid, affinitygroupids=foreign["id"])


def test_a_group_that_is_deleted_at_this_moment_is_not_joined(world, make):
    vm, group = world.deploy(startvm=False), make.row("compute.AffinityGroup", world.alice.account)
    release(type(group).all_tenants.get(pk=group.pk))

    with pytest.raises(CloudError, match="^affinitygroupids: one of the groups was deleted at this moment$"):
        services.join(vm, [group])
    assert not AffinityMember.objects.exists()


def test_types_of_affinity_groups_are_listed(world):
    types = [{"type": "host affinity"}, {"type": "host anti-affinity"}]

    assert world.do("listAffinityGroupTypes") == {"count": 2, "affinityGroupType": types}


def test_groups_are_those_of_the_machines_owner_whoever_asks(world, make, vm):
    admin = make.caller("dora", make.domain(), kind=Kind.DOMAIN_ADMIN)

    world.do("updateVirtualMachine", admin, id=vm.uuid, group="front")

    assert InstanceGroup.all_tenants.get().owner == vm.owner
