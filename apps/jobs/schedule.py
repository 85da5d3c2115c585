"""Carries out what ``@scheduled`` declared.

The sweeper asks every few seconds what is due; a compare-and-swap on the row lets one worker do it. A schedule that
raises is tried again at its next turn, and an alert says so.
"""

import logging

from django.utils import timezone

from apps.core import ports, schedules
from apps.core.schedules import Scheduled, scheduled
from apps.jobs.models import Schedule

__all__ = ["run_due", "scheduled"]

log = logging.getLogger(__name__)


def run_due() -> int:
    """Do what is due; returns how many were."""
    now, done = timezone.now(), 0
    known = dict(Schedule.objects.values_list("name", "next_at"))
    for entry in schedules.SCHEDULES.values():
        if entry.name not in known:
            Schedule.objects.bulk_create([Schedule(name=entry.name, next_at=now)], ignore_conflicts=True)
            known[entry.name] = now
        # A shorter interval holds from now on, not after the long one that was set before.
        mine = Schedule.objects.filter(name=entry.name, next_at=known[entry.name])
        if known[entry.name] > now + entry.pause:
            mine.update(next_at=now + entry.pause)
        elif known[entry.name] <= now and mine.update(next_at=now + entry.pause):
            done += 1
            _carry_out(entry)
    return done


def _carry_out(entry: Scheduled) -> None:
    try:
        entry.work()
    except Exception as error:
        log.exception("schedule %s failed", entry.name)
        ports.events.one().alert(f"schedule {entry.name}", str(error))
