"""What is done every so often, once in the whole installation: ``@scheduled("expunge", every=INTERVAL)``.

The sweeper asks every few seconds which are due; a compare-and-swap on the row lets one worker do it. A schedule that
raises is tried again at its next turn, and an alert says so.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from apps.core import ports
from apps.core.settings import Setting
from apps.jobs.models import Schedule

log = logging.getLogger(__name__)
Work = Callable[[], object]


@dataclass(frozen=True)
class Scheduled:
    name: str
    work: Work
    every: Setting[int] | int  # seconds

    @property
    def pause(self) -> timedelta:
        return timedelta(seconds=max(1, self.every if isinstance(self.every, int) else self.every.value()))


SCHEDULES: dict[str, Scheduled] = {}


def scheduled(name: str, *, every: Setting[int] | int) -> Callable[[Work], Work]:
    def register(work: Work) -> Work:
        if name in SCHEDULES:
            raise TypeError(f"schedule {name} is declared twice")
        SCHEDULES[name] = Scheduled(name, work, every)
        return work

    return register


def run_due() -> int:
    """Do what is due; returns how many were."""
    now, done = timezone.now(), 0
    known = dict(Schedule.objects.values_list("name", "next_at"))
    for entry in SCHEDULES.values():
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
