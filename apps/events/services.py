"""Put away and thrown away: by their owners, by administrators, and by age. Always in batches of their own
transactions: one statement over ten million rows would hold its locks for minutes.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from apps.core.errors import InvalidParameter
from apps.core.retry import atomically
from apps.core.schedules import scheduled
from apps.core.settings import Setting
from apps.events.models import Alert, Event, cut
from apps.events.selectors import in_time

BATCH = 10_000
DAYS = "Days for which {what} are kept; 0 for ever."
EVENT_DELAY = Setting("event.purge.delay", 15, help_text=DAYS.format(what="events"), minimum=0, maximum=36_500)
EVENT_INTERVAL = Setting(
    "event.purge.interval", 86_400, help_text="Seconds between two purges of old events.", minimum=1
)
ALERT_DELAY = Setting("alert.purge.delay", 0, help_text=DAYS.format(what="alerts"), minimum=0, maximum=36_500)
ALERT_INTERVAL = Setting(
    "alert.purge.interval", 86_400, help_text="Seconds between two purges of old alerts.", minimum=1
)


def chosen(
    rows: QuerySet[Any],
    *,
    named: Sequence[Any] | None = None,
    kind: dict[str, Any] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> QuerySet[Any]:
    """Of ``rows`` those that an archive or delete command means."""
    if named is None and not kind and end is None:
        raise InvalidParameter("either ids, type or enddate must be specified")
    if start is not None and end is None:
        raise InvalidParameter("startdate must be specified with enddate")
    if named is not None:
        rows = rows.filter(pk__in=[row.pk for row in named])
    return in_time(rows.filter(**(kind or {})), start, end)


def archive(rows: QuerySet[Any]) -> int:
    return _in_batches(rows.filter(archived=False), lambda batch: batch.update(archived=True))


def delete(rows: QuerySet[Any]) -> int:
    return _in_batches(rows, lambda batch: batch._raw_delete(batch.db))


def _in_batches(rows: QuerySet[Any], act: Any) -> int:
    done, last = 0, 0
    while keys := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        done += act(rows.model.all_tenants.filter(pk__in=keys))
        last = keys[-1]
    return done


@atomically
def raise_alert(
    *, name: str, number: int, subject: str, text: str, repeats: bool, place: Mapping[str, int | None]
) -> None:
    """One that is open and comes again is counted; kinds that do not repeat keep saying what they said at first."""
    now, where = timezone.now(), {f"{kind}_id": key for kind, key in place.items()}
    same = Alert.all_tenants.filter(kind=name, subject=subject[:96], archived=False, **where)
    again = {"sent": now, "text": cut(text)} if repeats else {}
    if not same.update(times=F("times") + 1, **again):
        Alert.all_tenants.create(kind=name, number=number, subject=subject[:96], text=cut(text), sent=now, **where)


@scheduled("event.purge", every=EVENT_INTERVAL)
def purge_events() -> int:
    return _purge(Event, EVENT_DELAY.value())


@scheduled("alert.purge", every=ALERT_INTERVAL)
def purge_alerts() -> int:
    return _purge(Alert, ALERT_DELAY.value())


def _purge(model: Any, days: int) -> int:
    """From the oldest key on until one is young: no index on time is needed, and an old table costs what is old."""
    if not days:
        return 0
    done, before = 0, timezone.now() - timedelta(days=days)
    while True:
        oldest = list(model.all_tenants.order_by("pk").values_list("pk", "created")[:BATCH])
        keys = [key for key, created in oldest if created < before]
        if keys:
            batch = model.all_tenants.filter(pk__in=keys)
            done += batch._raw_delete(batch.db)
        if len(keys) < BATCH:
            return done
