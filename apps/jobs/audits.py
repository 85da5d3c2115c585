"""What must be true of jobs, flows, their locks and of open questions, also while work goes on."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps

from apps.core.audit import audit
from apps.core.models import Question
from apps.core.outcomes import OUTCOMES
from apps.jobs.models import Claim, FlowRun, Job, Lock

HOLDERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "job": (Job, {"status__in": Job.LIVE}),
    "run": (FlowRun, {"phase__in": FlowRun.LIVE}),
}


@audit("locks: who holds one or waits for one is at work")
def locks() -> Iterator[str]:
    held = set(Lock.objects.exclude(holder="").values_list("key", "holder"))
    claims = set(Claim.objects.values_list("key", "holder"))
    gone = _gone(holder for _, holder in held | claims)
    # Looked at again: between two queries somebody may have ended, and given all of it back.
    for key, holder in Lock.objects.filter(holder__in=gone).order_by("key").values_list("key", "holder"):
        yield f"lock {key} is left to {holder}, which is not at work"
    for key, holder in Claim.objects.filter(holder__in=gone).order_by("key").values_list("key", "holder"):
        yield f"{holder} waits for lock {key} and is not at work"
    for key, holder in sorted((key, holder) for key, holder in held - claims if holder not in gone):
        if Lock.objects.filter(key=key, holder=holder).exists():
            yield f"lock {key} is held by {holder}, which has no claim on it"


def _gone(holders: Iterable[str]) -> set[str]:
    found = set(holders)
    for kind, (model, live) in HOLDERS.items():
        keys = [int(name.partition(":")[2]) for name in found if name.startswith(f"{kind}:")]
        found -= {f"{kind}:{key}" for key in model.objects.filter(pk__in=keys, **live).values_list("pk", flat=True)}
    return found


@audit("jobs: none has ended before its flow, and each that has ended says how")
def jobs() -> Iterator[str]:
    left = FlowRun.objects.filter(phase__in=FlowRun.LIVE, job__isnull=False).exclude(job__status__in=Job.LIVE)
    for key, job in left.order_by("pk").values_list("pk", "job__uuid"):
        yield f"flow {key} is at work for job {job}, which has ended"
    mute = Job.objects.filter(status__in=(Job.Status.SUCCEEDED, Job.Status.FAILED), completed=None)
    for uuid in mute.order_by("pk").values_list("uuid", flat=True):
        yield f"job {uuid} has ended and says not when"


@audit("questions: each is of a kind that is known, about a row that is there")
def questions() -> Iterator[str]:
    asked: dict[str, set[int]] = {}
    for kind, row in Question.objects.values_list("kind", "row_id"):
        asked.setdefault(kind, set()).add(row)
    for kind, rows in sorted(asked.items()):
        outcome = OUTCOMES.get(kind)
        known = set() if outcome is None else _there(outcome.model, rows)
        for row in sorted(rows - known):
            if Question.objects.filter(kind=kind, row_id=row).exists():
                yield f"question {kind} is about {row}, which nobody knows"


def _there(label: str, keys: set[int]) -> set[int]:
    return set(apps.get_model(label)._base_manager.filter(pk__in=keys).values_list("pk", flat=True))
