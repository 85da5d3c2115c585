"""Start, stop, reboot, destroy, recover, expunge: what is done, what is refused, and that the books are right."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.compute import schedules
from apps.compute.flows import expunge
from apps.compute.services import instances
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.core.models import Detail
from apps.events.models import Event, UsageEvent
from apps.hypervisors import fake
from apps.hypervisors.errors import Refused
from apps.jobs import engine, runner
from apps.jobs.models import FlowRun, Job
from apps.limits.models import Counter
from apps.limits.services import set_limit
from apps.machines.models import Attachment, Nic, Reservation, VirtualMachine
from apps.network.models import RangeAddress
from apps.storage.models import Volume
from tests.compute.world import check, settle
from tests.conftest import answer

NOT_YOURS = "Caller does not have permission to operate with provided resource."


def used(world):
    """What the account counts, without what is 0."""
    rows = Counter.objects.filter(account=world.alice.account, used__gt=0)
    return dict(rows.values_list("kind", "used"))


def refused(world, command, vm, text, code=431, caller=None, **more):
    """And nothing changes."""
    before, counted, calls = world.read(vm), used(world), list(world.cloud.calls)

    with pytest.raises(CloudError, match=f"^{text}$") as error:
        world.do(command, caller, **{"id": vm.uuid, **more})

    after = world.read(vm)
    assert error.value.code == code
    assert (after.state, after.host_id, after.removed) == (before.state, before.host_id, before.removed)
    assert (used(world), world.cloud.calls) == (counted, calls)
    check(world)


def test_a_stopped_machine_holds_nothing_but_its_disks_and_addresses(world, vm):
    ip, disk = Nic.all_tenants.get(vm=vm).ip, world.root_disk(vm)

    answer = world.do("stopVirtualMachine", id=vm.uuid)["virtualmachine"]

    assert (answer["state"], answer["ipaddress"]) == ("Stopped", ip)
    assert (world.read(vm).host, world.read(vm).last_host, Reservation.objects.count()) == (None, vm.host, 0)
    assert world.root_disk(vm) == disk
    check(world)

    assert world.do("startVirtualMachine", id=vm.uuid)["virtualmachine"]["state"] == "Running"
    assert (Nic.all_tenants.get(vm=vm).ip, world.root_disk(vm)) == (ip, disk)
    assert world.cloud.calls.count(f"disks.create on {vm.host.name}") == 1
    check(world)


@pytest.mark.parametrize("forced", [True, False])
def test_forced_cuts_the_power(world, vm, monkeypatch, forced):
    asked = []
    stop = type(world.cloud).end

    def spy(self, machine, *, within, force=False):
        asked.append(force)
        self.cloud.act(self.host, "power.stop", lambda: stop(self.cloud, machine, self.host))

    monkeypatch.setattr(fake.FakePower, "stop", spy)
    world.do("stopVirtualMachine", id=vm.uuid, forced=forced)

    assert asked == [forced]
    check(world)


def test_stopping_what_is_down_is_done_already(world):
    vm = world.deploy(startvm=False)

    assert world.do("stopVirtualMachine", id=vm.uuid)["virtualmachine"]["state"] == "Stopped"
    assert world.cloud.calls == []


def test_a_reboot_changes_no_state(world, vm):
    answer = world.do("rebootVirtualMachine", id=vm.uuid)["virtualmachine"]

    assert (answer["state"], world.cloud.calls[-1]) == ("Running", f"power.reboot on {vm.host.name}")
    check(world)


STATES = {
    "Running": lambda world, vm: None,
    "Stopped": lambda world, vm: world.do("stopVirtualMachine", id=vm.uuid),
    "Destroyed": lambda world, vm: world.do("destroyVirtualMachine", id=vm.uuid),
}
REFUSALS = [
    ("startVirtualMachine", "Running", r"id: instance {} \(web\) is already running"),
    ("startVirtualMachine", "Destroyed", r"id: instance {} \(web\) is Destroyed: only a stopped one is started"),
    ("stopVirtualMachine", "Destroyed", "id: instance {} is Destroyed: only a running one is stopped"),
    ("rebootVirtualMachine", "Stopped", "id: instance {} is Stopped: only a running one is rebooted"),
    ("rebootVirtualMachine", "Destroyed", "id: instance {} is Destroyed: only a running one is rebooted"),
    ("recoverVirtualMachine", "Running", "id: instance {} is Running, not destroyed"),
    ("recoverVirtualMachine", "Stopped", "id: instance {} is Stopped, not destroyed"),
    ("expungeVirtualMachine", "Running", "id: instance {} is Running: only destroyed instances are expunged"),
    ("expungeVirtualMachine", "Stopped", "id: instance {} is Stopped: only destroyed instances are expunged"),
    ("restoreVirtualMachine", "Destroyed", "virtualmachineid: instance {} is Destroyed"),
]


@pytest.mark.parametrize(("command", "state", "text"), REFUSALS)
def test_a_state_that_forbids_a_command_refuses_it(world, vm, command, state, text):
    STATES[state](world, vm)
    more = {"virtualmachineid": vm.uuid} if command == "restoreVirtualMachine" else {}

    refused(world, command, vm, text.format(vm.uuid), caller=world.root, **more)


def test_the_owner_of_a_machine_that_starts_is_not_disabled(world, vm):
    world.do("stopVirtualMachine", id=vm.uuid)
    type(vm.owner).all_tenants.filter(pk=vm.owner_id).kernel_update(state="disabled")

    text = "id: account alice, whose instance this is, is disabled"
    refused(world, "startVirtualMachine", vm, text, 531, world.root)


# --- destroy and recover


def test_a_destroyed_machine_counts_nothing_keeps_its_addresses_and_can_be_recovered(world):
    vm = world.deploy(name="web", diskofferingid=world.disk_offering(5))
    before, ip = used(world), Nic.all_tenants.get(vm=vm).ip

    assert world.do("destroyVirtualMachine", id=vm.uuid)["virtualmachine"]["state"] == "Destroyed"

    assert used(world) == {"volume": 1, "primary_storage": 5 << 30, "template": 1}
    assert (Nic.all_tenants.get(vm=vm).ip, world.data_disk(vm).state) == (ip, "Ready")
    check(world)

    answer = world.do("recoverVirtualMachine", world.root, id=vm.uuid)["virtualmachine"]
    assert (answer["state"], used(world)) == ("Stopped", before)
    check(world)
    assert world.do("startVirtualMachine", id=vm.uuid)["virtualmachine"]["state"] == "Running"
    check(world)


def test_recovering_over_a_limit_is_refused_and_changes_nothing(world, vm):
    world.do("destroyVirtualMachine", id=vm.uuid)

    for kind in ("user_vm", "cpu", "memory", "volume", "primary_storage"):
        set_limit(kind=kind, limit=0, account=world.alice.account)
        text = f"Maximum amount of resources of Type = '{kind}'.*"
        refused(world, "recoverVirtualMachine", vm, text, 535, world.root)
        set_limit(kind=kind, limit=None, account=world.alice.account)

    assert world.do("recoverVirtualMachine", world.root, id=vm.uuid)["virtualmachine"]["state"] == "Stopped"


def test_destroying_again_and_then_for_good(world, vm):
    for _ in range(2):
        assert world.do("destroyVirtualMachine", id=vm.uuid)["virtualmachine"]["state"] == "Destroyed"

    answer = world.do("destroyVirtualMachine", world.root, id=vm.uuid, expunge=True)["virtualmachine"]

    assert (answer["state"], world.read(vm).removed is None) == ("Expunging", False)
    check(world)


def test_an_expunged_machine_leaves_nothing_but_its_data_disks(world):
    vm = world.deploy(name="web", diskofferingid=world.disk_offering(5), group="g", details=[{"a": "b"}])
    world.do("createTags", resourceids=vm.uuid, resourcetype="UserVm", tags=[{"key": "a", "value": "b"}])
    data = world.data_disk(vm)

    world.do("destroyVirtualMachine", world.root, id=vm.uuid, expunge=True)

    assert not VirtualMachine.all_tenants.exists()
    assert not Attachment.objects.exists()
    assert not Nic.all_tenants.exists()
    assert not RangeAddress.objects.exclude(taken_by="").exists()
    assert not Detail.objects.exists()
    assert used(world) == {"volume": 1, "primary_storage": 5 << 30, "template": 1}
    assert list(world.cloud.disks) == [str(data.uuid)]
    assert world.do("listVolumes")["volume"][0]["id"] == str(data.uuid)
    assert "attached" not in world.do("listVolumes")["volume"][0]
    assert world.do("listVirtualMachines", world.root, listall=True) == {}
    check(world)


def test_data_disks_that_are_named_go_with_the_machine(world):
    five = world.disk_offering(5)
    vm = world.deploy(diskofferingid=five, datadisksdetails=[{"diskofferingid": five.uuid}])
    one, two = world.data_disk(vm), world.data_disk(vm, 2)

    world.do("destroyVirtualMachine", id=vm.uuid, volumeids=one.uuid)

    states = dict(Volume.all_tenants.values_list("uuid", "state"))
    assert (states[one.uuid], states[two.uuid]) == ("Destroy", "Ready")
    assert not Attachment.objects.filter(volume=one).exists()
    check(world)

    world.do("destroyVirtualMachine", world.root, id=vm.uuid, volumeids=two.uuid, expunge=True)
    assert list(world.cloud.disks) == [str(one.uuid)]
    check(world)


def test_only_its_own_unprotected_data_disks_are_named(world, vm, make):
    loose, root = make.volume(world.alice.account), world.root_disk(vm)
    guarded = world.deploy(diskofferingid=world.disk_offering(5))
    Volume.all_tenants.filter(pk=world.data_disk(guarded).pk).update(delete_protection=True)

    for volume in (loose, root):
        text = f"volumeids: {volume.uuid} is no data volume of instance {vm.uuid}"
        refused(world, "destroyVirtualMachine", vm, text, volumeids=volume.uuid)
    text = f"volumeids: volume {world.data_disk(guarded).uuid} is protected against deletion"
    refused(world, "destroyVirtualMachine", guarded, text, volumeids=world.data_disk(guarded).uuid)


def test_a_protected_machine_is_not_destroyed(world, vm):
    world.do("updateVirtualMachine", id=vm.uuid, deleteprotection=True)

    text = f"id: instance {vm.uuid} is protected against deletion; see updateVirtualMachine"
    refused(world, "destroyVirtualMachine", vm, text)
    refused(world, "destroyVirtualMachine", vm, text, caller=world.root, expunge=True)


@pytest.mark.parametrize("who", ["user", "allowed user", "domain admin", "root"])
def test_expunging_and_recovering_are_left_to_administrators_unless_a_setting_allows_them(world, make, vm, who):
    caller = {"root": world.root}.get(who, world.alice)
    if who == "domain admin":
        caller = make.caller("dora", make.domain(), kind=Kind.DOMAIN_ADMIN)
    if who == "allowed user":
        world.setting("allow.user.expunge.recover.vm", "true", world.alice.account)
    world.do("destroyVirtualMachine", caller, id=vm.uuid)

    text = "id: expunging and recovering instances is left to administrators in this cloud"
    if who == "user":
        refused(world, "recoverVirtualMachine", vm, text, 531)
        refused(world, "expungeVirtualMachine", vm, text, 531)
        return refused(world, "destroyVirtualMachine", vm, text, 531, expunge=True)
    assert world.do("recoverVirtualMachine", caller, id=vm.uuid)["virtualmachine"]["state"] == "Stopped"
    world.do("destroyVirtualMachine", caller, id=vm.uuid)
    assert world.do("expungeVirtualMachine", caller, id=vm.uuid) == {"success": True}
    return check(world)


def test_a_user_who_asks_to_expunge_keeps_a_running_machine(world, vm):
    text = "id: expunging and recovering instances is left to administrators in this cloud"

    refused(world, "destroyVirtualMachine", vm, text, 531, expunge=True)

    assert world.read(vm).state == "Running"


def test_rows_of_others_are_531_and_what_is_gone_is_431(world, make, vm):
    bob = make.caller("bob", make.domain("b", make.domain()))
    admin = make.caller("ada", make.domain("b"), kind=Kind.DOMAIN_ADMIN)
    commands = [name for name, _, _ in REFUSALS if name != "restoreVirtualMachine"] + ["destroyVirtualMachine"]

    for command in dict.fromkeys(commands):
        for caller in (bob, admin):
            refused(world, command, vm, re.escape(NOT_YOURS), 531, caller)
    world.do("destroyVirtualMachine", world.root, id=vm.uuid, expunge=True)
    with pytest.raises(CloudError, match=f"^id: {vm.uuid} was removed$") as error:
        world.do("startVirtualMachine", id=vm.uuid)
    assert error.value.code == 431


def test_an_administrator_of_a_domain_above_may_do_all_of_it(world, make, vm):
    admin = make.caller("dora", make.domain(), kind=Kind.DOMAIN_ADMIN)

    for command in ("reboot", "stop", "start", "destroy", "recover"):
        world.do(f"{command}VirtualMachine", admin, id=vm.uuid)

    assert world.read(vm).state == "Stopped"
    check(world)


# --- what failed


def test_a_machine_that_failed_counts_nothing_and_is_destroyed_at_once(world):
    world.fail("disks.create", Refused("full"), times=99)
    with pytest.raises(CloudError, match="^A disk of the instance could not be made.$") as error:
        world.deploy(name="web", diskofferingid=world.disk_offering(5))
    vm = VirtualMachine.all_tenants.get()

    assert (error.value.code, vm.state) == (534, "Error")
    assert used(world) == {"template": 1}
    assert not Volume.all_tenants.exists()
    assert not Nic.all_tenants.exists()
    check(world)

    assert world.do("listVirtualMachines")["virtualmachine"][0]["state"] == "Error"
    refused(world, "startVirtualMachine", vm, r"id: instance \S+ \(web\) is Error: only a stopped one is started")
    world.do("destroyVirtualMachine", id=vm.uuid)
    assert not VirtualMachine.all_tenants.exists()
    check(world)


# --- expunging by itself


def destroyed(world, number, ago):
    """So many machines, destroyed so many seconds ago."""
    vms = [world.deploy(startvm=False) for _ in range(number)]
    for vm in vms:
        world.do("destroyVirtualMachine", id=vm.uuid)
    when = timezone.now() - timedelta(seconds=ago)
    VirtualMachine.all_tenants.filter(pk__in=[vm.pk for vm in vms]).update(destroyed=when)
    return vms


def test_those_that_were_destroyed_long_enough_ago_are_expunged(world):
    world.setting("expunge.delay", "100")
    old, young, alive = destroyed(world, 3, 101), destroyed(world, 1, 90), world.deploy()

    schedules.expunge_destroyed()
    settle()

    assert set(VirtualMachine.all_tenants.all()) == {*young, alive}
    assert all(world.read(vm).removed for vm in old)
    check(world)


def test_one_that_cannot_go_now_does_not_keep_the_others(world, monkeypatch):
    monkeypatch.setattr(expunge, "SOME", 2)
    first, *others = destroyed(world, 5, 10**6)
    Volume.all_tenants.filter(pk=world.root_disk(first).pk).kernel_update(state="Resizing")

    schedules.expunge_destroyed()
    settle()

    assert list(VirtualMachine.all_tenants.all()) == [first]
    Volume.all_tenants.filter(pk=world.root_disk(first).pk).kernel_update(state="Allocated")
    schedules.expunge_destroyed()
    settle()
    assert not VirtualMachine.all_tenants.exists()
    check(world)


def test_one_that_a_job_works_on_is_left_to_the_next_round(world):
    world.setting("allow.user.expunge.recover.vm", "true")
    (vm,) = destroyed(world, 1, 10**6)
    got = world.submit("expungeVirtualMachine", id=vm.uuid)

    schedules.expunge_destroyed()
    engine.advance(FlowRun.objects.get(flow="compute.expunge").pk)
    assert world.read(vm).state == "Destroyed"

    runner.drain()
    assert answer(got["jobid"]) == {"success": True}
    check(world)


def test_a_recovery_and_the_expunging_of_one_machine_exclude_each_other(world):
    (vm,) = destroyed(world, 1, 10**6)
    stale = world.read(vm)
    world.do("recoverVirtualMachine", world.root, id=vm.uuid)

    with pytest.raises(CloudError) as error:
        instances.expunge(vm=stale)

    assert (error.value.code, world.read(vm).state) == (536, "Stopped")
    check(world)


# --- two commands at one machine


@pytest.mark.parametrize(
    ("commands", "codes", "state"),
    [
        (("stop", "start"), (0, 0), "Running"),
        (("stop", "stop"), (0, 0), "Stopped"),
        (("start", "stop"), (431, 0), "Stopped"),
        (("destroy", "start"), (0, 431), "Destroyed"),
        (("reboot", "destroy", "stop"), (0, 0, 431), "Destroyed"),
    ],
)
def test_two_commands_at_one_machine_run_in_their_order(world, vm, commands, codes, state):
    jobs = [world.submit(f"{command}VirtualMachine", id=vm.uuid)["jobid"] for command in commands]

    runner.drain()

    ended = [Job.objects.get(uuid=job) for job in jobs]
    assert tuple(job.result_code for job in ended) == codes
    assert [job.completed for job in ended] == sorted(job.completed for job in ended)
    assert world.read(vm).state == state
    check(world)


def test_what_happened_is_told_once_by_event_and_by_usage(world, vm):
    for command in ("stop", "start", "destroy"):
        world.do(f"{command}VirtualMachine", id=vm.uuid)

    actions = Event.all_tenants.filter(state="Completed").order_by("pk")
    assert list(actions.values_list("kind", flat=True)) == ["VM.CREATE", "VM.STOP", "VM.START", "VM.DESTROY"]
    usage = UsageEvent.objects.filter(kind__startswith="VM.").order_by("pk")
    told = ["VM.START", "VM.STOP", "VM.START", "VM.STOP", "VM.DESTROY"]
    assert list(usage.values_list("kind", flat=True)) == told
