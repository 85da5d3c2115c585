"""An account is deleted with its machines, whatever they are doing."""

import pytest

from apps.accounts.models import Account
from apps.compute.models import AffinityGroup, InstanceGroup
from apps.core.errors import CloudError
from apps.core.models import Question
from apps.hypervisors.errors import Busy, Refused, Unknown
from apps.jobs import engine, runner, worker
from apps.jobs.models import FlowRun, Job
from apps.limits.models import Counter
from apps.machines.models import Nic, VirtualMachine
from apps.storage.models import Volume
from apps.storage.services import volumes
from tests import crash
from tests.compute.world import GIB, World, check, settle
from tests.conftest import answer
from tests.crash import matrix


def furnish(world):
    """One machine of each kind, in a network of the account."""
    net, five = world.isolated(), world.disk_offering(5)
    world.running = world.deploy(name="running", networkids=net, diskofferingid=five, group="g")
    world.stopped = world.deploy(name="stopped", networkids=net, diskofferingid=five)
    world.do("stopVirtualMachine", id=world.stopped.uuid)
    world.fresh = world.deploy(name="fresh", networkids=net, startvm=False)
    world.aside = world.deploy(name="aside", networkids=net, startvm=False)
    world.do("destroyVirtualMachine", id=world.aside.uuid)
    world.make.row("compute.AffinityGroup", world.alice.account)
    world.do("updateVirtualMachine", id=world.running.uuid, deleteprotection=True)


def delete(world):
    return world.submit("deleteAccount", world.root, id=world.alice.account.uuid)["jobid"]


def gone(world):
    check(world)
    assert not VirtualMachine.all_tenants.filter(kind="User").exists()
    assert not any(model.all_tenants.exists() for model in (Volume, Nic, InstanceGroup, AffinityGroup))
    assert (world.cloud.disks, {vm for vm, hosts in world.cloud.running.items() if hosts}) == ({}, set())
    assert set(Counter.objects.filter(account=world.alice.account).values_list("used", flat=True)) <= {0}
    assert Account.including_removed.get(pk=world.alice.account.pk).removed


def test_all_of_them_go(world):
    furnish(world)
    job = delete(world)

    runner.drain()
    settle()

    assert answer(job) == {"success": True}
    gone(world)


def test_killed_at_every_point_they_go_all_the_same(db, make, monkeypatch):
    def questions_too():
        Question.objects.update(due_at=crash.PAST)
        let_time_pass()

    let_time_pass = crash.let_time_pass
    monkeypatch.setattr(crash, "let_time_pass", questions_too)

    world = World(make, monkeypatch)
    world.deploy()
    assert world.root

    def scene():
        world.again().job = delete(world)
        return world

    def verdict(world, lost):
        settle()
        if lost:
            world.job = delete(world)
            runner.drain()
            settle()
        assert answer(world.job) == {"success": True}
        gone(world)

    assert matrix(scene, verdict, every=5) >= 60


@pytest.mark.parametrize("error", [Refused("no"), Busy("later"), Unknown("lost")], ids=["refused", "busy", "unknown"])
@pytest.mark.parametrize("when", ["before", "after", "late"])
def test_a_machine_that_does_not_stop_at_once_is_waited_for(world, error, when):
    vm = world.deploy()
    world.fail(
        "power.stop", error, when=when if isinstance(error, Unknown) else "before", times=2 if when != "late" else 1
    )
    job = delete(world)

    runner.drain()
    assert world.read(vm).removed is None
    world.cloud.land()
    settle()

    assert answer(job) == {"success": True}
    gone(world)


@pytest.mark.parametrize("call", ["disks.attach", "disks.detach", "nics.unplug"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_questions_that_are_open_do_not_keep_them(world, make, call, when):
    vm = world.deploy(networkids=[world.shared, world.isolated()], diskofferingid=world.disk_offering(5))
    data, nic = world.data_disk(vm), Nic.all_tenants.get(vm=vm, is_default=False)
    if call == "disks.attach":
        world.do("detachVolume", id=data.uuid)
    command, params = {
        "disks.attach": ("attachVolume", {"id": data.uuid, "virtualmachineid": vm.uuid}),
        "disks.detach": ("detachVolume", {"id": data.uuid}),
        "nics.unplug": ("removeNicFromVirtualMachine", {"virtualmachineid": vm.uuid, "nicid": nic.uuid}),
    }[call]
    world.fail(call, Unknown("lost"), when=when)
    world.submit(command, **params)
    worker.run(Job.objects.latest("pk").pk)
    Question.objects.update(due_at="2099-01-01T00:00Z")
    job = delete(world)

    runner.drain()
    assert Question.objects.count() == 0
    settle()

    assert answer(job) == {"success": True}
    gone(world)


def test_a_disk_of_which_nobody_knows_its_size_is_waited_for(world):
    vm = world.deploy(diskofferingid=world.disk_offering(5))
    world.do("stopVirtualMachine", id=vm.uuid)
    world.fail("disks.resize", Unknown("lost"), when="late")
    with pytest.raises(CloudError):
        volumes.change_size(world.data_disk(vm), 6 * GIB, vm.host)
    job = delete(world)

    runner.drain()
    assert world.read(vm).removed is None
    world.cloud.land()
    settle()

    assert answer(job) == {"success": True}
    gone(world)


@pytest.mark.parametrize("command", ["start", "stop", "destroy"])
def test_what_was_ordered_before_ends_before(world, command):
    vm = world.deploy(startvm=command != "start")
    first = world.submit(f"{command}VirtualMachine", id=vm.uuid)["jobid"]
    job = delete(world)

    worker.run(Job.objects.get(uuid=job).pk)
    runner.drain()
    settle()

    assert answer(first)["virtualmachine"]["id"] == str(vm.uuid)
    assert answer(job) == {"success": True}
    gone(world)


def test_what_is_ordered_after_finds_nothing(world):
    vm = world.deploy()
    job = delete(world)
    worker.run(Job.objects.get(uuid=job).pk)
    engine.advance(FlowRun.objects.get(flow="accounts.delete").pk)
    late = world.submit("rebootVirtualMachine", world.root, id=vm.uuid)["jobid"]

    runner.drain()
    settle()

    with pytest.raises(CloudError) as error:
        answer(late)
    assert error.value.code == 431
    assert answer(job) == {"success": True}
    gone(world)


def test_a_machine_that_is_being_deployed_is_waited_for_and_goes_too(world):
    got = world.submit("deployVirtualMachine", **world.order())
    job = delete(world)
    worker.run(Job.objects.get(uuid=job).pk)
    engine.advance(FlowRun.objects.get(flow="accounts.delete").pk)

    runner.drain()
    settle()

    with pytest.raises(CloudError, match="is disabled$"):
        answer(got["jobid"])
    assert answer(job) == {"success": True}
    gone(world)
