"""The end of a job: result, failure exit of the row, locks, event and the next in line, in one transaction."""

from typing import Any

import orjson
from django.apps import apps
from django.db import transaction
from django.utils import timezone

from apps.core import ports, secret
from apps.core.commands import REGISTRY, CreateCommand, Spec
from apps.core.dispatch import described
from apps.core.errors import CloudError, text_for
from apps.core.retry import atomically
from apps.jobs import lease, locks, wake
from apps.jobs.models import Job


@atomically
def succeed(job: Job, answer: dict[str, Any]) -> None:
    _end(job, status=Job.Status.SUCCEEDED, result=stored(REGISTRY.get(job.command), answer))


def stored(spec: Spec | None, answer: dict[str, Any]) -> str:
    """An answer as the row keeps it."""
    text = orjson.dumps(answer).decode()
    return Job.SEALED + secret.seal(text) if spec and spec.tells_secrets else text


@atomically
def fail(job: Job, error: Exception) -> None:
    """Errors that no one declared are 530; their text is for root and the log."""
    code, caller = getattr(error, "code", 530), caller_of(job)
    _failure_exit(job)
    body = {"errorcode": code, "errortext": text_for(error, caller.is_root)}
    values = {"status": Job.Status.FAILED, "result": orjson.dumps(body).decode(), "result_code": code}
    _end(job, text_for(error, is_root=False) or "failed", **values)


def _failure_exit(job: Job) -> None:
    spec = REGISTRY.get(job.command)
    if not (job.creates and spec and issubclass(spec.cls, CreateCommand)):
        return
    row = apps.get_model(job.row_kind)._base_manager.get(pk=job.row_id)
    try:
        with transaction.atomic():
            spec.cls(caller_of(job)).failed(row)
    except CloudError as error:  # its state has no such exit: the job must end all the same, and a person look
        ports.events.one().alert(row.lock_key, f"{job.command} failed: {error}")


def _end(job: Job, error: str = "", **values: Any) -> None:
    lease.write(job, completed=timezone.now(), **values)
    wake.next_in_line(locks.release(job))
    if job.event and not ports.events.one().went_on(job.event, "Completed", error=error):
        _tell_alone(job, error)


def _tell_alone(job: Job, error: str) -> None:
    """Its chain was deleted meanwhile: the end is told all the same."""
    spec, about = REGISTRY.get(job.command), subject_of(job)
    if spec and spec.event:
        text = (
            f"Error while {described(spec, about)}: {error}"
            if error
            else f"Successfully completed {described(spec, about)}"
        )
        ports.events.one().done(spec.event, caller_of(job), about, text, level="ERROR" if error else "INFO")


def subject_of(job: Job) -> Any:
    if not job.row_id:
        return None
    return apps.get_model(job.row_kind)._base_manager.filter(pk=job.row_id).first()


def caller_of(job: Job) -> Any:
    """Read once per worker's turn: the role of now, not of when the job was submitted."""
    if not hasattr(job, "_caller"):
        job._caller = ports.tenants.one().caller(job.user_id, job.account_id)  # type: ignore[attr-defined]
    return job._caller  # type: ignore[attr-defined]
