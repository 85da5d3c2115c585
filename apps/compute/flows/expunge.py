"""Expunge the machines that nobody recovered in time: all that are due, in batches, oldest first."""

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from apps.compute.services import instances
from apps.core.errors import CloudError
from apps.jobs import locks
from apps.jobs.flows import Flow, Step, Wait
from apps.machines.models import VirtualMachine

log = logging.getLogger(__name__)
SOME = 100


@dataclass
class Expunge:
    before: str  # destroyed until then
    seen: str = ""  # the last that was looked at: when it was destroyed
    key: int = 0


def due(ctx: Expunge) -> QuerySet[VirtualMachine]:
    """By the index of state and date. One that cannot go now is passed over: it must not keep the others."""
    rows = VirtualMachine.all_tenants.filter(state=VirtualMachine.State.DESTROYED, kind=VirtualMachine.Kind.USER)
    rows = rows.filter(destroyed__lte=datetime.fromisoformat(ctx.before)).order_by("destroyed", "pk")
    if ctx.seen:
        last = datetime.fromisoformat(ctx.seen)
        rows = rows.filter(destroyed__gte=last).filter(Q(destroyed__gt=last) | Q(pk__gt=ctx.key))
    return rows.select_related("owner__domain")


def expunge(ctx: Expunge) -> None:
    rows = list(due(ctx)[:SOME])
    held = locks.held([vm.lock_key for vm in rows])
    for vm in rows:
        if vm.lock_key not in held:  # a job works on it: the next round has it
            _expunge(vm)
    if rows:
        ctx.seen, ctx.key = rows[-1].destroyed.isoformat(), rows[-1].pk  # type: ignore[union-attr]
        raise Wait(0)


def _expunge(vm: VirtualMachine) -> None:
    try:
        instances.expunge(vm=vm)
    except CloudError:
        log.warning("instance %s is not expunged in this round", vm.uuid, exc_info=True)


def nothing(ctx: Expunge) -> None:
    """What is left is looked at again in the next round."""


EXPUNGE = Flow("compute.expunge", Expunge, (Step(expunge),), on_success=nothing, on_failure=nothing)
