"""A child flow claims the keys of what it changes, as a job does: in the place in the queue that its root job has."""

from dataclasses import dataclass, field

import pytest

from apps.jobs import engine, flows, locks, runner, worker
from apps.jobs.current import current
from apps.jobs.flows import Flow, Step, begin, join
from apps.jobs.models import Claim, FlowRun, Job, Lock

pytestmark = pytest.mark.django_db
DONE: list[str] = []


@dataclass
class Child:
    keys: list[str] = field(default_factory=list)


@dataclass
class Parent:
    keys: list[str] = field(default_factory=list)
    children: dict[str, int] = field(default_factory=dict)


@pytest.fixture(autouse=True)
def two_flows(monkeypatch):
    monkeypatch.setattr(flows, "FLOWS", {})
    monkeypatch.setattr(engine, "FLOWS", flows.FLOWS)
    DONE.clear()

    def work(ctx):
        DONE.append("child")

    def nothing(ctx):
        pass

    def take_down(ctx):
        join(ctx.children, child, Child(ctx.keys), key="child:1")

    child = Flow("test.child", Child, (Step(work),), nothing, nothing, locks=lambda ctx: ctx.keys)
    return Flow("test.parent", Parent, (Step(take_down),), nothing, nothing)


def job(make, *keys):
    row = Job.objects.create(account=make.account(), command="x", params={})
    locks.claim(row, keys)
    assert worker.claim(row.pk)
    row.refresh_from_db()
    return row


def start(parent, root, keys):
    token = current.set(root)
    try:
        begin(parent, Parent(keys=keys))
    finally:
        current.reset(token)


def test_a_child_waits_for_the_job_that_holds_its_row_and_is_woken_by_its_end(make, two_flows):
    holder = job(make, "vm:1")
    start(two_flows, Job.objects.create(account=holder.account, command="x", params={}, status="running"), ["vm:1"])
    runner.drain()
    assert (DONE, Lock.objects.get(key="vm:1").holder) == ([], f"job:{holder.pk}")

    Job.objects.filter(pk=holder.pk).update(status="succeeded")
    from apps.jobs import wake

    wake.next_in_line(locks.release(holder))
    runner.drain()

    assert DONE == ["child"]
    assert (Claim.objects.count(), Lock.objects.get(key="vm:1").holder) == (0, "")


def test_what_its_root_holds_is_not_claimed_again(make, two_flows):
    root = job(make, "account:1", "vm:1")

    start(two_flows, root, ["vm:1", "vm:2"])
    runner.drain()

    assert DONE == ["child"]
    assert FlowRun.objects.filter(phase="succeeded").count() == 2


def test_a_later_job_does_not_overtake_a_child_of_an_older_one(make, two_flows):
    root = job(make, "account:1")
    start(two_flows, root, ["vm:1"])
    engine.advance(FlowRun.objects.get(flow="test.parent").pk)  # the child is in the queue now
    late = Job.objects.create(account=root.account, command="x", params={})
    locks.claim(late, ["vm:1"])

    assert worker.claim(late.pk) is None
    assert DONE == []


def test_a_child_that_ends_before_its_parent_waits_does_not_leave_it_waiting(make, two_flows, monkeypatch):
    """Another worker may be through with the child while the parent is still on its way to its row."""
    waits = flows.Wait.__init__

    def child_is_faster(self, seconds, child=None):
        waits(self, seconds, child)
        engine.advance(child)

    monkeypatch.setattr(flows.Wait, "__init__", child_is_faster)
    run = begin(two_flows, Parent())

    engine.advance(run.pk)

    run.refresh_from_db()
    assert (run.phase, DONE) == (FlowRun.Phase.SUCCEEDED, ["child"])
