"""Carries flows out. Rule of this module: what is about to be undone is in the row before the first undo, and the
position moves only after the effect. Killed at any line, the next worker goes on in the same direction.
"""

import logging
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from apps.core import ports
from apps.core.commands import REGISTRY
from apps.core.dispatch import render
from apps.core.prepared import Prepared, Slot
from apps.core.retry import after, atomically, is_passing
from apps.hypervisors.errors import Busy, Refused, Unknown
from apps.jobs import finish, lease, locks, wake
from apps.jobs.current import advancing
from apps.jobs.flows import FLOWS, Flow, GoBack, Step, Wait, begun, error_of
from apps.jobs.models import FlowRun

log = logging.getLogger(__name__)
Phase = FlowRun.Phase
WAITING = Prepared(lambda: FlowRun.objects.filter(waits_for=Slot("child")).values_list("pk", "queue"))


def advance(key: int) -> bool:
    """Work on a run until it ends or has to wait. False if it was not due, or is another worker's."""
    run = lease.take(FlowRun, key, lease.due() & Q(phase__in=FlowRun.LIVE))
    if run is None:
        return False
    token = advancing.set(run)
    try:
        if run.ticket is None or _locked(run):
            _Work(run).go()
    except lease.Fenced:
        log.warning("flow run %s was taken over: this worker was too slow", key)
    finally:
        advancing.reset(token)
    return True


def _locked(run: FlowRun) -> bool:
    """A child has its locks from its first step to its end; who releases them wakes it, the timer is for lost wakes."""
    keys = locks.prepare(run)
    try:
        _take(run, keys)
    except locks.NotYet:
        lease.write(run, wake_at=timezone.now() + timedelta(seconds=5))
        return False
    return True


@atomically
def _take(run: FlowRun, keys: list[str]) -> None:
    locks.take(run, keys, run.ticket)
    lease.write(run, ticket=None)


@dataclass
class _Work:
    run: FlowRun

    def __post_init__(self) -> None:
        self.flow: Flow[Any] = FLOWS[self.run.flow, self.run.version]
        self.ctx = self.flow.load(self.run.context)

    def go(self) -> None:
        goes_on = True
        while goes_on:
            step = self.flow.step(self.run.step) if self.run.step else None
            if step is None:
                goes_on = self._end()
            else:
                goes_on = self._do(step) if self.run.phase == Phase.DOING else self._undo(step)

    def _save(self, **values: Any) -> bool:
        """Always True, for ``return self._save(...)``: there is more to do now."""
        # Values of fields this release does not know stay as they are.
        lease.write(self.run, context=self.run.context | asdict(self.ctx), **values)
        return True

    def _sleep(self, seconds: float, **values: Any) -> bool:
        self._save(wake_at=timezone.now() + timedelta(seconds=seconds), **values)
        return False

    def _wait(self, wait: Wait) -> bool:
        """A child that ended before this row said that it waits has woken nobody: ask again, now that it says so."""
        self._sleep(wait.seconds, waits_for=wait.child)
        if wait.child is None or FlowRun.objects.filter(pk=wait.child, phase__in=FlowRun.LIVE).exists():
            return False
        return self._save(waits_for=None)

    def _do(self, step: Step[Any]) -> bool:
        try:
            step.do(self.ctx)
        except Wait as wait:
            return self._wait(wait)
        except GoBack as back:
            return self._turn(back, Phase.GOING_BACK, back.to)
        except Exception as error:
            # Unknown is no failure, nor is a database that was away: the step ensures, so doing it again finds out.
            again = isinstance(error, (Busy, Unknown)) or is_passing(error)
            kept = after(error)
            if again and self.run.tries + 1 < step.tries:
                return self._sleep(2**self.run.tries, tries=self.run.tries + 1)
            return self._turn(kept, Phase.UNDOING)
        return self._move(self.flow.after(step.name))

    def _move(self, name: str, **values: Any) -> bool:
        """To the next step, done or undone: here, or by message if it belongs to other workers."""
        queue = self.flow.step(name).queue_for(self.ctx) if name else self.run.queue
        if name and self.run.phase == Phase.DOING:
            values["trail"] = [*self.run.trail, begun(name)]
        if queue == self.run.queue or wake.is_served(queue):
            return self._save(step=name, tries=0, queue=queue, **values)
        self._sleep(0, step=name, tries=0, queue=queue, **values)
        wake.flow(self.run.pk, queue)
        return False

    def _turn(self, error: Exception, phase: Phase, target: str = "") -> bool:
        """Persist direction and reason before anything is undone. The failed step may be half done: it goes first."""
        if phase == Phase.GOING_BACK and self.run.rounds >= self.flow.rounds:
            phase, target = Phase.UNDOING, ""
        rounds = self.run.rounds + (phase == Phase.GOING_BACK)
        step = self.run.step or self.flow.steps[-1].name
        log.warning("flow %s is %s at %s", self.run.flow, phase, step, exc_info=error)
        reason = {"error": str(error), "error_code": code_of(error), "error_tenant": getattr(error, "tenant", "")}
        return self._save(phase=phase, step=step, target=target, tries=0, rounds=rounds, **reason)

    def _undo(self, step: Step[Any]) -> bool:
        try:
            if step.undo:
                step.undo(self.ctx)
        except Wait as wait:
            return self._wait(wait)
        except Exception as error:
            return self._stuck(error)
        if step.name == self.run.target:
            return self._save(phase=Phase.DOING, target="", tries=0, trail=[*self.run.trail, begun(step.name)])
        return self._move(self.flow.after(step.name, by=-1))

    def _stuck(self, error: Exception) -> bool:
        """Undoing failed: nothing is reported as clean that is not. Tried again for ever, and an alert says so once."""
        log.warning("flow run %s cannot undo %s", self.run.pk, self.run.step, exc_info=error)
        if not self.run.tries:
            ports.events.one().alert(f"flow {self.run.flow} {self.run.pk}", f"undo of {self.run.step}: {error}")
        return self._sleep(min(2**self.run.tries, 600), tries=self.run.tries + 1)

    def _end(self) -> bool:
        done = self.run.phase == Phase.DOING
        try:
            self._finish(Phase.SUCCEEDED if done else Phase.FAILED)
        except lease.Fenced:
            raise
        except Exception as error:  # success: the rows are not as they were, what was built has to go
            return self._turn(error, Phase.UNDOING) if done else self._stuck(error)
        return False

    @atomically
    def _finish(self, phase: Phase) -> None:
        """Rows, flow, job, locks, events and those who wait: one transaction, so there is no half-finished end."""
        run, done = self.run, phase == Phase.SUCCEEDED
        (self.flow.on_success if done else self.flow.on_failure)(self.ctx)
        lease.write(run, phase=phase, key=None, context=run.context | asdict(self.ctx))
        for parent, queue in WAITING(child=run.pk):
            FlowRun.objects.filter(pk=parent).update(wake_at=timezone.now(), waits_for=None)
            wake.flow(parent, queue)
        if run.job_id is None:  # else the job has the locks, and gives them back when it ends
            wake.next_in_line(locks.release(run))
        if run.job:
            finish.succeed(run.job, self._answer()) if done else finish.fail(run.job, error_of(run))

    def _answer(self) -> dict[str, Any]:
        job = self.run.job
        if self.flow.result is None or job is None:
            return {"success": True}
        return render(REGISTRY[job.command], finish.caller_of(job), self.flow.result(self.ctx))


def code_of(error: Exception) -> int:
    """Out of places is "no capacity"; what a driver said is "not available"; the rest is ours or unexpected."""
    fallback = {GoBack: 533, Refused: 534, Busy: 534, Unknown: 534}
    return getattr(error, "code", fallback.get(type(error), 530))
