"""The pools that this host knows: told once, remembered over restarts. Passwords are kept by libvirt, which needs them
too; here they are only looked up.
"""

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from agent.http.errors import Invalid, Refused
from agent.http.identity import write_private
from agent.http.keys import Deadline
from agent.storage.file_pool import FilePool
from agent.storage.folders import Directory, NfsFolder
from agent.storage.images import Images
from agent.storage.iscsi import Target
from agent.storage.sources import Source
from agent.storage.specs import DiskSpec, PoolSpec, PoolStats
from agent.storage.target_pool import TargetPool
from agent.storage.tasks import Tasks

KINDS = {
    "file": "Filesystem",
    "sharedmountpoint": "SharedMountPoint",
    "nfs": "NetworkFilesystem",
    "iscsi": "IscsiLUN",
}
TARGETS = ("iqn.", "eui.", "naa.")
INITIATOR = "iqn.2026-01.cloudportal"


class Pool(Protocol):
    password: str

    def check(self) -> None: ...
    def stats(self) -> PoolStats: ...
    def create(self, disk: DiskSpec, deadline: Deadline) -> None: ...
    def delete(self, disk: str, deadline: Deadline) -> None: ...
    def holds(self, disk: str) -> bool: ...
    def size(self, disk: str) -> int | None: ...
    def source(self, disk: str) -> Source | None: ...
    def resize(self, disk: str, size: int) -> None: ...
    def contents(self) -> dict[str, list[str]]: ...
    def drop_image(self, image: str, deadline: Deadline) -> None: ...
    def sweep(self) -> bool:
        """What nobody will ask for any more goes: what an agent before this left half-made. Must it be done again?"""


class Secrets(Protocol):
    """Passwords of pools, by their uuid."""

    def put(self, pool: str, password: str) -> None: ...
    def get(self, pool: str) -> str: ...
    def drop(self, pool: str) -> None: ...


@dataclass(frozen=True)
class Known:
    spec: dict[str, str]  # without the password
    pool: Pool


class Pools:
    """A file is written before its password is kept, and goes after it: of a change that was cut off a file may be
    left, which ``load`` sees, never a password that nobody knows of.
    """

    def __init__(self, state: Path, images: Images, tasks: Tasks, secrets: Secrets):
        self._folder, self._images, self._tasks = state / "pools", images, tasks
        self._secrets, self._cache = secrets, state / "images"
        self._lock, self._changing = threading.Lock(), threading.Lock()
        self._known: dict[str, Known] = {}
        for folder in (self._folder, self._cache):
            folder.mkdir(parents=True, exist_ok=True)

    def load(self) -> None:
        """What was known before. Libvirt must be there: it has the passwords."""
        for path in self._folder.glob("*.json"):
            said = json.loads(path.read_text())
            try:
                password = self._secrets.get(said["uuid"]) if said["user"] else ""
            except Refused:
                path.unlink()  # killed between the two, or libvirt was emptied: the manager tells it again
                continue
            with self._lock:
                self._known[said["uuid"]] = Known(said, self._build(said, password))

    def ensure(self, spec: PoolSpec) -> Pool:
        """The pool, made known if it was not, or is another than before."""
        said, password = _parse(spec)
        with self._lock:
            known = self._known.get(spec.uuid)
        if known and known.spec == said and known.pool.password == password:
            return known.pool
        pool = self._build(said, password)
        pool.check()
        with self._changing:
            write_private(self._folder / f"{spec.uuid}.json", json.dumps(said))
            if said["user"]:
                self._secrets.put(spec.uuid, password)
            with self._lock:
                self._known[spec.uuid] = Known(said, pool)
        return pool

    def get(self, uuid: str) -> Pool:
        with self._lock:
            known = self._known.get(uuid)
        if known is None:
            raise Refused(f"pool {uuid} is not known here")
        return known.pool

    def all(self) -> dict[str, Pool]:
        with self._lock:
            return {uuid: known.pool for uuid, known in self._known.items()}

    def remove(self, uuid: str) -> None:
        with self._changing:
            self._secrets.drop(uuid)
            (self._folder / f"{uuid}.json").unlink(missing_ok=True)
            with self._lock:
                self._known.pop(uuid, None)

    def _build(self, said: dict[str, str], password: str) -> Pool:
        host, path = said["host"], said["path"]
        if said["type"] == "NetworkFilesystem":
            return FilePool(NfsFolder(host, path), self._images)
        if said["type"] in ("Filesystem", "SharedMountPoint"):
            shared = said["type"] == "SharedMountPoint"
            return FilePool(Directory(Path(path), must_be_mounted=shared), self._images)
        initiator = f"{INITIATOR}:{self._images.host}"
        target = Target(host, int(said["port"]), path, initiator, said["user"], password)
        first = int(said["first"])
        return TargetPool(target, first, said["uuid"], self._images, self._tasks, Directory(self._cache))


def _parse(spec: PoolSpec) -> tuple[dict[str, str], str]:
    """What is kept of it, and the password, which is not."""
    try:
        parts = urlsplit(spec.url)
        port = parts.port or 3260
    except ValueError:
        raise Invalid("pool.url: it is no URL") from None
    kind = KINDS.get(parts.scheme.lower(), "")
    wanted = {"Iscsi": "IscsiLUN"}.get(spec.type, spec.type) or kind
    if not kind or wanted != kind:
        raise Refused(
            f"pool.url: storage of type {spec.type or '(none)'} at {parts.scheme or 'no scheme'} is not for KVM"
        )
    path = unquote(parts.path)
    if not path.startswith("/") or ".." in path.split("/") or any(ord(c) < 32 for c in path):
        raise Refused("pool.url: its path is not possible")
    said = {"uuid": spec.uuid, "type": kind, "host": parts.hostname or "", "path": path.rstrip("/") or "/", "user": ""}
    if kind == "NetworkFilesystem" and not said["host"]:
        raise Refused("pool.url: say nfs://server/path")
    return (_target(said, parts, port), unquote(parts.password or "")) if kind == "IscsiLUN" else (said, "")


def _target(said: dict[str, Any], parts: SplitResult, port: int) -> dict[str, str]:
    """``iscsi://user:password@server/iqn…/N``: units from number N on are the pool's."""
    name, _, last = said["path"].strip("/").partition("/")
    if not name.startswith(TARGETS) or not said["host"] or not (last or "0").isdecimal():
        raise Refused("pool.url: say iscsi://server/iqn.2001-04.com.example:disks/1, the first unit that may be used")
    return {**said, "path": name, "first": last or "0", "port": str(port), "user": unquote(parts.username or "")}
