"""Which job, or which flow of it, this code runs for."""

from contextvars import ContextVar

from apps.jobs import lease
from apps.jobs.models import FlowRun, Job

current: ContextVar[Job | None] = ContextVar("current", default=None)
advancing: ContextVar[FlowRun | None] = ContextVar("advancing", default=None)


def renew() -> None:
    """Raises Fenced if this worker has lost what it runs for: it must not begin anything in its name."""
    if job := current.get():
        lease.write(job)
    elif run := advancing.get():
        lease.write(run)


def own() -> Job | None:
    """The job that this code runs for or, at the end of its flow, answers for."""
    run = advancing.get()
    return current.get() or (run.job if run else None)


def root() -> int | None:
    """The key of the job that all this is for; None for what a schedule began."""
    if job := current.get():
        return job.pk
    run = advancing.get()
    return run.root if run else None
