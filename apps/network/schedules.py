"""What is done every so often for networks.

Idle networks are shut down: one that is implemented while no machine runs in it is noted the first time it is seen, and
shut down when it stayed so for ``network.gc.wait``; so is one whose shutdown failed. Networks whose devices lag behind
their document, and those with rows that wait for devices to forget them, are caught up with.
"""

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from apps.core.settings import Setting
from apps.jobs.flows import begin
from apps.jobs.models import FlowRun
from apps.jobs.schedule import scheduled
from apps.network import ports
from apps.network.flows import catch_up
from apps.network.flows.shutdown import SHUTDOWN, Shutdown
from apps.network.models import Network

WAIT = Setting(
    "network.gc.wait", 600, help_text="Seconds that a network stays up without a running machine.", minimum=0
)
INTERVAL = Setting("network.gc.interval", 600, help_text="Seconds between looks for idle networks.", minimum=1)
BATCH = 1_000
S = Network.State


@scheduled("network.gc", every=INTERVAL)
def shut_down_idle() -> None:
    now, wait = timezone.now(), timedelta(seconds=WAIT.value())
    up = Network.all_tenants.filter(state=S.IMPLEMENTED, offering__is_persistent=False).exclude(guest_type="Shared")
    _note(up.filter(_is_busy()).exclude(idle_since=None), idle_since=None)
    _note(up.exclude(_is_busy()).filter(idle_since=None), idle_since=now)
    due = Q(state=S.IMPLEMENTED, idle_since__lte=now - wait) | Q(state=S.SHUTDOWN)
    for key in Network.all_tenants.filter(due).order_by("pk").values_list("pk", flat=True)[:BATCH]:
        name = f"network.shutdown:{key}"
        if not FlowRun.objects.filter(key=name).exists():
            begin(SHUTDOWN, Shutdown(network_id=key), key=name, child=True)


def _is_busy() -> Q:
    found = Q(pk__in=())
    for answer in ports.busy.all():
        found |= Exists(answer().filter(network=OuterRef("pk")))
    return found


def _note(rows: QuerySet, **values: object) -> None:
    """By key: the database does not let a statement change what its condition joins."""
    keys = list(rows.values_list("pk", flat=True))
    for start in range(0, len(keys), 500):
        Network.all_tenants.filter(pk__in=keys[start : start + 500], state=S.IMPLEMENTED).update(**values)


@scheduled("network.catch_up", every=10)
def catch_up_with_lagging() -> None:
    for provider in ports.providers.all():
        for key in provider.lagging():
            catch_up.soon(key)
    for leaving in ports.leaving.all():
        for key in leaving.networks().values_list("network", flat=True).distinct()[:BATCH]:
            catch_up.soon(key)
