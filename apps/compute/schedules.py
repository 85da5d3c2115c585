"""What happens to machines by itself."""

from datetime import timedelta

from django.utils import timezone

from apps.compute.flows.expunge import EXPUNGE, Expunge
from apps.core.settings import Setting
from apps.jobs.flows import begin
from apps.jobs.models import FlowRun
from apps.jobs.schedule import scheduled

INTERVAL = Setting("expunge.interval", 86400, help_text="Seconds between two rounds of expunging.", minimum=1)
DELAY = Setting("expunge.delay", 86400, help_text="Seconds a destroyed machine can be recovered.", minimum=0)


@scheduled("compute.expunge", every=INTERVAL)
def expunge_destroyed() -> None:
    """One round at a time: a long one is not overtaken by the next."""
    if not FlowRun.objects.filter(key="compute.expunge").exists():
        before = timezone.now() - timedelta(seconds=DELAY.value())
        begin(EXPUNGE, Expunge(before.isoformat()), key="compute.expunge", child=True)
