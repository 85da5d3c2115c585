"""The queue of record. Celery carries messages; what is true about a job or a flow is in these rows."""

import uuid
from typing import Any, ClassVar

import orjson
from django.conf import settings
from django.db import models
from django.utils import timezone

from apps.core import secret
from apps.core.reach import Owned, Reach


class Leased(models.Model):
    """A row that one worker at a time works on. ``wake_at`` is when somebody should look at it: now, the end of a
    wait, or the end of the lease of the worker that has it. ``epoch`` counts the workers: only the last one writes.
    """

    objects: ClassVar[models.Manager[Any]]

    epoch = models.PositiveIntegerField(default=0)
    wake_at = models.DateTimeField(default=timezone.now)

    class Meta:
        abstract = True


class Job(Leased):
    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    LIVE = (Status.QUEUED, Status.RUNNING)
    SEALED = "sealed:"  # before a result that tells a secret
    reach: ClassVar[Reach] = Owned(owner="account_id", path="account__domain__path")
    named: ClassVar[models.Q] = models.Q()

    objects: ClassVar[models.Manager[Any]] = models.Manager()
    # What parameters and lists ask.
    all_tenants = models.Manager()
    including_removed = models.Manager()

    uuid = models.UUIDField(default=uuid.uuid4, unique=True)
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    command = models.CharField(max_length=96)
    params = models.JSONField()  # wire strings as they came; secret ones sealed
    queue = models.CharField(max_length=64, default="jobs")
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    row_kind = models.CharField(max_length=64, default="")  # what it is about
    row_id = models.BigIntegerField(null=True)
    result = models.TextField(default="")  # JSON as it goes out
    result_code = models.IntegerField(default=0)
    event = models.UUIDField(null=True)  # the first of its chain
    creates = models.BooleanField(default=False)  # the row is its own: a failed job gives it its failure state
    progress = models.PositiveSmallIntegerField(default=0)  # percent
    progress_text = models.CharField(max_length=255, default="")
    explanation = models.JSONField(null=True)  # for administrators: how a placement was found, or why none was
    request_id = models.CharField(max_length=36, default="")  # of the call that began it: log lines belong together
    created = models.DateTimeField(auto_now_add=True)
    completed = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["status", "wake_at"], name="job_due"),
            models.Index(fields=["row_kind", "row_id", "status"], name="job_of_row"),
            models.Index(fields=["account", "status"], name="job_of_account"),
            models.Index(fields=["completed"], name="job_expiry"),
        ]

    @property
    def answer(self) -> Any:
        return result_of(self.result)


def result_of(stored: str) -> Any:
    """What a result says, unsealed."""
    return orjson.loads(secret.unseal(stored.removeprefix(Job.SEALED)) if is_sealed(stored) else stored)


def is_sealed(stored: str) -> bool:
    return stored.startswith(Job.SEALED)


class Lock(models.Model):
    """Kept for ever: inserting and deleting lock rows deadlocks on InnoDB, updating them in key order does not."""

    key = models.CharField(max_length=96, primary_key=True)
    holder = models.CharField(max_length=32, default="")  # "job:7", "run:9", or nobody


class Claim(models.Model):
    """Who wants a lock; the lowest ticket is next."""

    holder = models.CharField(max_length=32)
    key = models.CharField(max_length=96)
    ticket = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["holder", "key"], name="one_claim_per_key")]
        indexes = [models.Index(fields=["key", "ticket"], name="claim_queue")]


class FlowRun(Leased):
    class Phase(models.TextChoices):
        DOING = "doing"
        UNDOING = "undoing"
        GOING_BACK = "going_back"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    LIVE = (Phase.DOING, Phase.UNDOING, Phase.GOING_BACK)

    flow = models.CharField(max_length=64)
    version = models.PositiveIntegerField()
    phase = models.CharField(max_length=16, choices=Phase, default=Phase.DOING)
    step = models.CharField(max_length=64)  # by name, to be done or undone next; "" when only the end is left
    target = models.CharField(max_length=64, default="")  # where going back ends
    tries = models.PositiveIntegerField(default=0)  # of this step, in this round
    rounds = models.PositiveIntegerField(default=1)
    context = models.JSONField()
    trail = models.JSONField(default=list)  # [step, when it was begun], for who watches
    error = models.TextField(default="")
    error_code = models.IntegerField(default=0)
    error_tenant = models.TextField(default="")  # the same in words that name no infrastructure
    job = models.ForeignKey(Job, models.PROTECT, null=True, related_name="flows")
    key = models.CharField(max_length=128, null=True, unique=True)  # noqa: DJ001 - NULL once ended: others may begin
    queue = models.CharField(max_length=64, default="jobs")  # of the step
    ticket = models.BigIntegerField(
        null=True
    )  # of a child: its place in the queue for its locks; NULL once it has them
    root = models.BigIntegerField(null=True)  # the job that the whole tree of flows works for
    waits_for = models.BigIntegerField(null=True, db_index=True)  # the child that wakes this one

    class Meta:
        indexes = [models.Index(fields=["phase", "wake_at"], name="flow_due")]


class Schedule(models.Model):
    """When a scheduled piece of work is next."""

    name = models.CharField(max_length=64, primary_key=True)
    next_at = models.DateTimeField()
