"""Kill the worker at every point of a piece of work, one point after the other, and look at what the sweeper makes of
it. Points are the fenced writes (before and after each: so also before and after every step's effect) and the driver
calls (before and after each acts). A dry run counts them; nothing in the product knows about this.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from apps.core.models import Question
from apps.hypervisors import fake
from apps.jobs import lease, runner
from apps.jobs.models import Claim, FlowRun, Job, Lock

PAST = "2020-01-01T00:00Z"


class Killed(BaseException):
    """The worker is gone; nothing catches this."""


class Bomb:
    """Goes off once, at the n-th point."""

    def __init__(self, at: int = -1):
        self.at, self.seen = at, 0

    def tick(self) -> None:
        self.seen += 1
        if self.seen - 1 == self.at:
            raise Killed


@contextmanager
def armed(bomb: Bomb) -> Iterator[None]:
    write, act = lease.write, fake.Cloud.act

    def bombed(function: Callable) -> Callable:
        def call(*args, **kwargs):
            bomb.tick()
            result = function(*args, **kwargs)
            bomb.tick()
            return result

        return call

    lease.write, fake.Cloud.act = bombed(write), bombed(act)
    try:
        yield
    finally:
        lease.write, fake.Cloud.act = write, act


def let_time_pass() -> None:
    """Leases end, waits are over, questions are due."""
    Question.objects.update(due_at=PAST)
    FlowRun.objects.filter(phase__in=FlowRun.LIVE).update(wake_at=PAST)
    Job.objects.filter(status=Job.Status.RUNNING).update(wake_at=PAST)


def work_off(rounds: int = 40) -> None:
    for _ in range(rounds):
        runner.drain()
        if not FlowRun.objects.filter(phase__in=FlowRun.LIVE).exists():
            return
        let_time_pass()
    live = FlowRun.objects.filter(phase__in=FlowRun.LIVE).values(
        "pk", "flow", "phase", "step", "error", "tries", "waits_for", "ticket"
    )
    raise AssertionError(f"a flow is stuck: {list(live)}")


def matrix(scene: Callable[[], object], check: Callable[[object, bool], None], every: int = 1) -> int:
    """Run ``scene`` whole, then once per point with the worker killed there; returns the number of points. ``every`` 3
    takes each third one, for operations that are made of others which have matrices of their own. On a database server
    a third of them: where a flow may be killed does not depend on it, what it has locked does.

    ``check`` gets what the scene returned, and whether the job was lost: killed before there was a flow to go on with.
    """
    points = _run(Bomb(), scene, check)
    for at in range(0, points, every * (3 if connection.vendor == "mysql" else 1)):
        _run(Bomb(at), scene, check)
    return points


def _run(bomb: Bomb, scene: Callable[[], object], check: Callable[[object, bool], None]) -> int:
    with rolled_back():
        world, lost = scene(), False
        with armed(bomb):
            try:
                work_off()
            except Killed:
                lost = Job.objects.filter(status="running", flows=None).exists()
                let_time_pass()
            work_off()
        let_time_pass()
        work_off()
        nothing_is_left_over()
        try:
            check(world, lost)
        except AssertionError as error:
            raise AssertionError(f"killed at point {bomb.at}: {error}") from error
    return bomb.seen


@contextmanager
def rolled_back() -> Iterator[None]:
    block = transaction.atomic()
    block._from_testcase = True  # as pytest-django's own: no transaction of the product
    with block:
        yield
        transaction.set_rollback(True)


def nothing_is_left_over() -> None:
    assert not Job.objects.filter(status__in=("queued", "running")).exists()
    assert not FlowRun.objects.filter(phase__in=FlowRun.LIVE).exists()
    assert not Claim.objects.exists()
    assert not Lock.objects.exclude(holder="").exists()
