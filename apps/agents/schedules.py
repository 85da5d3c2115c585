"""What is done every so often for hosts with an agent."""

from datetime import timedelta

from django.utils import timezone

from apps.agents.models import Certificate, Enrolment
from apps.agents.services import reports
from apps.core.settings import Setting
from apps.infrastructure.models import Host
from apps.jobs.schedule import scheduled

INTERVAL = Setting("ping.interval", 60, help_text="Seconds in which a host must report.", minimum=30)
TIMEOUT = Setting("ping.timeout", 2.5, help_text="Intervals without a report after which a host is Disconnected.")
BATCH = 500
KEPT = timedelta(days=30)  # that a certificate stays on record when it has expired


@scheduled("agents.silent", every=10)
def note_silent() -> None:
    since = timezone.now() - timedelta(seconds=INTERVAL.value() * TIMEOUT.value())
    silent = Host.all_tenants.filter(heard__isnull=False, status=Host.Status.UP, last_pinged__lt=since)
    reports.note_silent(silent.order_by("pk")[:BATCH])


@scheduled("agents.tidy", every=3600)
def tidy() -> None:
    now = timezone.now()
    Enrolment.objects.filter(expires__lt=now).delete()
    Certificate.objects.filter(expires__lt=now - KEPT).delete()
