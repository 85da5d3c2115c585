"""What happens to machines by itself."""

from datetime import timedelta

from django.utils import timezone

from apps.compute.services import instances
from apps.core.errors import CloudError
from apps.core.settings import Setting
from apps.jobs.schedule import scheduled

INTERVAL = Setting("expunge.interval", 86400, help_text="Seconds between two rounds of expunging.", minimum=1)
DELAY = Setting("expunge.delay", 86400, help_text="Seconds a destroyed machine can be recovered.", minimum=0)
SOME = 200


@scheduled("compute.expunge", every=INTERVAL)
def expunge_destroyed() -> None:
    """Those that nobody recovered in time. Each on its own: one that a command works on waits for the next round."""
    for vm in instances.due_for_expunging(timezone.now() - timedelta(seconds=DELAY.value()), SOME):
        try:
            instances.expunge(vm=vm)
        except CloudError:
            continue
