"""Delete the disks of volumes that were given up. It does not give up itself: an undone flow would leave them."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from apps.core.settings import Setting
from apps.jobs.flows import Flow, Step, Wait, begin
from apps.jobs.schedule import scheduled
from apps.storage.models import Volume
from apps.storage.services import volumes

V = Volume.State
BATCH, SOME = 4, 200
CLEANUP = Setting("storage.cleanup.enabled", True, help_text="Expunge destroyed volumes by themselves.")
INTERVAL = Setting("storage.cleanup.interval", 86400, help_text="Seconds between two cleanups.", minimum=1)
DELAY = Setting("storage.cleanup.delay", 86400, help_text="Seconds a destroyed volume can be recovered.", minimum=0)


@dataclass
class Expunge:
    volume_ids: list[int]


def wipe(ctx: Expunge) -> None:
    """In batches: a step ends within its lease, however many rows there are."""
    left = Volume.including_removed.filter(pk__in=ctx.volume_ids, state=V.EXPUNGING)
    for volume in left.select_related("pool")[:BATCH]:
        volumes.wipe(volume)
    if left.exists():
        raise Wait(0)


def nothing(ctx: Expunge) -> None:
    """What is left Expunging is begun again by the cleanup."""


EXPUNGE = Flow("storage.expunge", Expunge, (Step(wipe, queue="storage"),), on_success=nothing, on_failure=nothing)


def begin_expunge(given_up: list[int]) -> None:
    """In the transaction that gave the volumes up; on its own, so that no command waits for the storage."""
    if given_up:
        begin(EXPUNGE, Expunge(given_up), child=True)


@scheduled("storage.cleanup", every=INTERVAL)
def clean_up() -> None:
    """Expunge what was destroyed long enough ago, and finish what an expunge left."""
    if not CLEANUP.value():
        return
    limit = timezone.now() - timedelta(seconds=DELAY.value())
    old = Q(state=V.DESTROY, destroyed__lte=limit, removed=None)
    for volume in Volume.including_removed.filter(old).order_by("pk")[:SOME]:
        volumes.give_up(volume)
    left = Volume.including_removed.filter(state=V.EXPUNGING).order_by("pk").values_list("pk", flat=True)
    begin_expunge(list(left[:SOME]))
