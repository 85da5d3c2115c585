"""Messages to workers. Losing one costs a sweep interval, never a job: so a broker that is down is nobody's error."""

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.jobs import tasks
from apps.jobs.models import FlowRun


def job(key: int, queue: str = "jobs") -> None:
    _send(tasks.run_job, key, queue)


def flow(key: int, queue: str = "jobs") -> None:
    _send(tasks.run_flow, key, queue)


def is_served(queue: str) -> bool:
    """Does this very worker take that queue? Then it goes on by itself, and a message would only cost."""
    return queue in settings.WORKER_QUEUES


def next_in_line(holders: list[str]) -> None:
    """Those who may take a lock that was released."""
    for name in holders:
        kind, _, key = name.partition(":")
        if kind == "job":
            job(int(key))
        else:
            FlowRun.objects.filter(pk=int(key), ticket__isnull=False).update(wake_at=timezone.now())
            flow(int(key))


def _send(task: object, key: int, queue: str) -> None:
    """After commit, or a worker would look for a row that is not there; ``robust`` logs what the broker says.

    A lambda, not a partial: Django names the function in that log, and a partial has no name.
    """
    transaction.on_commit(lambda: publish(task, key, queue), robust=True)


def publish(task: object, key: int, queue: str) -> None:
    task.apply_async((key,), queue=queue, retry=False, ignore_result=True)  # type: ignore[attr-defined]
