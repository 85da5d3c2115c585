"""Answers ``core.watch``: how far a job is, step by step, for the one who waits for it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db.models import Max, Q
from django.utils import timezone

from apps.core.callers import Access, Caller
from apps.core.errors import text_for
from apps.core.reach import Owned
from apps.jobs import ended
from apps.jobs.flows import FLOWS, error_of
from apps.jobs.models import FlowRun, Job

REACH = Owned(owner="account_id", path="account__domain__path")
AT_ONCE = 50  # jobs that have ended
MANY = 200  # jobs that one look tells of
Phase = FlowRun.Phase


class Watcher:
    def steps(self, caller: Caller, job: str) -> Sequence[Mapping[str, Any]]:
        row = Job.objects.filter(REACH.q(caller, Access.LIST), uuid=job).first()
        if row is None:
            return []
        run = FlowRun.objects.filter(job=row).order_by("pk").first()
        return list(_steps(row, run, caller.is_root)) if run else list(_whole(row))

    def explanation(self, caller: Caller, job: str) -> Mapping[str, Any] | None:
        if not caller.is_root:
            return None
        return Job.objects.filter(uuid=job).values_list("explanation", flat=True).first()

    def placement(self, caller: Caller, model: str, key: str) -> Mapping[str, Any] | None:
        return self.placements(caller, model, [key]).get(key)

    def placements(self, caller: Caller, model: str, keys: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Of machines, those that look for a place are few among the jobs about one row."""
        if not caller.is_root:
            return {}
        rows = dict(apps.get_model(model).all_tenants.filter(uuid__in=keys).values_list("pk", "uuid"))
        told = Job.objects.filter(row_kind=model.lower(), row_id__in=rows, explanation__isnull=False)
        latest = told.order_by().values("row_id").annotate(latest=Max("pk")).values("latest")
        found = Job.objects.filter(pk__in=latest).values_list("row_id", "explanation") if rows else ()
        return {str(rows[row]): explanation for row, explanation in found}

    def ended(self, caller: Caller, since: datetime, *, only_failed: bool = False) -> Sequence[Mapping[str, Any]]:
        failed = {"status": Job.Status.FAILED} if only_failed else {}
        rows = Job.objects.filter(REACH.q(caller, Access.LIST), completed__gte=since, **failed)
        keys = list(rows.order_by("-completed", "-pk").values_list("pk", flat=True)[:AT_ONCE])
        return ended.told(Job.objects.filter(pk__in=keys).order_by("-completed", "-pk")) if keys else []

    def one(self, caller: Caller, job: str) -> Mapping[str, Any] | None:
        found = ended.told(Job.objects.filter(REACH.q(caller, Access.OPERATE), uuid=job))
        return found[0] if found else None

    def lately(self, accounts: Collection[int], since: datetime) -> Sequence[Mapping[str, Any]]:
        rows = Job.objects.filter(Q(status__in=Job.LIVE) | Q(completed__gte=since), account__in=accounts)
        columns = ("account_id", "uuid", "status", "progress")
        found = rows.order_by("-pk").values_list(*columns)[:MANY]
        return [{"account": a, "job": str(uuid), "status": s, "progress": p} for a, uuid, s, p in found]


def _whole(job: Job) -> Iterator[dict[str, Any]]:
    """A job with one effect waits, is carried out, and ends."""
    ended = job.completed or timezone.now()
    status = {Job.Status.QUEUED: "todo", Job.Status.RUNNING: "now", Job.Status.SUCCEEDED: "done"}
    yield _step("waits", "now" if job.status == Job.Status.QUEUED else "done", None)
    seconds = None if job.status == Job.Status.QUEUED else (ended - job.created).total_seconds()
    yield _step("works", status.get(Job.Status(job.status), "failed"), seconds, job.progress_text)


def _steps(job: Job, run: FlowRun, is_root: bool) -> Iterator[dict[str, Any]]:
    """Of the latest round: going back leaves the times of the rounds before behind."""
    names = [step.name for step in FLOWS[run.flow, run.version].steps]
    begun = {name: datetime.fromisoformat(moment) for name, moment in run.trail}
    reached = names.index(run.trail[-1][0]) if run.trail else 0
    at = names.index(run.step) if run.step else -1
    for place, name in enumerate(names):
        status = "todo" if place > reached else _status(run.phase, place, at, reached)
        text = _text(job, run, is_root) if status in ("now", "failed") else ""
        yield _step(name, status, None if status == "todo" else _seconds(names, begun, place, job), text)


def _status(phase: str, place: int, at: int, reached: int) -> str:
    """Of a step that was begun. Doing: the last of them is under way. Undoing: from the one that failed downwards."""
    if phase == Phase.SUCCEEDED:
        return "done"
    if place == reached:
        return "now" if phase == Phase.DOING else "failed"
    return "done" if phase == Phase.DOING or place <= at else "undone"


def _text(job: Job, run: FlowRun, is_root: bool) -> str:
    if run.phase == Phase.DOING:
        return job.progress_text
    return text_for(error_of(run), is_root)


def _seconds(names: list[str], begun: dict[str, datetime], place: int, job: Job) -> float | None:
    start = begun.get(names[place])
    later = [begun[name] for name in names[place + 1 :] if name in begun]
    end = later[0] if later else job.completed or timezone.now()
    return max((end - start).total_seconds(), 0.0) if start else None


def _step(name: str, status: str, seconds: float | None, text: str = "") -> dict[str, Any]:
    return {"name": name, "status": status, "seconds": seconds, "text": text}
