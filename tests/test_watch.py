"""What is shown to a person who waits for a job."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.core import dispatch, ports
from apps.core.callers import USER, Access
from apps.core.commands import REGISTRY, AsyncCommand, command
from apps.core.errors import ResourceUnavailable
from apps.core.refs import Ref
from apps.core.wire import Str
from apps.jobs import engine, runner
from apps.jobs.flows import Flow, GoBack, Step, Wait, begin, progress
from apps.jobs.models import FlowRun, Job
from tests.crash import let_time_pass


@dataclass
class Mood:
    mood: str
    tries: int = 0


def fetch(ctx):
    pass


def build(ctx):
    progress(40, "Building")
    ctx.tries += 1
    if ctx.mood == "waits":
        raise Wait(60)
    if ctx.mood == "fails":
        raise ResourceUnavailable("host h1 did not answer")
    if ctx.mood == "goes back" and ctx.tries == 1:
        raise GoBack("fetch", "another one")


def unbuild(ctx):
    if ctx.mood == "goes back" and ctx.tries == 1:
        ctx.tries += 1
        raise Wait(60)


def deliver(ctx):
    pass


STEPS = (Step(fetch), Step(build, undo=unbuild), Step(deliver))
FLOW = Flow("test.watch", Mood, STEPS, lambda ctx: None, lambda ctx: None)


@pytest.fixture(autouse=True)
def probe():
    @command("probeVolume", roles=USER, event="PROBE", response=None, locks=("volume",))
    class Probe(AsyncCommand):
        """Probes a volume."""

        id = Ref("storage.Volume", Access.OPERATE, source="volume", required=True)
        mood = Str(required=True)

        def run(self, volume, mood):
            return {"success": True} if mood == "is short" else begin(FLOW, Mood(mood))

    yield
    del REGISTRY["probeVolume"]


@pytest.fixture
def alice(make, db):
    return make.caller()


def submit(caller, make, mood):
    return dispatch.call(caller, "probeVolume", id=make.volume(caller.account).uuid, mood=mood)["jobid"]


def told(caller, job):
    return [(step["name"], step["status"], step["text"]) for step in ports.watch.one().steps(caller, job)]


def test_a_job_of_one_effect_waits_and_is_carried_out(alice, make):
    job = submit(alice, make, "is short")

    before = told(alice, job)
    runner.drain()

    assert before == [("waits", "now", ""), ("works", "todo", "")]
    assert told(alice, job) == [("waits", "done", ""), ("works", "done", "")]


def test_a_step_that_is_under_way_says_what_it_does(alice, make):
    job = submit(alice, make, "waits")

    runner.drain()

    assert told(alice, job) == [("fetch", "done", ""), ("build", "now", "Building"), ("deliver", "todo", "")]
    first, second, third = ports.watch.one().steps(alice, job)
    assert first["seconds"] >= 0
    assert second["seconds"] >= 0
    assert third["seconds"] is None


def test_all_steps_are_done_in_the_end(alice, make):
    job = submit(alice, make, "works")

    runner.drain()

    assert told(alice, job) == [("fetch", "done", ""), ("build", "done", ""), ("deliver", "done", "")]


def test_a_failure_names_its_step_and_tells_a_tenant_no_host(alice, make):
    root, job = make.root(), submit(alice, make, "fails")

    runner.drain()

    general = "Resource is unavailable, please try again later"
    assert told(alice, job) == [("fetch", "undone", ""), ("build", "failed", general), ("deliver", "todo", "")]
    assert told(root, job)[1] == ("build", "failed", "host h1 did not answer")


def test_going_back_takes_steps_back_and_does_them_again(alice, make):
    job = submit(alice, make, "goes back")

    runner.drain()
    assert FlowRun.objects.get().phase == FlowRun.Phase.GOING_BACK
    assert [status for _, status, _ in told(alice, job)] == ["done", "failed", "todo"]
    let_time_pass()
    engine.advance(FlowRun.objects.get().pk)

    assert [status for _, status, _ in told(alice, job)] == ["done", "done", "done"]
    assert [name for name, _ in FlowRun.objects.get().trail] == ["fetch", "build", "fetch", "build", "deliver"]


def test_a_job_of_somebody_else_has_no_steps(alice, make):
    job = submit(alice, make, "works")

    assert told(make.caller("bob"), job) == []


def test_lately_tells_of_the_live_and_the_just_ended_jobs_of_these_accounts(alice, make):
    bob = make.caller("bob")
    old, ended, live = (submit(alice, make, "is short") for _ in range(3))
    submit(bob, make, "is short")
    now = timezone.now()
    Job.objects.filter(uuid=old).update(status="succeeded", completed=now - timedelta(minutes=1))
    Job.objects.filter(uuid=ended).update(status="failed", completed=now)

    found = ports.watch.one().lately([alice.account.pk], now - timedelta(seconds=5))

    assert [(job["job"], job["status"]) for job in found] == [(live, "queued"), (ended, "failed")]
    assert {job["account"] for job in found} == {alice.account.pk}


def test_why_a_place_was_chosen_is_told_to_root_administrators_only(alice, make):
    vm = make.vm(alice.account)
    first, last, plain = (submit(alice, make, "is short") for _ in range(3))
    about = {"row_kind": "machines.virtualmachine", "row_id": vm.pk}
    for job, text in ((first, "before"), (last, "now")):
        Job.objects.filter(uuid=job).update(explanation={"text": text}, **about)
    Job.objects.filter(uuid=plain).update(**about)
    watch, root, key = ports.watch.one(), make.root(), str(vm.uuid)

    assert watch.explanation(root, first) == {"text": "before"}
    assert watch.explanation(root, plain) is None
    assert watch.placement(root, "machines.VirtualMachine", key) == {"text": "now"}
    assert watch.explanation(alice, first) is None
    assert watch.placement(alice, "machines.VirtualMachine", key) is None
