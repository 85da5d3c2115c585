"""A directory of an NFS server (version 3, RFC 1813) without mounting it: QEMU reads and writes the disks, and what it
cannot do (list, remove, link, read a little) is here.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from agent.http.errors import Busy, Refused
from agent.storage.rpc import Client, Reader, RpcError, opaque, port_of, uints, ulong

NFS, MOUNT = (100003, 3), (100005, 3)
NO_SUCH, EXISTS = 2, 17
PASSING = (70, 10008)  # a handle from before its restart; busy
TIMEOUT = 10.0  # of one exchange
CHUNK = 256 << 10
STATUS = {1: "not the owner", 5: "an error of its disk", 13: "no permission", 20: "no directory", 28: "no space left"}
T = TypeVar("T")


@dataclass(frozen=True)
class Attributes:
    is_directory: bool
    size: int
    used: int


class Export:
    """May be used by many threads. An exchange is made once more, on a new connection, if the old one has died."""

    def __init__(self, host: str, path: str):
        self.host, self.path = host, path
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._root = b""

    # -- verbs

    def find(self, name: str) -> Attributes | None:
        found = self._lookup(name)
        return found[1] if found else None

    def read(self, name: str, at: int, size: int) -> bytes | None:
        found = self._lookup(name)
        return None if found is None else self._read(found[0], at, size)

    def chunks(self, name: str) -> Iterator[bytes]:
        found = self._lookup(name)
        if found is None:
            raise Refused(f"there is no {name}")
        at = 0
        while data := self._read(found[0], at, CHUNK):
            yield data
            at += len(data)

    def write(self, name: str, source: Path, progress: Callable[[int], None]) -> None:
        """A new file with these bytes, which are on the server's disk when this returns."""
        self.remove(name)
        self._must(8, self._named(name) + uints(0) + uints(1, 0o644, 0, 0, 0, 0, 0))  # "unchecked", and its mode
        found = self._lookup(name)
        if found is None:
            raise Refused(f"nfs://{self.host}{self.path}: {name} vanished while it was written")
        at, size = 0, source.stat().st_size
        with source.open("rb") as file:
            while data := file.read(CHUNK):
                if data.strip(b"\0") or at + len(data) == size:  # a hole stays one; the last byte makes the length
                    self._write(found[0], at, data)
                at += len(data)
                progress(at)
        self._must(21, opaque(found[0]) + ulong(0) + uints(0))

    def _write(self, handle: bytes, at: int, data: bytes) -> None:
        while data:
            answer = self._must(7, opaque(handle) + ulong(at) + uints(len(data), 0) + opaque(data))
            _changes(answer)
            size = answer.uint()
            at, data = at + size, data[size:]

    def names(self) -> list[tuple[str, Attributes | None]]:
        found: list[tuple[str, Attributes | None]] = []
        cookie, verifier, at_end = 0, b"\0" * 8, False
        while not at_end:
            answer = self._must(17, self._handle() + ulong(cookie) + verifier + uints(8192, 65536))
            _attributes(answer)
            verifier = ulong(answer.ulong())
            while answer.uint():
                answer.ulong()
                name, cookie = answer.opaque().decode(errors="surrogateescape"), answer.ulong()
                attributes = _attributes(answer)
                if answer.uint():
                    answer.opaque()
                if name not in (".", ".."):
                    found.append((name, attributes))
            at_end = bool(answer.uint())
        return found

    def space(self) -> tuple[int, int]:
        """Size and free bytes."""
        answer = self._must(18, self._handle())
        _attributes(answer)
        size, _ = answer.ulong(), answer.ulong()
        return size, answer.ulong()  # free for who is not root

    def remove(self, name: str) -> None:
        self._nfs(12, self._named(name), NO_SUCH)

    def link(self, old: str, new: str) -> bool:
        """False if there is such a file already."""
        found = self._lookup(old)
        if found is None:
            raise Refused(f"there is no {old}")
        return self._nfs(15, opaque(found[0]) + self._named(new), EXISTS) is not None

    def make_directory(self, name: str) -> None:
        self._nfs(9, self._named(name) + uints(1, 0o755, 0, 0, 0, 0, 0), EXISTS)

    # -- exchanges

    def _handle(self) -> bytes:
        self._using(lambda client: None)
        return opaque(self._root)

    def _named(self, name: str) -> bytes:
        return self._handle() + opaque(name.encode())

    def _lookup(self, name: str) -> tuple[bytes, Attributes] | None:
        answer = self._nfs(3, self._named(name), NO_SUCH)
        if answer is None:
            return None
        handle, attributes = answer.opaque(), _attributes(answer)
        if attributes is None:
            raise Refused(f"nfs://{self.host}{self.path}: the server tells nothing of {name}")
        return handle, attributes

    def _read(self, handle: bytes, at: int, size: int) -> bytes:
        answer = self._must(6, opaque(handle) + ulong(at) + uints(size))
        _attributes(answer)
        answer.skip(8)  # count and end, which the bytes tell as well
        return answer.opaque()

    def _must(self, procedure: int, arguments: bytes) -> Reader:
        answer = self._nfs(procedure, arguments)
        assert answer is not None  # noqa: S101 - nothing was let pass
        return answer

    def _nfs(self, procedure: int, arguments: bytes, passed: int = 0) -> Reader | None:
        """The answer; None if it is the status that may be."""

        def exchange(client: Client) -> Reader | None:
            answer = client.call(procedure, arguments, TIMEOUT)
            status = answer.uint()
            if status in PASSING:
                raise ConnectionError("the server was restarted, or is busy")
            if status and status != passed:
                raise Refused(f"nfs://{self.host}{self.path}: {STATUS.get(status, f'status {status}')}")
            return None if status else answer

        return self._using(exchange)

    def _using(self, exchange: Callable[[Client], T]) -> T:
        with self._lock:
            while True:
                is_new = self._client is None
                try:
                    self._client = self._client or self._connect()
                    return exchange(self._client)
                except (OSError, RpcError) as error:
                    self._drop()
                    if is_new:
                        kind = Refused if isinstance(error, RpcError) else Busy
                        raise kind(f"nfs://{self.host}{self.path}: {error}") from error

    def _connect(self) -> Client:
        until = time.monotonic() + TIMEOUT
        mount = Client(self.host, port_of(self.host, MOUNT, TIMEOUT), MOUNT, TIMEOUT)
        try:
            answer = mount.call(1, opaque(self.path.encode()), until - time.monotonic())
            if status := answer.uint():
                raise RpcError(f"it is not exported to this host ({STATUS.get(status, status)})")
            self._root = answer.opaque()
        finally:
            mount.close()
        return Client(self.host, port_of(self.host, NFS, TIMEOUT), NFS, TIMEOUT)

    def _drop(self) -> None:
        if self._client:
            self._client.close()
        self._client = None


def _changes(answer: Reader) -> None:
    if answer.uint():
        answer.skip(24)
    _attributes(answer)


def _attributes(answer: Reader) -> Attributes | None:
    if not answer.uint():
        return None
    kind = answer.uint()
    answer.skip(16)
    size, used = answer.ulong(), answer.ulong()
    answer.skip(48)
    return Attributes(kind == 2, size, used)
