"""How large pools are and how full, by what hosts say: one call for a pool, whatever the number of hosts."""

import logging
import time
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from apps.core.errors import ResourceUnavailable
from apps.core.retry import atomically
from apps.hypervisors.base import PoolStats
from apps.jobs.flows import Flow, Step, Wait, begin
from apps.jobs.schedule import scheduled
from apps.storage.models import StoragePool
from apps.storage.services import connecting, pool_limits, pool_urls, pools

log = logging.getLogger(__name__)
EVERY = 300  # seconds
SOME = 500
SPELL = 60.0  # seconds of a turn, which ends within its lease
KEY = "storage.measure"  # one at a time


@dataclass
class Measure:
    after: int = 0  # key of the last pool


def measure(ctx: Measure) -> None:
    until = time.monotonic() + SPELL
    rows = StoragePool.all_tenants.filter(state__in=pools.IN_SERVICE, pk__gt=ctx.after).order_by("pk")
    for pool in rows[:SOME]:
        if time.monotonic() > until:
            raise Wait(0)
        _ask(pool)
        ctx.after = pool.pk
    if rows.filter(pk__gt=ctx.after).exists():
        raise Wait(0)


def _ask(pool: StoragePool) -> None:
    try:
        stats = connecting.measure(pool, pool_urls.spec(pool))
    except ResourceUnavailable:
        log.warning("nobody can measure storage %s", pool.uuid, exc_info=True)
        return
    if stats is not None:
        note(pool, stats)


@atomically
def note(pool: StoragePool, stats: PoolStats) -> None:
    size = min(stats.size, pool.stated_bytes) if pool.stated_bytes else stats.size
    values = {"size_bytes": size, "stored_bytes": stats.used, "measured": timezone.now()}
    StoragePool.all_tenants.filter(pk=pool.pk, stated_bytes=pool.stated_bytes).update(**values)
    pool_limits.refresh(Q(pk=pool.pk))


def nothing(ctx: Measure) -> None:
    """The step did it all."""


MEASURE = Flow(KEY, Measure, (Step(measure, queue="storage"),), on_success=nothing, on_failure=nothing)


@scheduled(KEY, every=EVERY)
def begin_measuring() -> None:
    try:
        with transaction.atomic():
            begin(MEASURE, Measure(), key=KEY, child=True)
    except IntegrityError:
        log.info("the last measurement still goes on")
