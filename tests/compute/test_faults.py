"""Each driver call of each operation goes wrong in each way: refused, busy, unknown; before it acts, after, late."""

import pytest

from apps.core.errors import CloudError
from apps.core.models import Question
from apps.events.models import Event
from apps.hypervisors.errors import Busy, Refused, Unknown
from apps.infrastructure.models import Host
from apps.jobs import runner, worker
from apps.jobs.models import FlowRun, Job
from apps.machines.models import Attachment, Nic, VirtualMachine
from apps.storage.models import Volume
from tests.compute.world import check, settle
from tests.conftest import answer
from tests.crash import let_time_pass

FAULTS = [
    (error, when)
    for error in (Refused("no"), Busy("later"), Unknown("lost"))
    for when in ("before", "after", "late")
    if isinstance(error, Unknown) or when == "before"
]
EACH = pytest.mark.parametrize(("error", "when"), FAULTS, ids=lambda v: v if isinstance(v, str) else type(v).__name__)


def disturbed(world, command, call, error, when, times=1, **params):
    """The command with its call going wrong; then all is settled. What the client hears, or None."""
    world.fail(call, error, when=when, times=times)
    got = world.submit(command, **params)
    runner.drain()
    world.cloud.land()
    settle()
    check(world)
    try:
        answer(got["jobid"])
    except CloudError as refusal:
        return refusal
    return None


def is_done(world, refusal, done, undone, error, when):
    """A refusal changes nothing; what is unknown ends as what it is found to be; and who is told of success has it."""
    if isinstance(error, Unknown):
        assert (done, undone) in ((True, False), (False, True))
    if refusal is None:
        assert done
    elif not isinstance(error, Unknown):
        assert undone


@EACH
def test_stopping(world, vm, error, when):
    refusal = disturbed(world, "stopVirtualMachine", "power.stop", error, when, id=vm.uuid)

    state = world.read(vm).state
    is_done(world, refusal, state == "Stopped", state == "Running", error, when)
    assert refusal.code == 534
    assert state == ("Running" if when == "before" else "Stopped")


@EACH
@pytest.mark.parametrize("call", ["disks.create", "power.start"])
def test_starting_asks_again_or_goes_elsewhere(world, error, when, call):
    vm = world.deploy(startvm=False)

    refusal = disturbed(world, "startVirtualMachine", call, error, when, id=vm.uuid)

    if call == "disks.create" and isinstance(error, Refused):
        assert (refusal.code, world.read(vm).state) == (534, "Stopped")
        assert str(refusal) == "A disk of the instance could not be made."
    else:
        assert (refusal, world.read(vm).state) == (None, "Running")
    assert world.root_disk(vm).state == ("Ready" if refusal is None else "Allocated")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [Busy("later"), Unknown("lost")], ids=["busy", "unknown"])
def test_a_start_that_never_succeeds_gives_everything_back(world, error, when):
    vm = world.deploy(startvm=False)

    refusal = disturbed(world, "startVirtualMachine", "power.start", error, when, times=99, id=vm.uuid)

    assert (str(refusal), refusal.code) == ("The instance could not be started in time.", 534)
    assert (world.read(vm).state, world.cloud.running[str(vm.uuid)]) == ("Stopped", set())


def test_a_start_that_all_hosts_refuse_is_out_of_capacity(world):
    vm = world.deploy(startvm=False)

    refusal = disturbed(world, "startVirtualMachine", "power.start", Refused("no"), "before", times=99, id=vm.uuid)

    assert (str(refusal), refusal.code) == ("Unable to create a deployment, there is not enough capacity", 533)
    assert {call.split(" on ")[1] for call in world.cloud.calls if call.startswith("power.start")} == {"h1", "h2"}


def test_root_hears_why_and_where(world, make):
    Host.all_tenants.update(memory_mib_capacity=100)
    vm = world.deploy(startvm=False)
    got = world.submit("startVirtualMachine", world.root, id=vm.uuid)
    runner.drain()

    with pytest.raises(CloudError) as error:
        answer(got["jobid"])

    assert (error.value.code, "no host" in str(error.value)) == (533, True)
    check(world)


@EACH
def test_rebooting_changes_no_state(world, vm, error, when):
    refusal = disturbed(world, "rebootVirtualMachine", "power.reboot", error, when, id=vm.uuid)

    told = {Refused: f"instance {vm.uuid} was not rebooted; try again later"}
    told |= {Busy: told[Refused], Unknown: f"whether instance {vm.uuid} was rebooted is not known"}
    assert (str(refusal), refusal.code, world.read(vm).state) == (told[type(error)], 534, "Running")


@EACH
def test_destroying_a_running_machine(world, vm, error, when):
    refusal = disturbed(world, "destroyVirtualMachine", "power.stop", error, when, id=vm.uuid)

    assert refusal.code == 534
    assert world.read(vm).state == ("Running" if when == "before" else "Stopped")


@EACH
def test_restoring_a_running_machine(world, vm, error, when):
    old = world.root_disk(vm)

    refusal = disturbed(world, "restoreVirtualMachine", "power.stop", error, when, virtualmachineid=vm.uuid)

    assert refusal.code == 534
    assert (world.read(vm).state, world.root_disk(vm)) == ("Running" if when == "before" else "Stopped", old)


@EACH
@pytest.mark.parametrize("call", ["disks.create", "power.start"])
def test_a_restored_machine_that_cannot_start_is_stopped_and_restored(world, vm, error, when, call):
    old, times = world.root_disk(vm), 1 if when == "late" else 99

    refusal = disturbed(world, "restoreVirtualMachine", call, error, when, times=times, virtualmachineid=vm.uuid)

    if refusal is None:  # with this the second host, or the next try, served
        assert world.read(vm).state == "Running"
    else:
        assert world.read(vm).state == "Stopped"
    assert world.root_disk(vm) != old


@EACH
def test_attaching(world, vm, make, error, when):
    volume = make.volume(world.alice.account)
    world.do("attachVolume", id=volume.uuid, virtualmachineid=vm.uuid)
    world.do("detachVolume", id=volume.uuid)

    params = {"id": volume.uuid, "virtualmachineid": vm.uuid}
    refusal = disturbed(world, "attachVolume", "disks.attach", error, when, **params)

    inside = Attachment.objects.filter(volume=volume).exists()
    is_done(world, refusal, inside, not inside, error, when)
    assert (refusal.code, inside) == (534, when != "before")
    assert Volume.all_tenants.get(pk=volume.pk).state == "Ready"


@EACH
def test_attaching_a_disk_that_must_be_made(world, vm, make, error, when):
    volume = make.volume(world.alice.account)

    params = {"id": volume.uuid, "virtualmachineid": vm.uuid}
    refusal = disturbed(world, "attachVolume", "disks.create", error, when, **params)

    assert refusal.code == 534
    assert not Attachment.objects.filter(volume=volume).exists()
    assert Volume.all_tenants.get(pk=volume.pk).state == ("Allocated" if when == "before" else "Ready")


@EACH
def test_detaching(world, error, when):
    vm = world.deploy(diskofferingid=world.disk_offering(5))
    volume = world.data_disk(vm)

    refusal = disturbed(world, "detachVolume", "disks.detach", error, when, id=volume.uuid)

    inside = Attachment.objects.filter(volume=volume).exists()
    is_done(world, refusal, not inside, inside, error, when)
    assert (refusal.code, inside) == (534, when == "before")


@EACH
def test_adding_a_card(world, vm, error, when):
    net = world.isolated()

    params = {"virtualmachineid": vm.uuid, "networkid": net.uuid}
    refusal = disturbed(world, "addNicToVirtualMachine", "nics.plug", error, when, **params)

    has = Nic.all_tenants.filter(vm=vm, network=net).exists()
    assert has == (not isinstance(error, Refused))
    assert (refusal is None) == has


@EACH
@pytest.mark.parametrize("call", ["power.start", "networks.apply"])
def test_adding_a_card_in_a_network_whose_router_fails(world, vm, error, when, call):
    net = world.isolated()

    params = {"virtualmachineid": vm.uuid, "networkid": net.uuid}
    refusal = disturbed(world, "addNicToVirtualMachine", call, error, when, **params)

    assert (refusal is None) == Nic.all_tenants.filter(vm=vm, network=net).exists()


@EACH
def test_removing_a_card(world, error, when):
    vm = world.deploy(networkids=[world.shared, world.isolated()])
    nic = Nic.all_tenants.get(vm=vm, is_default=False)

    params = {"virtualmachineid": vm.uuid, "nicid": nic.uuid}
    refusal = disturbed(world, "removeNicFromVirtualMachine", "nics.unplug", error, when, **params)

    has = Nic.all_tenants.filter(pk=nic.pk).exists()
    is_done(world, refusal, not has, has, error, when)
    assert (refusal.code, has) == (534, when == "before")


@EACH
@pytest.mark.parametrize("command", ["attachIso", "detachIso"])
def test_changing_the_image_in_the_drive(world, vm, error, when, command):
    image = world.iso()
    params = {"virtualmachineid": vm.uuid, "id": image.uuid}
    if command == "detachIso":
        world.do("attachIso", **params)
    before = world.read(vm).iso

    refusal = disturbed(world, command, "power.insert", error, when, **params)

    assert (refusal is None) == (world.read(vm).iso != before)
    assert (refusal is not None) == isinstance(error, Refused)


# --- what is open when the machine goes down


@pytest.mark.parametrize("command", ["attachVolume", "detachVolume", "removeNicFromVirtualMachine"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("end", ["stop", "destroy"])
def test_a_machine_that_goes_down_answers_what_is_open_about_it(world, make, command, when, end):
    """The host answers nothing about the disk or the card any more; that it stopped the machine answers it."""
    net = world.isolated()
    vm = world.deploy(networkids=[world.shared, net], diskofferingid=world.disk_offering(5))
    nic = Nic.all_tenants.get(vm=vm, network=net)
    loose = make.volume(world.alice.account)
    world.do("attachVolume", id=loose.uuid, virtualmachineid=vm.uuid)
    world.do("detachVolume", id=loose.uuid)
    params = {
        "attachVolume": {"id": loose.uuid, "virtualmachineid": vm.uuid},
        "detachVolume": {"id": world.data_disk(vm).uuid},
        "removeNicFromVirtualMachine": {"virtualmachineid": vm.uuid, "nicid": nic.uuid},
    }[command]
    call = {"a": "disks.attach", "d": "disks.detach", "r": "nics.unplug"}[command[0]]
    world.fail(call, Unknown("lost"), when=when)
    world.submit(command, **params)
    worker.run(Job.objects.latest("pk").pk)
    assert Question.objects.count() == 1
    Question.objects.update(due_at="2099-01-01T00:00Z")

    world.do(f"{end}VirtualMachine", id=vm.uuid)

    assert Question.objects.count() == 0
    check(world)
    held = set(Attachment.objects.filter(vm=vm).values_list("device_id", flat=True))
    assert held == ({0, 1} if command != "detachVolume" else {0})
    assert Nic.all_tenants.filter(pk=nic.pk).exists() == (command[0] != "r")
    if end == "stop":
        world.do("startVirtualMachine", id=vm.uuid)
        check(world)


def test_a_stop_that_is_open_refuses_the_next_until_it_is_known(world, vm):
    world.fail("power.stop", Unknown("lost"), when="late")
    world.submit("stopVirtualMachine", id=vm.uuid)
    runner.drain()
    assert world.read(vm).state == "Stopping"

    for command, code in (("stop", 536), ("start", 431), ("reboot", 431), ("destroy", 431)):
        with pytest.raises(CloudError) as error:
            world.do(f"{command}VirtualMachine", id=vm.uuid)
        assert (command, error.value.code) == (command, code)
    assert world.read(vm).state == "Stopping"
    world.cloud.land()
    settle()

    assert world.read(vm).state == "Stopped"
    check(world)


def test_an_undo_that_fails_is_tried_until_it_succeeds_and_an_alert_says_so_once(world):
    vm = world.deploy(startvm=False)
    world.fail("power.start", Unknown("lost"), when="after", times=3)
    world.fail("power.stop", Busy("later"), times=4)
    got = world.submit("startVirtualMachine", id=vm.uuid)
    for _ in range(5):
        runner.drain()
        let_time_pass()
    assert FlowRun.objects.get().phase == "undoing"
    assert world.read(vm).state == "Starting"

    settle()

    with pytest.raises(CloudError):
        answer(got["jobid"])
    assert Event.objects.filter(family="alert").count() == 1
    assert VirtualMachine.all_tenants.get().state == "Stopped"
    check(world)
