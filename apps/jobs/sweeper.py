"""What makes a lost message, a dead worker and an open question cost seconds and nothing else. Every 5 seconds."""

from django.db.models import Exists, OuterRef, Q

from apps.core.errors import ResourceUnavailable
from apps.core.outcomes import look_into_due
from apps.jobs import finish, lease, schedule, wake
from apps.jobs.models import FlowRun, Job

INTERRUPTED = "this was interrupted: look what has become of it, and try again"
LIVE_FLOW = Exists(FlowRun.objects.filter(job=OuterRef("pk"), phase__in=FlowRun.LIVE))


def sweep() -> None:
    look_into_due()
    end_lost_jobs()
    schedule.run_due()
    for key, queue in waiting_jobs():
        wake.job(key, queue)
    for key, queue in due_flows():
        wake.flow(key, queue)


def waiting_jobs() -> list[tuple[int, str]]:
    """Queued, and their message may be lost."""
    return list(Job.objects.filter(status=Job.Status.QUEUED).order_by("pk").values_list("pk", "queue")[:500])


def due_flows() -> list[tuple[int, str]]:
    """The timer: waits that are over, and runs whose worker is gone."""
    due = FlowRun.objects.filter(lease.due(), phase__in=FlowRun.LIVE)
    return list(due.order_by("wake_at").values_list("pk", "queue")[:500])


def end_lost_jobs() -> int:
    """A worker died in a command without a flow: it must not run again, its effect may have happened. The question it
    filed looks after the row; the job ends.
    """
    lost = Q(status=Job.Status.RUNNING) & lease.due() & ~Q(LIVE_FLOW)
    ended = 0
    for key in list(Job.objects.filter(lost).values_list("pk", flat=True)[:100]):
        if job := lease.take(Job, key, lost):
            finish.fail(job, ResourceUnavailable("the worker that ran this was lost", tenant=INTERRUPTED))
            ended += 1
    return ended
