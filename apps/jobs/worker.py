"""Run one job: claim it with its locks, parse again as the caller of now, run, end."""

import logging
from typing import Any

from django.apps import apps
from django.db.models import Q

from apps.core import ports
from apps.core.commands import CreateCommand, Spec
from apps.core.dispatch import authorised, render
from apps.core.errors import ResourceInUse
from apps.core.logs import job_id, request_id
from apps.core.retry import after, atomically
from apps.jobs import engine, finish, lease, locks, wake
from apps.jobs.current import current
from apps.jobs.models import FlowRun, Job
from apps.jobs.submit import unseal

log = logging.getLogger(__name__)
QUEUED = Q(status=Job.Status.QUEUED)


def run(key: int) -> bool:
    """False if it was not this worker's turn: redelivered, taken, or an older job has the locks."""
    job = claim(key)
    if job is None:
        return False
    flow, token = None, current.set(job)
    job_id.set(str(job.uuid))
    request_id.set(job.request_id)
    try:
        flow = _carry_out(job)
    except lease.Fenced:
        log.warning("job %s was taken over: this worker was too slow", job.uuid)
    finally:
        current.reset(token)
    if flow:
        engine.advance(flow)
    return True


def claim(key: int) -> Job | None:
    keys = locks.prepare(Job(pk=key))
    try:
        return _claim(key, keys)
    except locks.NotYet:
        return None  # still queued; whoever has the lock wakes the next


@atomically
def _claim(key: int, keys: list[str]) -> Job | None:
    job = lease.take(Job, key, QUEUED, status=Job.Status.RUNNING)
    if job:
        locks.take(job, keys)
        if job.event:
            ports.events.one().went_on(job.event, "Started")
    return job


def _carry_out(job: Job) -> int | None:
    """The key of the flow that this worker shall go on with, if the command began one."""
    try:
        result, spec, caller = _run(job)
        if isinstance(result, FlowRun):
            return result.pk if wake.is_served(result.queue) else None  # the flow ends the job
        answer = result if isinstance(result, dict) else render(spec, caller, result)
    except lease.Fenced:
        raise
    except Exception as error:
        if not hasattr(error, "code"):
            log.exception("job %s (%s) failed unexpectedly", job.uuid, job.command)
        finish.fail(job, after(error))
    else:
        finish.succeed(job, answer)
    return None


def _run(job: Job) -> tuple[Any, Spec, Any]:
    caller = finish.caller_of(job)
    spec = authorised(caller, job.command)
    values = spec.parse(caller, unseal(spec, job.params))
    values.pop("customjobid", None)
    command = spec.cls(caller)
    if isinstance(command, CreateCommand) and job.creates:
        values["row"] = apps.get_model(job.row_kind)._base_manager.get(pk=job.row_id)
    if sorted(set(spec.cls.lock_keys(values))) != locks.keys_of(job):  # type: ignore[attr-defined]
        raise ResourceInUse("what this command is about was changed while it waited")
    return command.run(**values), spec, caller
