"""A pool that is an iSCSI target: its units are handed out, one for each disk. Which unit is whose stands in the last
block of the unit itself, beyond what the machine sees; it is changed in one step: two hosts never take the same.
"""

import json
import time
import zlib
from dataclasses import dataclass, replace
from typing import Any

from agent.http.errors import Busy, Refused
from agent.http.keys import Deadline
from agent.storage import qemu_img
from agent.storage.folders import Directory
from agent.storage.images import Images, virtual_size
from agent.storage.iscsi import Session, Target
from agent.storage.sources import Source
from agent.storage.specs import DiskSpec, ImageSpec, PoolStats
from agent.storage.tasks import Task, Tasks

MARK = b"cloudportal unit 1\n"
LOOKED_AT = 64  # blocks at the beginning of a unit that must be empty before it is taken for the first time
MIB = 1 << 20
PATIENCE = 600.0  # seconds after which nobody will come back for a disk


@dataclass(frozen=True)
class Unit:
    """``label`` is None if the unit holds something that is not ours, and empty if it is free."""

    number: int
    block_size: int
    blocks: int
    raw: bytes
    label: dict[str, Any] | None

    @property
    def room(self) -> int:
        """What a disk in it may have: the label is in the last MiB."""
        return (self.blocks * self.block_size // MIB - 1) * MIB

    @property
    def is_ready(self) -> bool:
        return bool(self.label) and self.label["state"] == "ready"  # type: ignore[index]

    def is_of(self, disk: str) -> bool:
        return bool(self.label) and self.label["disk"] == disk  # type: ignore[index]


class TargetPool:
    """``first`` is the lowest number of a unit that may be used."""

    def __init__(self, target: Target, first: int, secret: str, images: Images, tasks: Tasks, cache: Directory):
        self._target, self._first, self._secret = target, first, secret
        self._images, self._tasks, self._cache = images, tasks, cache
        self.password = target.password
        self._asked: dict[str, float] = {}  # disks that are being made, and when somebody wanted to know

    def check(self) -> None:
        with Session(self._target) as session:
            if not self._units(session):
                raise Refused(f"{self._target!r} has no units")

    def stats(self) -> PoolStats:
        with Session(self._target) as session:
            units = self._units(session)
        ours = [unit for unit in units if unit.label is not None]
        return PoolStats(sum(u.room for u in ours), sum(u.room for u in ours if u.label))

    # -- units

    def _units(self, session: Session) -> list[Unit]:
        return [self._unit(session, number) for number in session.units() if number >= self._first]

    def _unit(self, session: Session, number: int) -> Unit:
        capacity = session.capacity(number)
        raw = session.read(number, capacity.blocks - 1, capacity.block_size)
        label = _label(raw)
        if label is None and not raw.strip(b"\0"):
            label = {} if self._is_empty(session, number, capacity.block_size) else None
        return Unit(number, capacity.block_size, capacity.blocks, raw, label)

    @staticmethod
    def _is_empty(session: Session, number: int, size: int) -> bool:
        return not session.read(number, 0, size, LOOKED_AT).strip(b"\0")

    def _write(self, session: Session, unit: Unit, label: dict[str, Any]) -> bool:
        return session.exchange(unit.number, unit.blocks - 1, unit.raw, _block(label, unit.block_size))

    def _find(self, session: Session, disk: str) -> Unit | None:
        return next((unit for unit in self._units(session) if unit.is_of(disk)), None)

    def _making(self, disk: DiskSpec) -> dict[str, Any]:
        maker = {"host": self._images.host, "boot": self._images.boot}
        return {"disk": disk.uuid, "size": disk.size, "state": "making", **maker}

    def _claim(self, session: Session, disk: DiskSpec) -> Unit:
        label = self._making(disk)
        units = self._units(session)
        fitting = [unit for unit in units if unit.label == {} and unit.room >= disk.size]
        # the smallest that fits; of equal ones each disk has its own order, so that hosts seldom want the same
        for unit in sorted(fitting, key=lambda unit: (unit.room, _order(disk.uuid, unit.number))):
            if self._write(session, unit, label):
                return replace(unit, raw=_block(label, unit.block_size), label=label)
        raise Refused(f"the storage is full: no unit of {disk.size} bytes is free among {len(units)}")

    # -- disks

    def create(self, disk: DiskSpec, deadline: Deadline) -> None:
        with Session(self._target) as session:
            unit = self._find(session, disk.uuid)
        if unit and unit.is_ready:
            return
        self._asked[disk.uuid] = time.monotonic()
        image = self._image(disk, disk.image, deadline) if disk.image else None
        self._tasks.join("disk", disk.uuid, lambda task: self._make(task, disk, image), deadline)
        self._relabel(disk.uuid, state="ready")
        self._asked.pop(disk.uuid, None)

    def _image(self, disk: DiskSpec, image: ImageSpec, deadline: Deadline) -> Source:
        name = self._images.ensure(self._cache, image, deadline)
        size = virtual_size(self._cache, name) or 0
        if size > disk.size:
            raise Refused(f"disk {disk.uuid} of {disk.size} bytes is too small for an image of {size}")
        return self._cache.source(name, "qcow2")

    def _make(self, task: Task, disk: DiskSpec, image: Source | None) -> None:
        """Every byte of the unit that the disk has is written: what was in it was another tenant's. That the disk is
        there is written down by a call that waits: to one that was told ``busy`` it had not begun.
        """
        with Session(self._target) as session:
            unit = self._taken(session, disk)
        if unit.is_ready:
            return
        part = self._images.part(f"{disk.uuid}.qcow2")
        try:
            self._cache.remove(part)
            whole = self._cache.source(part, "qcow2", image)
            qemu_img.create(whole, disk.size, image)
            qemu_img.convert(whole, self._source(unit, disk.size), disk.size, task, self.password)
        finally:
            self._cache.remove(part)

    def _taken(self, session: Session, disk: DiskSpec) -> Unit:
        """A unit for the disk; the one in which an agent before this had begun to make it."""
        unit = self._find(session, disk.uuid)
        if unit is None:
            return self._claim(session, disk)
        self._must_be_ours(unit, disk.uuid)
        if not unit.is_ready and not self._write(session, unit, self._making(disk)):
            raise Busy(f"the unit of disk {disk.uuid} was changed by another host")
        return unit

    def _must_be_ours(self, unit: Unit, disk: str) -> None:
        if unit.label and unit.label["state"] == "making" and unit.label["host"] != self._images.host:
            raise Busy(f"disk {disk} is being made by another host")

    def _relabel(self, disk: str, **changes: Any) -> None:
        with Session(self._target) as session:
            unit = self._find(session, disk)
            if unit is None or not self._write(session, unit, {**(unit.label or {}), **changes}):
                raise Busy(f"the unit of disk {disk} was changed by another host")

    def holds(self, disk: str) -> bool:
        """Whole, or being made."""
        if self._tasks.running("disk", disk):
            return True
        with Session(self._target) as session:
            return self._find(session, disk) is not None

    def size(self, disk: str) -> int | None:
        unit = self._ready(disk)
        return int(unit.label["size"]) if unit and unit.label else None

    def _ready(self, disk: str) -> Unit | None:
        if self._tasks.running("disk", disk):
            raise Busy(f"disk {disk} is being made")
        with Session(self._target) as session:
            unit = self._find(session, disk)
        if unit is None or unit.label is None:
            return None
        self._must_be_ours(unit, disk)
        return unit if unit.is_ready else None

    def source(self, disk: str) -> Source | None:
        unit = self._ready(disk)
        return self._source(unit, int(unit.label["size"])) if unit and unit.label else None

    def _source(self, unit: Unit, size: int) -> Source:
        target = self._target
        where = {"host": target.host, "port": target.port, "initiator": target.initiator}
        who = {"user": target.user, "secret": self._secret}
        return Source("iscsi", f"{target.name}/{unit.number}", "raw", size=size, **where, **who)  # type: ignore[arg-type]

    def resize(self, disk: str, size: int) -> None:
        """To grow within its unit; what is added is emptied first."""
        unit = self._ready(disk)
        if unit is None or unit.label is None:
            raise Refused(f"there is no disk {disk}")
        if size > unit.room:
            raise Refused(f"disk {disk} lies in a unit that has {unit.room} bytes")
        old = int(unit.label["size"])
        qemu_img.empty(replace(self._source(unit, size - old), start=old), size - old, self.password)
        self._relabel(disk, size=size)

    def delete(self, disk: str, deadline: Deadline) -> None:
        self._tasks.call_off("disk", disk, deadline)
        with Session(self._target) as session:
            unit = self._find(session, disk)
            if unit is None:
                return
            self._must_be_ours(unit, disk)
            if not self._write(session, unit, {}):
                raise Busy(f"the unit of disk {disk} was changed by another host")

    def contents(self) -> dict[str, list[str]]:
        with Session(self._target) as session:
            labels = [unit.label for unit in self._units(session) if unit.label]
        made = [label["disk"] for label in labels if label["state"] == "ready"]
        return {
            "disks": sorted(made),
            "images": [],
            "parts": sorted(each["disk"] for each in labels if self._left(each)),
        }

    def _left(self, label: dict[str, Any]) -> bool:
        """Half-made by an agent of this host before this one, or made and asked for no more."""
        if label["state"] != "making" or label["host"] != self._images.host:
            return False
        if label["boot"] != self._images.boot:
            return True
        waited = time.monotonic() - self._asked.get(label["disk"], 0.0)
        return waited > PATIENCE and not self._tasks.running("disk", label["disk"])

    def drop_image(self, image: str, deadline: Deadline) -> None:
        """Disks here are whole copies; what lies on this machine is the cache of all such pools."""
        self._images.drop(self._cache, image, deadline)

    def sweep(self) -> bool:
        with Session(self._target) as session:
            for unit in self._units(session):
                if unit.label and self._left(unit.label):
                    disk = unit.label["disk"]
                    self._asked.pop(disk, None)
                    self._tasks.call_off("disk", disk, Deadline(1))  # what it ended with
                    self._write(session, unit, {})  # unless somebody goes on with it just now
        return True


def _order(disk: str, number: int) -> int:
    return zlib.crc32(f"{disk}/{number}".encode())


def _block(label: dict[str, Any], size: int) -> bytes:
    return (MARK + json.dumps(label).encode()).ljust(size, b"\0")


def _label(raw: bytes) -> dict[str, Any] | None:
    if not raw.startswith(MARK):
        return None
    try:
        return dict(json.loads(raw.removeprefix(MARK).rstrip(b"\0")))
    except ValueError:
        return None
