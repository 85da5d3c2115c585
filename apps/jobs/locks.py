"""One holder at a time per resource, first come first served: claims give the order, a CAS on kept rows the exclusion.

Holders are jobs and child flows. A child stands in the queue with the ticket of the job at its root, so that what a job
has begun is not overtaken by what came after it; keys that this job holds itself are not claimed again.
"""

from collections.abc import Iterable
from typing import Any

from apps.core.errors import ResourceInUse
from apps.core.prepared import Prepared, Slot, changed
from apps.jobs.models import Claim, FlowRun, Job, Lock

KEY = Slot("key")
KEYS = Prepared(lambda: Claim.objects.filter(holder=Slot("holder")).order_by("key").values_list("key", flat=True))
KNOWN = Prepared(lambda: Lock.objects.filter(key=KEY).values_list("key", flat=True))
OLDER = Prepared(lambda: Claim.objects.filter(key=KEY, ticket__lt=Slot("place")).values_list("key", flat=True)[:1])
NEXT = Prepared(lambda: Claim.objects.filter(key=KEY).order_by("ticket", "pk").values_list("holder", flat=True)[:1])


class NotYet(Exception):
    """Somebody older wants or has one of the locks."""


def holder(who: Job | FlowRun) -> str:
    return f"{'job' if isinstance(who, Job) else 'run'}:{who.pk}"


def claim(who: Job | FlowRun, keys: Iterable[str], ticket: int | None = None) -> None:
    rows = [
        Claim(holder=holder(who), ticket=who.pk if ticket is None else ticket, key=key) for key in sorted(set(keys))
    ]
    if rows:
        Claim.objects.bulk_create(rows)


def keys_of(who: Job | FlowRun) -> list[str]:
    return KEYS(holder=holder(who))


def prepare(who: Job | FlowRun) -> list[str]:
    """The keys that it claims. Makes missing rows of locks, which must not be in the transaction that takes them."""
    keys = keys_of(who)
    _know(keys)
    return keys


def _know(keys: list[str]) -> None:
    if missing := [Lock(key=key) for key in keys if not KNOWN(key=key)]:
        Lock.objects.bulk_create(missing, ignore_conflicts=True)


def take(who: Job | FlowRun, keys: list[str], ticket: int | None = None) -> None:
    """All or none, in key order; the caller's transaction takes the first ones back when a later one is not free."""
    if not keys:
        return
    name, place = holder(who), who.pk if ticket is None else ticket
    if any(OLDER(key=key, place=place) for key in keys):
        raise NotYet
    for key in keys:
        if not changed(Lock, {"key": key, "holder": ""}, {"holder": name}):
            raise NotYet


def hold(row: Any) -> None:
    """For a synchronous change, in its transaction: no job works on the row, and none begins before the change ends."""
    free = Lock.objects.filter(key=row.lock_key, holder="")
    if free.update(holder=""):
        return
    _know([row.lock_key])
    if not free.update(holder=""):
        raise ResourceInUse(f"{row} is being worked on by a job; try again when that has ended")


def held(keys: Iterable[str]) -> set[str]:
    """Those that a job or a flow has, or waits for."""
    return set(Claim.objects.filter(key__in=list(keys)).values_list("key", flat=True))


def release(who: Job | FlowRun) -> list[str]:
    """Give all back; returns the holders that may be next."""
    name, keys = holder(who), keys_of(who)
    if not keys:
        return []
    for key in keys:
        changed(Lock, {"key": key, "holder": name}, {"holder": ""})
    Claim.objects.filter(holder=name).delete()
    return sorted({other for key in keys for other in NEXT(key=key)})
