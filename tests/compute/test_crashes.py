"""The worker is killed at every point of every operation: it ends as if it had been done, or had never begun."""

import pytest

from apps.core.errors import CloudError
from apps.core.models import Question
from apps.jobs.models import Job
from apps.machines.models import Attachment, Nic, VirtualMachine
from apps.network.models import Network
from apps.storage.models import Volume
from tests.compute.world import World, check, settle
from tests.conftest import answer
from tests.crash import matrix


def survives(make, monkeypatch, prepare, command, params, truth, least, every=1):
    """``prepare(world)`` makes the scene, ``params(world)`` what the command is told. ``truth(world)`` describes what
    the command changes: in the end it is what it was, or what it is after the command ran undisturbed.
    """
    seen, world = {}, World(make, monkeypatch)
    prepare(world)
    root, given = world.root, params(world)

    def scene():
        world.again().before = truth(world)
        world.jobid = world.submit(command, root, **given)["jobid"]
        return world

    def verdict(world, lost):
        settle()
        check(world)
        now = truth(world)
        if not seen:  # the dry run, which nobody disturbs
            assert answer(world.jobid)
            seen["after"] = now
            assert now != world.before
        if Job.objects.get(uuid=world.jobid).result_code == 0:
            assert now == seen["after"]
        else:
            with pytest.raises(CloudError):
                answer(world.jobid)
            assert now in (world.before, seen["after"], *getattr(world, "between", ()))

    assert matrix(scene, verdict, every) >= least
    assert not Question.objects.exists()


def machine(**more):
    def prepare(world):
        world.vm = world.deploy(
            name="web", **{name: row(world) if callable(row) else row for name, row in more.items()}
        )

    return prepare


def state(world):
    return list(VirtualMachine.all_tenants.filter(kind="User").values_list("state", flat=True))


def vm_id(world):
    return {"id": world.vm.uuid}


def test_deploying_on_an_isolated_network_with_data_disks(db, make, monkeypatch):
    def prepare(world):
        world.net, world.disk = world.isolated(), world.disk_offering(5)

    def params(world):
        more = [{"diskofferingid": world.disk.uuid}]
        owner = {"account": "alice", "domainid": world.alice.account.domain.uuid}
        return world.order(networkids=world.net, diskofferingid=world.disk, datadisksdetails=more, **owner)

    def truth(world):
        disks = sorted(Volume.all_tenants.values_list("state", flat=True))
        return state(world), disks, Nic.all_tenants.count()

    def failed(world):
        prepare(world)
        world.between = ((["Error"], [], 0),)

    survives(make, monkeypatch, failed, "deployVirtualMachine", params, truth, 40, every=3)


def test_starting(db, make, monkeypatch):
    survives(make, monkeypatch, machine(startvm=False), "startVirtualMachine", vm_id, state, 14)


def test_stopping(db, make, monkeypatch):
    survives(make, monkeypatch, machine(), "stopVirtualMachine", vm_id, state, 6)


def test_destroying_and_expunging_a_running_machine(db, make, monkeypatch):
    def prepare(world):
        machine(diskofferingid=lambda world: world.disk_offering(5))(world)
        world.between = ((["Stopped"], 2), (["Destroyed"], 2))

    def truth(world):
        return state(world), Volume.all_tenants.count()

    params = lambda world: {**vm_id(world), "expunge": True}  # noqa: E731
    survives(make, monkeypatch, prepare, "destroyVirtualMachine", params, truth, 10)


def test_restoring_a_running_machine(db, make, monkeypatch):
    def prepare(world):
        machine(diskofferingid=lambda world: world.disk_offering(5))(world)
        world.old, world.data = world.root_disk(world.vm).pk, world.data_disk(world.vm).pk
        world.between = (("Stopped", True, True),)

    def truth(world):
        vm = world.read(world.vm)
        return vm.state, world.root_disk(vm).pk == world.old, world.data_disk(vm).pk == world.data

    params = lambda world: {"virtualmachineid": world.vm.uuid}  # noqa: E731
    survives(make, monkeypatch, prepare, "restoreVirtualMachine", params, truth, 20)


def cards(world):
    return sorted(Nic.all_tenants.filter(vm=world.vm).values_list("network__name", flat=True))


def test_adding_a_card_in_a_network_that_must_be_brought_up(db, make, monkeypatch):
    def prepare(world):
        machine()(world)
        world.net = world.isolated()

    params = lambda world: {"virtualmachineid": world.vm.uuid, "networkid": world.net.uuid}  # noqa: E731
    survives(make, monkeypatch, prepare, "addNicToVirtualMachine", params, cards, 30, every=3)


def test_removing_a_card(db, make, monkeypatch):
    def params(world):
        nic = Nic.all_tenants.get(vm=world.vm, is_default=False)
        return {"virtualmachineid": world.vm.uuid, "nicid": nic.uuid}

    prepare = machine(networkids=lambda world: [world.shared, world.isolated()])
    survives(make, monkeypatch, prepare, "removeNicFromVirtualMachine", params, cards, 6)


def held(world):
    return list(Attachment.objects.filter(vm=world.vm, device_id__gt=0).values_list("volume", "device_id"))


@pytest.mark.parametrize("made", [True, False], ids=["a disk that exists", "one that is made first"])
def test_attaching(db, make, monkeypatch, made):
    def prepare(world):
        machine(diskofferingid=lambda world: world.disk_offering(5))(world)
        world.volume = make.volume(world.alice.account)
        if made:
            world.volume = world.data_disk(world.vm)
            world.do("detachVolume", id=world.volume.uuid)

    params = lambda world: {"id": world.volume.uuid, "virtualmachineid": world.vm.uuid}  # noqa: E731
    survives(make, monkeypatch, prepare, "attachVolume", params, held, 6)


def test_detaching(db, make, monkeypatch):
    prepare = machine(diskofferingid=lambda world: world.disk_offering(5))
    params = lambda world: {"id": world.data_disk(world.vm).uuid}  # noqa: E731

    survives(make, monkeypatch, prepare, "detachVolume", params, held, 6)


def drive(world):
    return world.read(world.vm).iso_id is not None


@pytest.mark.parametrize("command", ["attachIso", "detachIso"])
def test_changing_the_image_in_the_drive(db, make, monkeypatch, command):
    def prepare(world):
        machine()(world)
        world.image = world.iso()
        if command == "detachIso":
            world.do("attachIso", id=world.image.uuid, virtualmachineid=world.vm.uuid)

    def params(world):
        return {"virtualmachineid": world.vm.uuid, "id": world.image.uuid}

    survives(make, monkeypatch, prepare, command, params, drive, 10)


def test_the_network_of_a_machine_is_up_when_it_runs(world):
    """What the matrix of the deployment relies on."""
    world.deploy(networkids=world.isolated())

    assert Network.all_tenants.get(name="net").state == "Implemented"
    check(world)
