"""What Prometheus reads: calls by command, status and time, and what waits in the queue of record."""

import os
from collections.abc import Iterator
from typing import Any

from django.db.models import Count
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

REGISTRY, WAITING = CollectorRegistry(), CollectorRegistry(auto_describe=False)
CALLS = Counter("cloudportal_api_calls", "Calls of the API.", ("command", "status"), registry=REGISTRY)
SECONDS = Histogram(
    "cloudportal_api_seconds",
    "Time of a call.",
    registry=REGISTRY,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)


def count(command: str, status: int, seconds: float) -> None:
    CALLS.labels(command, status).inc()
    SECONDS.observe(seconds)


class Waiting(Collector):
    """What the database knows, read when it is asked for."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        from apps.core.models import Question
        from apps.jobs.models import FlowRun, Job

        yield _living("cloudportal_jobs", "Jobs that have not ended.", Job, "status")
        yield _living("cloudportal_flows", "Flows that have not ended.", FlowRun, "phase")
        text = "Effects of which nobody knows yet."
        yield GaugeMetricFamily("cloudportal_questions", text, value=Question.objects.count())


def _living(name: str, text: str, model: Any, column: str) -> GaugeMetricFamily:
    rows = model.objects.filter(**{f"{column}__in": model.LIVE})
    found = dict(rows.values_list(column).annotate(n=Count("pk")))
    gauge = GaugeMetricFamily(name, text, labels=[column])
    for state in model.LIVE:
        gauge.add_metric([state.value], found.get(state.value, 0))
    return gauge


def text() -> bytes:
    """Of all web processes, where there are several: they share their counts by files."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    return generate_latest(registry) + generate_latest(WAITING)


WAITING.register(Waiting())
