"""Flows are operations with two or more effects outside the database: a tuple of steps, each an *ensure* with its undo.

A step may run twice and its undo copes with half-done work, so the engine may be killed anywhere. What a step raises
says what happens next: Busy and Unknown, the same step again; GoBack, undo to an earlier step and forward again;
anything else, undo everything.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Generic, TypeVar

from django.db import IntegrityError
from django.utils import timezone

from apps.core.errors import CloudError
from apps.core.prepared import changed
from apps.core.retry import atomically
from apps.jobs import locks, wake
from apps.jobs.current import current, renew, root
from apps.jobs.models import FlowRun, Job

X = TypeVar("X")
FLOWS: dict[tuple[str, int], "Flow[Any]"] = {}
LATEST: dict[str, int] = {}


class Wait(Exception):
    """Not an error: the step is not finished, run it again after ``seconds`` or when ``child`` ends."""

    def __init__(self, seconds: float, child: int | None = None):
        self.seconds, self.child = seconds, child


class GoBack(Exception):
    """Undo down to step ``to`` and try again from there; the context says what to avoid."""

    def __init__(self, to: str, reason: str):
        super().__init__(reason)
        self.to = to


@dataclass(frozen=True)
class Step(Generic[X]):
    do: Callable[[X], None]
    undo: Callable[[X], None] | None = None
    tries: int = 3
    queue: str = "jobs"
    at: Callable[[X], str] | None = None  # the zone whose workers can do it

    @property
    def name(self) -> str:
        return self.do.__name__

    def queue_for(self, ctx: X) -> str:
        return f"{self.queue}.{self.at(ctx)}" if self.at else self.queue


@dataclass(frozen=True)
class Flow(Generic[X]):
    """``context`` is a dataclass of plain values. ``on_success`` and ``on_failure`` write to the database only: they
    run in the transaction that ends the flow. A change of the steps is a new ``version``; the old one stays until no
    run has it.
    """

    name: str
    context: type[X]
    steps: tuple[Step[X], ...]
    on_success: Callable[[X], None]
    on_failure: Callable[[X], None]
    result: Callable[[X], Any] | None = None
    locks: Callable[[X], Iterable[str]] | None = None  # of a child: the keys of what it changes, as a job claims them
    rounds: int = 3
    version: int = 1

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        if len(set(names)) != len(names) or (self.name, self.version) in FLOWS:
            raise TypeError(f"flow {self.name}: two steps or flows of one name")
        FLOWS[self.name, self.version] = self
        LATEST[self.name] = max(self.version, LATEST.get(self.name, 0))

    def step(self, name: str) -> Step[X]:
        return next(step for step in self.steps if step.name == name)

    def after(self, name: str, by: int = 1) -> str:
        """The name of the next step, or with ``by=-1`` of the one before; "" past the ends."""
        place = [step.name for step in self.steps].index(name) + by
        return self.steps[place].name if 0 <= place < len(self.steps) else ""

    def load(self, stored: dict[str, Any]) -> X:
        """Tolerant: fields of another release are ignored, new ones have defaults."""
        known = {f.name for f in fields(self.context)}  # type: ignore[arg-type]
        return self.context(**{name: value for name, value in stored.items() if name in known})


@atomically
def begin(flow: Flow[X], ctx: X, *, key: str | None = None, child: bool = False) -> FlowRun:
    """Start a flow. A command returns what this returns, and its job stays pending until the flow ends."""
    renew()
    job, first = None if child else current.get(), flow.steps[0]
    run = FlowRun.objects.create(
        flow=flow.name,
        version=flow.version,
        step=first.name,
        queue=first.queue_for(ctx),
        context=asdict(ctx),  # type: ignore[call-overload]
        trail=[begun(first.name)],
        job=job,
        key=key,
        root=job.pk if job else root(),
    )
    if child and flow.locks:
        _claim(run, flow.locks(ctx))
    if not (job and wake.is_served(run.queue)):  # else the worker of the job goes on with it
        wake.flow(run.pk, run.queue)
    return run


def begun(step: str) -> list[str]:
    return [step, timezone.now().isoformat()]


def _claim(run: FlowRun, keys: Iterable[str]) -> None:
    """A child queues with the ticket of its root, and leaves out what the root has locked for it."""
    held = set(locks.keys_of(Job(pk=run.root))) if run.root else set()
    if wanted := set(keys) - held:
        run.ticket = run.root or 0
        FlowRun.objects.filter(pk=run.pk).update(ticket=run.ticket)
        locks.claim(run, wanted, run.ticket)


def progress(percent: int, text: str) -> None:
    """For the user who watches: shown by queryAsyncJobResult while the job is pending."""
    if key := root():
        changed(Job, {"pk": key}, {"progress": percent, "progress_text": text[:255]})


def explain(explanation: dict[str, Any]) -> None:
    """Kept with the job, for administrators: why a machine is where it is, or nowhere."""
    if key := root():
        changed(Job, {"pk": key}, {"explanation": explanation})


def join(children: dict[str, int], flow: Flow[X], ctx: X, *, key: str) -> None:
    """In a step: be through when the flow ``key`` is, whoever began it. ``children`` is a dict of the context."""
    run = FlowRun.objects.filter(pk=children.get(key, 0)).first() or FlowRun.objects.filter(key=key).first()
    if run is None:
        try:
            run = begin(flow, ctx, key=key, child=True)
        except IntegrityError:
            raise Wait(0) from None  # somebody began it this moment: join theirs
    children[key] = run.pk
    if run.phase in FlowRun.LIVE:
        raise Wait(30, child=run.pk)
    if run.phase == FlowRun.Phase.FAILED:
        raise error_of(run)


def error_of(run: FlowRun) -> CloudError:
    """Why a run failed, as it was raised: code, text and what tenants read."""
    error = CloudError(run.error, tenant=run.error_tenant)
    error.code = run.error_code
    return error
