"""What must always be true of the database, as checks that each name what they look at. ``manage.py audit`` runs all.

A check returns one line per finding and repairs nothing: repair is a command of its own, and an event.
"""

from collections.abc import Callable, Iterable

CHECKS: dict[str, Callable[[], Iterable[str]]] = {}
Check = Callable[[], Iterable[str]]


def audit(subject: str) -> Callable[[Check], Check]:
    """Declare a check: ``@audit("limits: counters equal what is there")``."""

    def register(check: Check) -> Check:
        if subject in CHECKS:
            raise TypeError(f"audit {subject} is declared twice")
        CHECKS[subject] = check
        return check

    return register


def findings() -> dict[str, list[str]]:
    """By subject, all subjects: an empty list is what is wanted."""
    return {subject: list(check()) for subject, check in sorted(CHECKS.items())}
