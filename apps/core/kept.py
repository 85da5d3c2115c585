"""Copies that every process keeps of rows which are read on hot paths, and when they have to be made again.

Processes of one tree share a page of memory since their fork. Who has changed such rows writes a new word there, and
the others see it at their next look, which costs no call. Of another tree, on another machine, a copy is as old as its
time at most.
"""

import mmap
import struct
import time
from itertools import count

from django.db import transaction

WORD = struct.Struct("=Q")
_PAGE = mmap.mmap(-1, mmap.PAGESIZE)
_PLACES = count()


class Kept:
    """Is a copy still good? Who makes one says ``taken(began)`` with the ``word()`` from before it read the rows; who
    changes the rows says ``outdated()``.
    """

    def __init__(self, seconds: float):
        self.seconds, self._place = seconds, next(_PLACES) * WORD.size
        self._until, self._seen = 0.0, 0

    @property
    def is_good(self) -> bool:
        return time.monotonic() < self._until and self._seen == self.word()

    def word(self) -> int:
        return int(WORD.unpack_from(_PAGE, self._place)[0])

    def taken(self, began: int) -> None:
        self._seen, self._until = began, time.monotonic() + self.seconds

    def forget(self) -> None:
        """In this process only."""
        self._until = 0.0

    def outdated(self) -> None:
        """For this transaction at once, for all others when it is committed: before, they would read the old rows."""
        self.forget()
        transaction.on_commit(self._tell)

    def _tell(self) -> None:
        WORD.pack_into(_PAGE, self._place, time.time_ns())
