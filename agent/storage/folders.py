"""Directories that disks lie in: of this machine, or of an NFS server that only QEMU and we talk to."""

import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from agent.http.errors import Refused
from agent.storage import qcow2
from agent.storage.nfs import Export
from agent.storage.sources import Source

MOUNTS = Path("/proc/self/mountinfo")
OFD_GETLK = 36  # fcntl's number; not in the module before Python 3.12
FLOCK = struct.Struct("hhqqi4x")
QEMU_LOCKS = (100, 200)  # bytes of a file on which QEMU's locks lie


class Folder(Protocol):
    key: str  # the same for the same folder

    def check(self) -> None:
        """Refused if it cannot be used."""

    def has(self, name: str) -> bool: ...

    def head(self, name: str) -> bytes | None:
        """The beginning of a file; None if it is not there."""

    def bytes(self, name: str) -> int | None:
        """How long a file is; None if it is not there."""

    def write(self, name: str, source: Path, progress: Callable[[int], None]) -> None:
        """Copy a file of this machine to it, byte by byte."""

    def names(self) -> list[tuple[str, int]]:
        """All files, and how many bytes they take."""

    def remove(self, name: str) -> None:
        """Ensure it is not there."""

    def publish(self, part: str, name: str) -> bool:
        """Give a file that is complete its name; False if there is one of that name, which then stays."""

    def space(self) -> tuple[int, int]:
        """Size and free bytes."""

    def source(self, name: str, format: str, backing: Source | None = None) -> Source: ...

    def is_open(self, name: str) -> bool:
        """Does QEMU have it open, here or, where locks go that far, elsewhere?"""

    def make(self, name: str) -> None:
        """Ensure there is such a folder in it."""


class Directory:
    def __init__(self, path: Path, must_be_mounted: bool = False):
        self.path, self.key, self._must_be_mounted = path, str(path), must_be_mounted

    def check(self) -> None:
        if not self.path.is_dir():
            raise Refused(f"there is no directory {self.path}")
        if self._must_be_mounted and not _is_mounted(self.path):
            raise Refused(f"nothing is mounted at {self.path}: it would not be shared")
        if not os.access(self.path, os.W_OK):
            raise Refused(f"{self.path} cannot be written")

    def has(self, name: str) -> bool:
        return (self.path / name).exists()

    def head(self, name: str) -> bytes | None:
        try:
            with (self.path / name).open("rb") as file:
                return file.read(qcow2.NEEDED)
        except FileNotFoundError:
            return None

    def bytes(self, name: str) -> int | None:
        try:
            return (self.path / name).stat().st_size
        except FileNotFoundError:
            return None

    def write(self, name: str, source: Path, progress: Callable[[int], None]) -> None:
        with source.open("rb") as old, (self.path / name).open("wb") as new:
            done = 0
            while sent := os.sendfile(new.fileno(), old.fileno(), done, 64 << 20):
                done += sent
                progress(done)

    def names(self) -> list[tuple[str, int]]:
        with os.scandir(self.path) as entries:
            return [(e.name, e.stat().st_blocks * 512) for e in entries if e.is_file(follow_symlinks=False)]

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def publish(self, part: str, name: str) -> bool:
        _sync(self.path / part)
        try:
            os.link(self.path / part, self.path / name)
        except FileExistsError:
            return False
        finally:
            (self.path / part).unlink()
        _sync(self.path)
        return True

    def space(self) -> tuple[int, int]:
        found = os.statvfs(self.path)
        return found.f_frsize * found.f_blocks, found.f_frsize * found.f_bavail

    def source(self, name: str, format: str, backing: Source | None = None) -> Source:
        return Source("file", str(self.path / name), format, backing=backing)

    def is_open(self, name: str) -> bool:
        try:
            handle = os.open(self.path / name, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            first, last = QEMU_LOCKS
            asked = FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, first, last - first + 100, 0)
            return bool(FLOCK.unpack(fcntl.fcntl(handle, OFD_GETLK, asked))[0] != fcntl.F_UNLCK)
        finally:
            os.close(handle)

    def make(self, name: str) -> None:
        (self.path / name).mkdir(parents=True, exist_ok=True)


class NfsFolder:
    def __init__(self, host: str, path: str):
        self.key, self._export = f"nfs://{host}{path}", Export(host, path)

    def check(self) -> None:
        self._export.space()

    def has(self, name: str) -> bool:
        return self._export.find(name) is not None

    def head(self, name: str) -> bytes | None:
        return self._export.read(name, 0, qcow2.NEEDED)

    def bytes(self, name: str) -> int | None:
        found = self._export.find(name)
        return None if found is None else found.size

    def write(self, name: str, source: Path, progress: Callable[[int], None]) -> None:
        self._export.write(name, source, progress)

    def names(self) -> list[tuple[str, int]]:
        return [(name, found.used) for name, found in self._export.names() if found and not found.is_directory]

    def remove(self, name: str) -> None:
        self._export.remove(name)

    def publish(self, part: str, name: str) -> bool:
        try:
            return self._export.link(part, name)
        finally:
            self._export.remove(part)

    def space(self) -> tuple[int, int]:
        return self._export.space()

    def source(self, name: str, format: str, backing: Source | None = None) -> Source:
        return Source("nfs", f"{self._export.path}/{name}", format, host=self._export.host, backing=backing)

    def is_open(self, name: str) -> bool:
        return False  # QEMU's NFS client knows no locks

    def make(self, name: str) -> None:
        self._export.make_directory(name)


def _is_mounted(path: Path) -> bool:
    """At it or above it, other than the root of the machine."""
    with MOUNTS.open() as lines:
        points = {line.split()[4].encode().decode("unicode_escape") for line in lines}
    real = path.resolve()
    return any(str(place) in points for place in (real, *real.parents) if place != place.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
