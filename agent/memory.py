"""Memory that was needed once, for the start or for a large answer: it is given back now and then, for a host is there
for its guests. What comes from the files of programs and libraries is read again, page by page, where it is needed.
"""

import ctypes
import gc
from collections.abc import Iterable, Iterator
from pathlib import Path

EVERY = 10.0  # seconds
DONTNEED = 4  # as <sys/mman.h> has it
SMAPS = Path("/proc/self/smaps")
PROGRAM = "r-xp"
READ_ONLY = ("r--p", PROGRAM)


class Spare:
    """To be made when everything is loaded and there is one thread only: what is mapped then is never unloaded, so that
    nothing else can ever be where it lies.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None)
        self._libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        self._libc.malloc_trim.argtypes = (ctypes.c_size_t,)
        with SMAPS.open() as lines:
            self._ranges = list(unchanged(lines))
        gc.collect()
        gc.freeze()  # these stay: the collector need not look at them, and so looks at the rest more often

    def give_back(self) -> None:
        gc.collect()
        self._libc.malloc_trim(0)
        for begin, end in self._ranges:
            self._libc.madvise(begin, end - begin, DONTNEED)


def unchanged(smaps: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Where programs and libraries are mapped that nobody writes to, and into which the linker has written nothing.
    Other files that are mapped, those of the locale for one, may be let go of.
    """
    head: list[str] = []
    found, programs = [], set()
    for line in smaps:
        words = line.split(None, 5)
        if not words[0].endswith(":"):
            head = words
        elif words[:2] == ["Anonymous:", "0"] and head[1] in READ_ONLY and head[5:] and head[5].startswith("/"):
            found.append((head[5], head[0]))
            programs |= {head[5]} if head[1] == PROGRAM else set()
    for path, place in found:
        if path in programs:
            begin, _, end = place.partition("-")
            yield int(begin, 16), int(end, 16)
