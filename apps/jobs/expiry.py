"""Jobs that ended are kept for those who ask, and then thrown away with their flows."""

from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from apps.core.schedules import scheduled
from apps.core.settings import Setting
from apps.jobs.models import FlowRun, Job

KEPT = Setting(
    "job.expire.minutes",
    1440,
    help_text="Minutes for which a job is kept after its end.",
    minimum=1,
    maximum=52_560_000,
)
INTERVAL, BATCH = 300, 1_000


@scheduled("job.expire", every=INTERVAL)
def expire() -> int:
    """Flows first: they point to their jobs. Returns how many jobs went."""
    before = timezone.now() - timedelta(minutes=KEPT.value())
    _in_batches(_ended_flows(before))
    flows = Exists(FlowRun.objects.filter(job=OuterRef("pk")))
    ended = Job.objects.filter(completed__lt=before).exclude(status__in=Job.LIVE)
    return _in_batches(ended.filter(~flows))


def _ended_flows(before: Any) -> Any:
    """Not those whose tree is still at work: a parent asks how its children ended, however long ago that was."""
    ended = FlowRun.objects.filter(wake_at__lt=before).exclude(phase__in=FlowRun.LIVE)
    live_job = Exists(Job.objects.filter(pk=OuterRef("root"), status__in=Job.LIVE))
    live_run = FlowRun.objects.filter(phase__in=FlowRun.LIVE)
    live_root = Exists(live_run.filter(root=OuterRef("root")))
    older = Exists(live_run.filter(root=None, pk__lt=OuterRef("pk")))  # of what a schedule began nothing else is known
    return ended.filter(~live_job, ~live_root).filter(Q(root__isnull=False) | ~older)


def _in_batches(rows: Any) -> int:
    gone = 0
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        batch = rows.model.objects.filter(pk__in=keys)
        gone += batch._raw_delete(batch.db)
        if len(keys) < BATCH:
            break
    return gone
