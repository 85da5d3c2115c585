"""Data volumes into machines and out of them: which, where, when. The three outcomes are in test_volume_attachments."""

import pytest

from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.images.models import HypervisorCapabilities
from apps.infrastructure.models import Cluster, Host, Zone
from apps.machines.models import Attachment
from apps.storage.models import StoragePool, Volume
from tests.compute.world import check
from tests.conftest import unknown

NOT_YOURS = "Caller does not have permission to operate with provided resource."
BOTH = pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])


@pytest.fixture
def volume(world):
    return world.make.volume(world.alice.account)


def held(vm):
    return dict(Attachment.objects.filter(vm=vm, device_id__gt=0).values_list("device_id", "volume"))


def refused(world, command, text, code=431, caller=None, **params):
    """And nothing changes."""
    before = list(Attachment.objects.order_by("pk").values_list("vm", "volume", "device_id"))
    states = dict(Volume.all_tenants.values_list("pk", "state"))
    calls = list(world.cloud.calls)

    with pytest.raises(CloudError, match=f"^{text}$") as error:
        world.do(command, caller, **params)

    assert error.value.code == code
    assert list(Attachment.objects.order_by("pk").values_list("vm", "volume", "device_id")) == before
    assert (dict(Volume.all_tenants.values_list("pk", "state")), world.cloud.calls) == (states, calls)


@BOTH
def test_a_volume_goes_in_and_out_and_is_there_at_the_next_start(world, volume, running):
    vm = world.deploy(startvm=running)

    answer = world.do("attachVolume", id=volume.uuid, virtualmachineid=vm.uuid)["volume"]

    told = (answer["virtualmachineid"], answer["deviceid"], answer["vmstate"], "attached" in answer)
    assert told == (str(vm.uuid), 1, "Running" if running else "Stopped", True)
    assert answer["state"] == ("Ready" if running else "Allocated")
    check(world)
    if not running:
        world.do("startVirtualMachine", id=vm.uuid)
        check(world)
        world.do("stopVirtualMachine", id=vm.uuid)

    answer = world.do("detachVolume", id=volume.uuid)["volume"]
    assert ("virtualmachineid" in answer, "attached" in answer) == (False, False)
    check(world)


@BOTH
def test_slots_are_numbered_past_the_drive_and_chosen(world, make, running):
    vm = world.deploy(startvm=running)
    volumes = [make.volume(world.alice.account) for _ in range(5)]

    world.do("attachVolume", id=volumes[0].uuid, virtualmachineid=vm.uuid, deviceid=5)
    for row in volumes[1:4]:
        world.do("attachVolume", id=row.uuid, virtualmachineid=vm.uuid)

    assert held(vm) == {5: volumes[0].pk, 1: volumes[1].pk, 2: volumes[2].pk, 4: volumes[3].pk}
    params = {"id": volumes[4].uuid, "virtualmachineid": vm.uuid}
    text = "deviceid: a data disk is in slot 1, 2, 4, 5, 6, 7, not 3"
    refused(world, "attachVolume", text, **params, deviceid=3)
    text = "deviceid: there is a data disk in slot 4 already"
    refused(world, "attachVolume", text, 536, **params, deviceid=4)
    HypervisorCapabilities(hypervisor="Simulator", max_data_volumes=4).save()
    text = "virtualmachineid: an instance on Simulator has 4 data disks at most"
    refused(world, "attachVolume", text, **params)
    check(world)


@BOTH
def test_a_volume_is_taken_out_by_its_machine_and_slot(world, volume, running):
    vm = world.deploy(startvm=running)
    world.do("attachVolume", id=volume.uuid, virtualmachineid=vm.uuid, deviceid=2)

    refused(
        world, "detachVolume", f"deviceid: instance {vm.uuid} has no volume at 1", virtualmachineid=vm.uuid, deviceid=1
    )
    text = "id cannot be given together with virtualmachineid or deviceid"
    refused(world, "detachVolume", text, id=volume.uuid, virtualmachineid=vm.uuid)
    refused(world, "detachVolume", "id: say the volume, or virtualmachineid and deviceid", virtualmachineid=vm.uuid)
    refused(world, "detachVolume", "id: say the volume, or virtualmachineid and deviceid")
    answer = world.do("detachVolume", virtualmachineid=vm.uuid, deviceid=2)["volume"]

    assert (answer["id"], held(vm)) == (str(volume.uuid), {})
    check(world)


def test_a_volume_that_cannot_be_attached_is_refused(world, make, volume, vm):
    params = {"id": volume.uuid, "virtualmachineid": vm.uuid}
    bobs = make.volume(make.account("bob", make.domain()))
    (far := Zone(name="far", allocation_state="Enabled")).save()
    elsewhere = make.volume(world.alice.account, zone=far)

    text = "virtualmachineid: the instance is of another account than the volume"
    refused(world, "attachVolume", text, 431, world.root, id=bobs.uuid, virtualmachineid=vm.uuid)
    text = "virtualmachineid: the instance is in another zone than the volume"
    refused(world, "attachVolume", text, id=elsewhere.uuid, virtualmachineid=vm.uuid)
    root = world.root_disk(vm)
    text = f"id: volume {root.uuid} is attached to an instance already"
    refused(world, "attachVolume", text, 536, id=root.uuid, virtualmachineid=vm.uuid)
    refused(world, "detachVolume", f"id: volume {volume.uuid} is not attached", id=volume.uuid)
    text = f"id: volume {root.uuid} is the root disk of its instance and stays there"
    refused(world, "detachVolume", text, id=root.uuid)
    world.do("attachVolume", **params)
    text = f"id: volume {volume.uuid} is attached to an instance already"
    refused(world, "attachVolume", text, 536, **params)
    check(world)


def test_a_machine_that_was_put_aside_gives_volumes_and_takes_none(world, make, volume):
    vm = world.deploy(diskofferingid=world.disk_offering(5))
    world.do("destroyVirtualMachine", id=vm.uuid)

    text = f"virtualmachineid: instance {vm.uuid} is Destroyed: attaching is not possible"
    refused(world, "attachVolume", text, id=volume.uuid, virtualmachineid=vm.uuid)
    data = world.data_disk(vm)
    world.do("detachVolume", id=data.uuid)

    assert held(vm) == {}
    check(world)


def test_a_running_machine_takes_only_what_its_host_reaches(world, make, vm):
    pod = make.row("infrastructure.Pod", None)
    clusters = [Cluster.all_tenants.create(zone=world.zone, pod=pod, name=n, hypervisor="Fake") for n in "ab"]
    Host.all_tenants.filter(pk=vm.host_id).update(cluster=clusters[0])
    near, far = (
        StoragePool.all_tenants.create(zone=world.zone, cluster=cluster, name=cluster.name) for cluster in clusters
    )
    for pool, works in ((far, False), (near, True)):
        row = make.volume(world.alice.account, state="Ready", pool=pool)
        StoragePool.all_tenants.filter(pk=pool.pk).kernel_update(used_bytes=row.size)
        world.cloud.disks[str(row.uuid)] = row.size
        params = {"id": row.uuid, "virtualmachineid": vm.uuid}
        if works:
            world.do("attachVolume", **params)
        else:
            text = f"id: volume {row.uuid} is on storage that the running instance does not reach"
            refused(world, "attachVolume", text, **params)


def test_volumes_and_machines_of_others_are_531(world, make, volume, vm):
    domain = make.domain("b", make.domain())
    bob, admin = make.caller("bob", domain), make.caller("ada", domain, kind=Kind.DOMAIN_ADMIN)
    own = make.volume(bob.account)

    for caller in (bob, admin):
        refused(world, "attachVolume", NOT_YOURS, 531, caller, id=volume.uuid, virtualmachineid=vm.uuid)
        refused(world, "attachVolume", NOT_YOURS, 531, caller, id=own.uuid, virtualmachineid=vm.uuid)
        refused(world, "detachVolume", NOT_YOURS, 531, caller, id=volume.uuid)
    refused(world, "attachVolume", ".*Invalid parameter id.*", id=unknown(), virtualmachineid=vm.uuid)
    refused(world, "attachVolume", ".*Invalid parameter virtualmachineid.*", id=volume.uuid, virtualmachineid=unknown())
    top = make.caller("dora", make.domain(), kind=Kind.DOMAIN_ADMIN)
    world.do("attachVolume", top, id=volume.uuid, virtualmachineid=vm.uuid)
    assert held(vm) == {1: volume.pk}
    check(world)
