"""What Prometheus reads: calls by command, status and time, and what waits in the queue of record."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()
CALLS = Counter("cloudportal_api_calls", "Calls of the API.", ("command", "status"), registry=REGISTRY)
SECONDS = Histogram(
    "cloudportal_api_seconds",
    "Time of a call.",
    registry=REGISTRY,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
JOBS = Gauge("cloudportal_jobs", "Jobs that have not ended.", ("status",), registry=REGISTRY)
FLOWS = Gauge("cloudportal_flows", "Flows that have not ended.", ("phase",), registry=REGISTRY)
QUESTIONS = Gauge("cloudportal_questions", "Effects of which nobody knows yet.", registry=REGISTRY)


def count(command: str, status: int, seconds: float) -> None:
    CALLS.labels(command, status).inc()
    SECONDS.observe(seconds)


def text() -> bytes:
    from django.db.models import Count

    from apps.core.models import Question
    from apps.jobs.models import FlowRun, Job

    for gauge, model, column, live in ((JOBS, Job, "status", Job.LIVE), (FLOWS, FlowRun, "phase", FlowRun.LIVE)):
        found = dict(model.objects.filter(**{f"{column}__in": live}).values_list(column).annotate(n=Count("pk")))
        for name in live:
            gauge.labels(name.value).set(found.get(name.value, 0))
    QUESTIONS.set(Question.objects.count())
    return generate_latest(REGISTRY)
