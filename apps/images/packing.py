"""Images that come packed, by the end of the name that they are registered under: gz (RFC 1952), bz2 and xz."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

CHUNK = 1 << 20
DICTIONARY = 128 << 20  # bytes of memory that xz may want


class Damaged(Exception):
    """The data are not what the name says, or end too early."""


class _Gzip:
    """Zlib's, with the manners of the other two."""

    def __init__(self) -> None:
        self._inner, self.needs_input = zlib.decompressobj(31), True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, most: int) -> bytes:
        found = self._inner.decompress(self._inner.unconsumed_tail + data, most)
        self.needs_input = not self._inner.unconsumed_tail and len(found) < most
        return found


MACHINES: dict[str, Callable[[], Any]] = {
    ".gz": _Gzip,
    ".bz2": bz2.BZ2Decompressor,
    ".xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, DICTIONARY),
}


class Unpacker:
    """Gives pieces of a megabyte at most, so that who counts them stops what was packed to burst. Members may follow
    each other, as programs with several threads write them, and zeros may follow the last.
    """

    def __init__(self, make: Callable[[], Any]):
        self._make = make
        self._machine: Any = None  # between two members

    def feed(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._machine is None:
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._machine = self._make()
            try:
                piece = self._machine.decompress(data, CHUNK)
            except (OSError, zlib.error, lzma.LZMAError):
                raise Damaged("the packed data are damaged, or packed in another way") from None
            if piece:
                yield piece
            data = b""
            if self._machine.eof:
                data, self._machine = self._machine.unused_data, None
            elif self._machine.needs_input:
                return

    def end(self) -> None:
        if self._machine is not None:
            raise Damaged("the packed data end too early")


def unpacker(url: str) -> Unpacker | None:
    path = urlsplit(url).path.lower()
    return next((Unpacker(make) for end, make in MACHINES.items() if path.endswith(end)), None)
