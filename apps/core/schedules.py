"""What is done every so often, once in the whole installation: ``@scheduled("expunge", every=INTERVAL)``.

Declared here, carried out by ``apps.jobs.schedule``: the apps beside jobs have work of that kind too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from apps.core.settings import Setting

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
