"""Delete the disks of volumes that were given up. Nothing is undone here: what could not be deleted stays Expunging,
keeps its place on primary storage, and is tried again every few minutes.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.core import ports
from apps.core.errors import CloudError
from apps.core.settings import Setting
from apps.hypervisors.errors import DriverError
from apps.jobs.flows import Flow, Step, Wait, begin
from apps.jobs.schedule import scheduled
from apps.storage.models import Volume
from apps.storage.services import pools, volumes

log = logging.getLogger(__name__)
V = Volume.State
SOME = 200
SPELL = 120.0  # seconds of a turn: with the last call it ends within its lease
PAUSES, TRY_AGAIN = (5, 30), 300  # seconds: in a flow, and after it
CLEANUP = Setting("storage.cleanup.enabled", True, help_text="Expunge destroyed volumes by themselves.")
INTERVAL = Setting("storage.cleanup.interval", 86400, help_text="Seconds between two cleanups.", minimum=1)
DELAY = Setting("storage.cleanup.delay", 86400, help_text="Seconds a destroyed volume can be recovered.", minimum=0)
# The storage of the others is in maintenance, perhaps switched off.
REACHABLE = Q(pool=None) | Q(pool__state__in=pools.IN_SERVICE)


@dataclass
class Expunge:
    volume_ids: list[int] | None = None  # all that there are, if None
    stubborn: list[int] = field(default_factory=list)  # tried in this round, and not gone
    rounds: int = 0


def wipe(ctx: Expunge) -> None:
    """One after the other; a disk that cannot be deleted does not keep the others, and gets another chance or two."""
    until, left = time.monotonic() + SPELL, _left(ctx)
    for volume in left.exclude(pk__in=ctx.stubborn).select_related("pool", "via").order_by("pk")[:SOME]:
        if time.monotonic() > until:
            raise Wait(0)
        try:
            volumes.wipe(volume)
        except (CloudError, DriverError):
            log.warning("the disk of %s is still there", volume, exc_info=True)
            ctx.stubborn.append(volume.pk)
    if left.exclude(pk__in=ctx.stubborn).exists():
        raise Wait(0)
    if ctx.stubborn and ctx.rounds < len(PAUSES):
        pause, ctx.rounds, ctx.stubborn = PAUSES[ctx.rounds], ctx.rounds + 1, []
        raise Wait(pause)


def _left(ctx: Expunge) -> QuerySet[Volume]:
    left = Volume.including_removed.filter(REACHABLE, state=V.EXPUNGING)
    return left if ctx.volume_ids is None else left.filter(pk__in=ctx.volume_ids)


def tell(ctx: Expunge) -> None:
    if ctx.stubborn:
        text = f"disks that could not be deleted from primary storage and are tried again: {len(ctx.stubborn)}"
        ports.events.one().alert("storage.expunge", text)


def nothing(ctx: Expunge) -> None:
    """What is left Expunging is tried again."""


EXPUNGE = Flow("storage.expunge", Expunge, (Step(wipe, queue="storage"),), on_success=tell, on_failure=nothing)


def begin_expunge(given_up: Iterable[int]) -> None:
    """In the transaction that gave the volumes up; on its own, so that no command waits for the storage."""
    if keys := list(given_up):
        begin(EXPUNGE, Expunge(keys), child=True)


@scheduled("storage.leftovers", every=TRY_AGAIN)
def try_again() -> None:
    """What could not be deleted, and what a flow that was lost left; one run of it at a time."""
    if not _left(Expunge()).exists():
        return
    try:
        with transaction.atomic():
            begin(EXPUNGE, Expunge(), key="storage.leftovers", child=True)
    except IntegrityError:
        log.info("the last attempt still goes on")


@scheduled("storage.cleanup", every=INTERVAL)
def clean_up() -> None:
    """Expunge what was destroyed long enough ago; the disks go by a flow."""
    if not CLEANUP.value():
        return
    limit, last = timezone.now() - timedelta(seconds=DELAY.value()), 0
    old = Volume.all_tenants.filter(state=V.DESTROY, destroyed__lte=limit).order_by("pk")
    while some := list(old.filter(pk__gt=last).select_related("owner__domain")[:SOME]):
        last = some[-1].pk
        begin_expunge(volume.pk for volume in some if _given_up(volume))


def _given_up(volume: Volume) -> bool:
    try:
        return volumes.give_up(volume)
    except CloudError:
        return False  # recovered, or deleted by its owner, this moment
