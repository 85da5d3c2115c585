"""Images: brought from secondary storage into the cache of a pool, once; brought into secondary storage, and taken from
disks. All of it is copying, so all of it are tasks.
"""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import agent
from agent.http.errors import Invalid, Refused
from agent.http.keys import Deadline
from agent.storage import inspect, qcow2, qemu_img
from agent.storage.folders import Directory, Folder, NfsFolder
from agent.storage.process import COPY, Child, Limits, run
from agent.storage.sources import Source
from agent.storage.specs import ImageRules, ImageSpec, StoredImage
from agent.storage.tasks import Task, Tasks

FETCHING = Limits(memory=512 << 20, processor=COPY.processor, seconds=COPY.seconds)
ROOM = 64 << 20  # bytes that stay free
GIB = 1 << 30


@dataclass(frozen=True)
class Most:
    """Of what comes from secondary storage, which has rules of its own for what comes there."""

    bytes: int = 256 * GIB
    virtual: int = 16384 * GIB


def image_name(uuid: str) -> str:
    return f"image-{uuid}.qcow2"


class Images:
    def __init__(self, tasks: Tasks, scratch: Path, host: str, most: Most | None = None):
        self._tasks, self._scratch = tasks, Directory(scratch)
        self.host, self.boot = host, os.urandom(4).hex()
        self._most = most or Most()
        scratch.mkdir(parents=True, exist_ok=True)
        for name, _ in self._scratch.names():
            if name.endswith(".part"):
                self._scratch.remove(name)

    def part(self, name: str) -> str:
        """What is not complete has the name of the host that makes it, and of this run of its agent."""
        return f"{name}.{self.host}.{self.boot}.part"

    def is_left(self, name: str) -> bool:
        """By an agent before this one. Another host's is none of our business."""
        maker, _, rest = name.removesuffix(".part").rpartition(".")
        return name.endswith(".part") and maker.endswith(f".{self.host}") and rest != self.boot

    # -- the cache of a pool

    def ensure(self, folder: Folder, image: ImageSpec, deadline: Deadline) -> str:
        """The name of the image in the folder; busy while it is being brought."""
        name = image_name(image.uuid)
        if not folder.has(name):
            subject = f"{image.uuid} in {folder.key}"
            self._tasks.join("image", subject, lambda task: self._cache(task, folder, image, name), deadline)
        return name

    def _cache(self, task: Task, folder: Folder, image: ImageSpec, name: str) -> None:
        if folder.has(name):
            return
        near = folder if isinstance(folder, Directory) else self._scratch
        fetched, part = near.path / self.part(f"{name}.fetched"), self.part(name)
        try:
            self._fetch(task, image.url, image.checksum, fetched, self._most.bytes)
            source, size = inspect.check(fetched, image.format, self._most.virtual)
            _must_have_room(folder, fetched.stat().st_blocks * 512)
            folder.remove(part)
            qemu_img.convert(source, folder.source(part, "qcow2"), size, task)
            folder.publish(part, name)
        finally:
            fetched.unlink(missing_ok=True)
            folder.remove(part)

    def drop(self, folder: Folder, image: str, deadline: Deadline) -> None:
        self._tasks.call_off("image", f"{image} in {folder.key}", deadline)
        folder.remove(image_name(image))

    # -- secondary storage

    def bring(self, image: ImageSpec, store: str, name: str, rules: ImageRules, deadline: Deadline) -> StoredImage:
        if image.url.startswith("file:") and not _is_below(image.url, rules.folders):
            raise Refused("the URL names a file of the host, which is not in a directory that may be read")
        folder, last = place(store, name)
        work = lambda task: self._bring(task, folder, last, image, rules)  # noqa: E731
        return self._tasks.join("bring", f"{store}/{name}", work, deadline, keep=True)

    def _bring(self, task: Task, folder: Folder, name: str, image: ImageSpec, rules: ImageRules) -> StoredImage:
        near = folder if isinstance(folder, Directory) else self._scratch
        part = self.part(name)
        fetched = near.path / part
        try:
            checksum = self._fetch(task, image.url, image.checksum, fetched, rules.max_bytes, rules.allowed)
            _, size = inspect.check(fetched, image.format, rules.max_virtual_bytes)
            stored = fetched.stat().st_size
            if near is not folder:
                task.begin("storing", stored)
                _must_have_room(folder, stored)
                folder.write(part, fetched, task.progress)
            folder.remove(name)  # one of another image, which was not removed
            folder.publish(part, name)
        finally:
            fetched.unlink(missing_ok=True)
            folder.remove(part)
        return StoredImage(stored, size, image.format.upper(), checksum)

    def take(self, source: Source, size: int, store: str, name: str, deadline: Deadline, password: str) -> StoredImage:
        folder, last = place(store, name)
        work = lambda task: self._take(task, source, size, folder, last, password)  # noqa: E731
        return self._tasks.join("take", f"{store}/{name}", work, deadline, keep=True)

    def _take(self, task: Task, source: Source, size: int, folder: Folder, name: str, password: str) -> StoredImage:
        part = self.part(name)
        try:
            folder.remove(part)
            qemu_img.convert(source, folder.source(part, "qcow2"), size, task, password)
            folder.remove(name)
            folder.publish(part, name)
        finally:
            folder.remove(part)
        stored = folder.bytes(name)
        return StoredImage(stored or 0, size, "QCOW2")

    def remove(self, store: str, name: str, deadline: Deadline) -> None:
        folder, last = place(store, name)
        for kind in ("bring", "take"):
            self._tasks.call_off(kind, f"{store}/{name}", deadline)
        folder.remove(self.part(last))
        folder.remove(last)

    # -- the program that fetches

    def _fetch(
        self, task: Task, url: str, checksum: str, target: Path, most: int, allowed: tuple[str, ...] | None = None
    ) -> str:
        """Without ``allowed`` secondary storage is asked, which may be anywhere; else what came from outside is to be
        stored, and its checksum noted.
        """
        task.begin("fetching")
        anywhere = ("0.0.0.0/0", "::/0")
        job: dict[str, Any] = {"url": url, "checksum": checksum, "target": str(target), "max_bytes": most}
        job |= {"allowed": list(anywhere if allowed is None else allowed), "note": allowed is not None}
        said = Words(task)
        child = Child(
            keep=(task.lock,),
            calls_off=task.calls_off,
            output=said.hear,
            data=json.dumps(job).encode(),
            environment={"PYTHONPATH": str(Path(agent.__file__).parent.parent)},
        )
        run([sys.executable, "-m", "agent", "fetch"], FETCHING, child)
        if "size" not in said.last:
            raise Refused(f"the image cannot be fetched: {said.last.get('error', 'no answer')}")
        return str(said.last["checksum"])


class Words:
    """What the program says, a line at a time."""

    def __init__(self, task: Task):
        self._task, self._rest = task, b""
        self.last: dict[str, Any] = {}

    def hear(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.last = json.loads(line)
            self._task.total = self.last.get("total", self._task.total)
            self._task.progress(self.last.get("done", self._task.done))


def _must_have_room(folder: Folder, size: int) -> None:
    free = folder.space()[1]
    if free < size + ROOM:
        raise Refused(f"the storage is full: {size} bytes are needed, {free} are free")


def _is_below(url: str, folders: tuple[str, ...]) -> bool:
    path = Path(unquote(urlsplit(url).path)).resolve()
    return any(path.is_relative_to(Path(folder).resolve()) for folder in folders)


def place(store: str, name: str) -> tuple[Folder, str]:
    """The folder of a store in which the file lies, which is made, and the name it has there."""
    parts = name.split("/")
    if not all(_is_safe(part) for part in parts):
        raise Invalid(f"name: {name!r} is not made of letters, digits, dots, dashes and slashes")
    folder, base = _root(store, ""), ""
    for part in parts[:-1]:
        folder.make(part)
        base = f"{base}/{part}"
        folder = _root(store, base)
    return folder, parts[-1]


def _root(store: str, below: str) -> Folder:
    parts = urlsplit(store)
    path = unquote(parts.path).rstrip("/") + below
    if parts.scheme == "file":
        folder: Folder = Directory(Path(path))
    elif parts.scheme == "nfs" and parts.hostname:
        folder = NfsFolder(parts.hostname, path)
    else:
        raise Invalid(f"store: {parts.scheme or 'nothing'} is not file or nfs")
    folder.check()
    return folder


def _is_safe(part: str) -> bool:
    return 0 < len(part) <= 100 and part[0] != "." and all(c.isascii() and (c.isalnum() or c in "._-") for c in part)


def virtual_size(folder: Folder, name: str) -> int | None:
    head = folder.head(name)
    return None if head is None else qcow2.parse(head).size
