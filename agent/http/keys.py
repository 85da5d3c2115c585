"""What is being worked on. A call holds the keys of what it changes; another about the same is told to come later.

What was held when the agent was killed may still be going on in libvirt, or in a child that is about to die: the keys
are written down, and a new agent keeps them held for a moment.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from agent.http.errors import Busy

SETTLE = 5.0  # seconds that what a killed agent had begun may go on


class Deadline:
    """How long the caller waits for the answer."""

    def __init__(self, seconds: float):
        self.at = time.monotonic() + seconds

    def left(self, keep: float = 0.0) -> float:
        return max(0.0, self.at - time.monotonic() - keep)

    def begin(self) -> None:
        if not self.left():
            raise Busy("the caller waits no longer")


class Keys:
    def __init__(self, journal: Path, now: Callable[[], float] = time.monotonic):
        self._journal, self._now = journal, now
        self._lock, self._held, self._numbers = threading.Lock(), set[str](), count(1)
        journal.mkdir(parents=True, exist_ok=True)
        self._settling = self._left_behind()
        self._settled = now() + SETTLE

    def _left_behind(self) -> frozenset[str]:
        found: list[str] = []
        for path in self._journal.iterdir():
            with suppress(ValueError):  # killed while writing it: nothing was begun
                found += json.loads(path.read_text())
            path.unlink()
        return frozenset(found)

    def held(self) -> list[str]:
        with self._lock:
            return sorted(self._held | self._unsettled())

    def _unsettled(self) -> frozenset[str]:
        if self._settling and self._now() > self._settled:
            self._settling = frozenset()
        return self._settling

    @contextmanager
    def hold(self, keys: Sequence[str]) -> Iterator[None]:
        with self._lock:
            self._refuse(keys)
            self._held |= set(keys)
            entry = self._journal / f"{os.getpid()}-{next(self._numbers)}"
        try:
            self._note(entry, keys)
            yield
        finally:
            entry.unlink(missing_ok=True)
            with self._lock:
                self._held -= set(keys)

    @staticmethod
    def _note(entry: Path, keys: Sequence[str]) -> None:
        try:
            entry.write_text(json.dumps(list(keys)))
        except OSError as error:
            raise Busy(f"the state directory cannot be written: {error.strerror}") from error

    def look(self, keys: Sequence[str]) -> None:
        """For who only wants to see: not while it is being changed."""
        with self._lock:
            self._refuse(keys)

    def _refuse(self, keys: Sequence[str]) -> None:
        if taken := (self._held | self._unsettled()) & set(keys):
            raise Busy(f"an earlier call about {min(taken)} is still under way")
