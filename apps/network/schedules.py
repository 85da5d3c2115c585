"""What is done every so often for networks.

Idle networks are shut down: one that is implemented while no machine runs in it is noted the first time it is seen, and
shut down when it stayed so for ``network.gc.wait``. Devices that lag behind their document get it again.
"""

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from apps.core.settings import Setting
from apps.jobs.flows import begin
from apps.jobs.models import FlowRun
from apps.jobs.schedule import scheduled
from apps.network import ports
from apps.network.flows.shutdown import SHUTDOWN, Shutdown
from apps.network.models import Network

WAIT = Setting(
    "network.gc.wait", 600, help_text="Seconds that a network stays up without a running machine.", minimum=0
)
INTERVAL = Setting("network.gc.interval", 600, help_text="Seconds between looks for idle networks.", minimum=1)
BATCH = 100


@scheduled("network.gc", every=INTERVAL)
def shut_down_idle() -> None:
    up = Network.all_tenants.filter(state=Network.State.IMPLEMENTED, offering__is_persistent=False)
    now, wait = timezone.now(), timedelta(seconds=WAIT.value())
    idle = {key for key in up.values_list("pk", flat=True) if not any(busy(key) for busy in ports.is_busy.all())}
    up.filter(pk__in=idle, idle_since=None).update(idle_since=now)
    up.exclude(pk__in=idle).filter(~Q(idle_since=None)).update(idle_since=None)
    due = up.filter(pk__in=idle, idle_since__lte=now - wait).order_by("pk")
    for key in due.values_list("pk", flat=True)[:BATCH]:
        name = f"network.shutdown:{key}"
        if not FlowRun.objects.filter(key=name).exists():
            begin(SHUTDOWN, Shutdown(network_id=key), key=name, child=True)
