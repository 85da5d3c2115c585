"""A machine is given to another account, with its disks and without its networks and groups."""

import pytest

from apps.compute.models import AffinityMember, GroupMember
from apps.compute.services import disks
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.core.models import Tag
from apps.firewall.services import nat
from apps.limits.models import Counter
from apps.limits.services import set_limit
from apps.machines.models import Attachment, Nic
from apps.network.models import Network
from apps.network.services import public
from apps.storage.models import Volume
from tests.compute.world import check

NOT_YOURS = "Caller does not have permission to operate with provided resource."


@pytest.fixture
def bob(make, world):
    return make.account("bob", make.domain())


@pytest.fixture
def down(world):
    world.template.is_public = True
    world.template.save(update_fields=["is_public"])
    order = {"name": "db", "startvm": False, "diskofferingid": world.disk_offering(5), "group": "front"}
    return world.deploy(**order, networkids=[world.isolated(), world.shared])


def assign(world, vm, owner, caller=None, **more):
    whose = {"account": owner.name, "domainid": owner.domain.uuid}
    return world.do("assignVirtualMachine", caller or world.root, **{"virtualmachineid": vm.uuid, **whose, **more})


def used(account):
    return dict(Counter.objects.filter(account=account, used__gt=0).values_list("kind", "used"))


def refused(world, vm, owner, text, code=431, caller=None, **more):
    """And nothing changes."""
    before = (used(vm.owner), used(owner), list(Nic.all_tenants.values_list("uuid", "ip")), GroupMember.objects.count())

    with pytest.raises(CloudError, match=f"^{text}$") as error:
        assign(world, vm, owner, caller, **more)

    assert error.value.code == code
    assert world.read(vm).owner == vm.owner
    after = (used(vm.owner), used(owner), list(Nic.all_tenants.values_list("uuid", "ip")), GroupMember.objects.count())
    assert after == before
    check(world)


def test_all_of_it_goes_and_what_ties_it_to_the_old_account_stays(world, make, bob, down):
    world.do("createTags", resourceids=down.uuid, resourcetype="UserVm", tags=[{"key": "a", "value": "b"}])
    affinity = make.row("compute.AffinityGroup", down.owner)
    world.do("updateVMAffinityGroup", id=down.uuid, affinitygroupids=affinity.uuid)
    before = used(down.owner)

    answer = assign(world, down, bob)["virtualmachine"]

    assert (answer["account"], answer["name"], answer["state"]) == ("bob", "db", "Stopped")
    assert {volume.owner for volume in Volume.all_tenants.filter(attachment__vm=down)} == {bob}
    net = Network.all_tenants.get(owner=bob)
    assert [nic.network for nic in Nic.all_tenants.filter(vm=down)] == [net]
    assert (GroupMember.objects.count(), AffinityMember.objects.count(), Tag.objects.get().owner) == (0, 0, bob)
    gone = {"user_vm", "cpu", "memory", "volume", "primary_storage"}
    assert used(bob) == {**{kind: before[kind] for kind in gone}, "network": 1}
    assert used(down.owner) == {kind: n for kind, n in before.items() if kind not in gone}
    check(world)
    world.do("startVirtualMachine", world.root, id=down.uuid)
    check(world)


def test_the_networks_are_those_that_were_named(world, bob, down):
    mine = world.isolated(bob, name="bobs")

    assign(world, down, bob, networkids=[mine.uuid, world.shared.uuid])

    cards = Nic.all_tenants.filter(vm=down).order_by("device_id").values_list("network", "is_default")
    assert list(cards) == [(mine.pk, True), (world.shared.pk, False)]
    check(world)


def test_what_forbids_it_is_said(world, make, bob, down, vm):
    text = f"id: instance {vm.uuid} is Running: stop it before giving it to another account"
    refused(world, vm, bob, text)
    refused(world, down, down.owner, f"account: instance {down.uuid} is of account alice already")
    _source, address = (
        public.acquire(owner=down.owner, zone=world.zone, network=Network.all_tenants.get(name="net")) for _ in range(2)
    )
    nat.enable_static_nat(address=address, vm=down)
    text = f"virtualmachineid: rules lead to instance {down.uuid}; delete them first"
    refused(world, down, bob, text, 536)
    nat.disable_static_nat(address=address)
    refused(world, down, bob, "networkids: network .*", 531, networkids=Network.all_tenants.get(name="net").uuid)
    world.deploy(name="other", startvm=False)
    world.template.is_public = False
    world.template.save(update_fields=["is_public"])
    refused(world, down, bob, "templateid: debian is not for account bob", 531)


@pytest.mark.parametrize("kind", ["user_vm", "cpu", "memory", "volume", "primary_storage", "network"])
def test_the_limits_of_the_new_account_hold(world, bob, down, kind):
    set_limit(kind=kind, limit=0, account=bob)

    refused(world, down, bob, f"Maximum amount of resources of Type = '{kind}'.*", 535)


def test_a_name_that_is_taken_in_the_new_network_is_refused(world, make, bob, down):
    mine = world.isolated(bob, name="bobs")
    whose = {"account": "bob", "domainid": bob.domain.uuid}
    world.deploy(world.root, name="DB", networkids=mine, **whose)

    text = "name: there is an instance named db in one of its networks already"
    refused(world, down, bob, text, networkids=mine.uuid)


def test_a_machine_or_a_disk_that_a_job_works_on_is_not_given_away(world, bob, down):
    world.submit("startVirtualMachine", id=down.uuid)

    with pytest.raises(CloudError, match="a job works on instance") as error:
        assign(world, down, bob)

    assert (error.value.code, world.read(down).owner) == (536, down.owner)


def test_a_disk_that_is_attached_at_this_moment_does_not_stay_behind(world, make, bob, down):
    """The command read the machine before it was given away."""
    stale, volume = world.read(down), make.volume(down.owner)
    assign(world, down, bob)

    with pytest.raises(CloudError) as error:
        disks.attach_volume(volume=volume, vm=stale)

    assert (error.value.code, Attachment.objects.filter(volume=volume).exists()) == (536, False)
    check(world)


def test_administrators_give_what_is_in_their_reach_to_whom_is_in_their_reach(world, make, bob, down):
    far = make.domain("far", make.domain())
    stranger = make.account("carol", far)
    admin = make.caller("dora", far, kind=Kind.DOMAIN_ADMIN)
    top = make.caller("tom", make.domain(), kind=Kind.DOMAIN_ADMIN)

    refused(world, down, stranger, NOT_YOURS, 531, admin)
    with pytest.raises(CloudError) as error:
        assign(world, down, bob, world.alice)
    assert error.value.code == 432
    with pytest.raises(CloudError, match="^account: say, with domainid, whose the instance shall be; or projectid$"):
        world.do("assignVirtualMachine", top, virtualmachineid=down.uuid)
    project = make.project(bob, name="p", domain=far)
    whose = {"account": None, "domainid": None, "projectid": project.uuid}
    answer = assign(world, down, bob, top, **whose)["virtualmachine"]
    assert (answer["project"], "account" in answer) == ("p", False)
    check(world)
