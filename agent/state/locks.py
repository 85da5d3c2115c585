"""One at a time per thing, across threads and processes, and over the death of any of them."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agent.state.errors import Busy

PAUSE = 0.02


@contextmanager
def locked(path: Path, *, wait: float = 0.0) -> Iterator[int]:
    """Hold the lock; its descriptor. A program that inherits it holds the lock too: what a killed agent left running
    ends before anybody else begins. Whoever holds it may remove the file.
    """
    until = time.monotonic() + wait
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if _taken(descriptor) and _is_still(path, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)
        if time.monotonic() >= until:
            raise Busy(f"{path.stem}: an earlier call is still under way")
        time.sleep(PAUSE)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    """Not if the one before removed the file after we had opened it."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    return False
