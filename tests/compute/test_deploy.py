from types import SimpleNamespace

import pytest
from django.test import TestCase

from apps.core import dispatch
from apps.core.errors import CloudError
from apps.core.models import Question
from apps.events.models import Alert, Event, UsageEvent
from apps.hypervisors import fake
from apps.hypervisors.errors import Busy, Refused, Unknown
from apps.infrastructure.models import Host
from apps.jobs import engine, runner, sweeper, wake
from apps.jobs.models import FlowRun, Job
from apps.machines.models import Attachment, Reservation, VirtualMachine
from apps.storage.models import Volume
from tests.conftest import answer
from tests.crash import PAST, let_time_pass, matrix, work_off

MEMORY = 512


def scene(make, monkeypatch, *faults):
    """A client deploys on two hosts; ``faults`` are arguments of ``Cloud.fail``."""

    def begin():
        cloud = fake.Cloud()
        monkeypatch.setattr(fake, "CLOUD", cloud)
        for call, error, how in faults:
            cloud.fail(call, error, **how)
        alice = make.caller()
        for name in ("h1", "h2"):
            make.host(name)
        got = dispatch.call(alice, "deployVirtualMachine", **make.order(alice.account))
        return SimpleNamespace(cloud=cloud, alice=alice, id=got["id"], jobid=got["jobid"])

    return begin


def check_world(world, state):
    """The instance is what its row says, on the hypervisor, in the books of capacity, and nowhere twice."""
    vm = VirtualMachine.all_tenants.get(uuid=world.id)
    hosts = {vm.host.name} if state == "Running" else set()
    assert (vm.state, world.cloud.running.get(world.id, set())) == (state, hosts)
    assert set(Host.all_tenants.filter(memory_mib_used=MEMORY).values_list("name", flat=True)) == hosts
    assert Host.all_tenants.exclude(memory_mib_used__in=(0, MEMORY)).count() == 0
    assert set(Reservation.objects.values_list("host__name", flat=True)) == hosts
    roots = list(Volume.all_tenants.values_list("state", flat=True))
    assert roots in (["Ready"], ["Allocated"], []) if state == "Error" else roots == ["Ready"]
    assert (len(roots), roots.count("Ready")) == (Attachment.objects.count(), len(world.cloud.disks))
    assert Question.objects.count() == 0


EVER = {"times": 99}  # or the worker that goes on after the kill would find the host healed
NO_START_1 = ("power.start", Refused("no"), {"host": "h1", **EVER})
NO_START_2 = ("power.start", Refused("no"), {"host": "h2", **EVER})
SCENES = {
    "succeeds": ("Running", ()),
    "goes back from a host that refuses": ("Running", (NO_START_1,)),
    "finds no host in the end": ("Error", (NO_START_1, NO_START_2)),
    "is refused its disk": ("Error", (("disks.create", Refused("full"), EVER),)),
    "asks again after a timeout that acted": ("Running", (("power.start", Unknown("?"), {"when": "after"}),)),
    "gives up on hosts that always time out": ("Error", (("power.start", Unknown("?"), {"when": "after", **EVER}),)),
    "cannot undo at first": ("Running", (NO_START_1, ("power.stop", Busy("later"), {"times": 2}))),
}


@pytest.mark.parametrize("name", SCENES)
def test_killed_at_every_point_it_ends_as_if_nothing_had_happened(db, make, monkeypatch, name):
    state, faults = SCENES[name]

    def check(world, lost):
        if not lost:
            return check_world(world, state)
        with pytest.raises(CloudError):
            answer(world.jobid)
        return check_world(world, "Error")

    points = matrix(scene(make, monkeypatch, *faults), check)

    assert points >= 14


def test_the_answer_names_the_instance(db, make, monkeypatch):
    world = scene(make, monkeypatch)()

    work_off()

    result = answer(world.jobid)["virtualmachine"]
    assert (result["id"], result["state"], result["account"]) == (world.id, "Running", "alice")
    assert "hostid" not in result
    assert list(UsageEvent.objects.values_list("kind", flat=True)) == ["VOLUME.CREATE", "VM.START"]


def test_a_tenant_does_not_learn_why_there_was_no_place(db, make, monkeypatch):
    world = scene(make, monkeypatch, NO_START_1, NO_START_2)()

    work_off()

    with pytest.raises(CloudError, match="^Unable to create a deployment, there is not enough capacity$") as error:
        answer(world.jobid)
    assert error.value.code == 533


def test_while_undo_fails_nothing_is_reported_as_clean(db, make, monkeypatch):
    """The start timed out for good and the host does not answer: it may run there, so it may run nowhere else."""
    lost = ("power.stop", Unknown("no route"), {"times": 5})
    world = scene(make, monkeypatch, ("power.start", Unknown("?"), {"when": "late"}), lost)()

    runner.drain()
    let_time_pass()
    runner.drain()
    run = FlowRun.objects.get()
    assert (run.phase, Reservation.objects.count()) == ("doing", 1)
    for _ in range(4):
        let_time_pass()
        runner.drain()
    run.refresh_from_db()
    assert (run.phase, run.step, Job.objects.get().status) == ("undoing", "start", "running")
    assert Alert.all_tenants.count() == 1

    world.cloud.land()
    work_off()
    check_world(world, "Error")


def test_of_two_workers_on_one_run_the_one_that_stalled_loses(db, make, monkeypatch):
    world, start = scene(make, monkeypatch)(), fake.FakePower.start

    def stall(self, vm, *, within):
        monkeypatch.setattr(fake.FakePower, "start", start)
        FlowRun.objects.update(wake_at=PAST)
        assert engine.advance(FlowRun.objects.get().pk)  # another worker takes over and ends the flow
        start(self, vm, within=within)

    monkeypatch.setattr(fake.FakePower, "start", stall)
    work_off()

    check_world(world, "Running")
    assert Event.all_tenants.filter(kind="VM.CREATE", state="Completed").count() == 1
    assert UsageEvent.objects.filter(kind="VM.START").count() == 1


def test_each_step_is_worked_on_by_its_queue(db, make, monkeypatch):
    sent = []
    monkeypatch.setattr(wake, "flow", lambda key, queue: sent.append(queue))
    scene(make, monkeypatch, NO_START_1, NO_START_2)()

    work_off()

    forth, back = ["jobs", "storage", "hypervisor"], ["storage", "jobs"]
    assert sent == ["network", *forth, *back, *forth[1:], *back, "network"]


def test_a_message_that_is_lost_is_sent_again_to_the_queue_of_the_step(db, make, monkeypatch):
    sent = []
    world = scene(make, monkeypatch, ("power.start", Busy("later"), {}))()
    runner.drain()
    monkeypatch.setattr(wake, "publish", lambda task, key, queue: sent.append((task.name, queue)))
    sweeper.sweep()
    assert sent == []

    let_time_pass()
    with TestCase.captureOnCommitCallbacks(execute=True):
        for key, queue in sweeper.due_flows():
            wake.flow(key, queue)

    assert [name for name, queue in sent if queue == "hypervisor"] == ["apps.jobs.tasks.run_flow"]
    work_off()
    check_world(world, "Running")


def test_a_context_of_another_release_is_read(db, make, monkeypatch):
    world = scene(make, monkeypatch)()
    runner.worker.run(Job.objects.get().pk)
    run = FlowRun.objects.get()
    FlowRun.objects.update(context=run.context | {"from_the_future": 1})

    work_off()

    check_world(world, "Running")
    assert FlowRun.objects.get().context["from_the_future"] == 1
