"""A pool that is a directory: each disk a qcow2 file, on top of an image of the cache or of nothing."""

from agent.http.errors import Busy, Refused
from agent.http.keys import Deadline
from agent.storage import qcow2, qemu_img
from agent.storage.folders import Folder
from agent.storage.images import Images, virtual_size
from agent.storage.sources import Source
from agent.storage.specs import DiskSpec, ImageSpec, PoolStats

DISK = ".qcow2"


class FilePool:
    password = ""

    def __init__(self, folder: Folder, images: Images):
        self.folder, self._images = folder, images

    def check(self) -> None:
        self.folder.check()

    def stats(self) -> PoolStats:
        size, free = self.folder.space()
        return PoolStats(size, size - free)

    def create(self, disk: DiskSpec, deadline: Deadline) -> None:
        name = f"{disk.uuid}{DISK}"
        if self.folder.has(name):
            return
        backing = self._backing(disk, disk.image, deadline) if disk.image else None
        part = self._images.part(name)
        self.folder.remove(part)
        try:
            qemu_img.create(self.folder.source(part, "qcow2"), disk.size, backing)
            self.folder.publish(part, name)
        finally:
            self.folder.remove(part)

    def _backing(self, disk: DiskSpec, image: ImageSpec, deadline: Deadline) -> Source:
        name = self._images.ensure(self.folder, image, deadline)
        size = virtual_size(self.folder, name) or 0
        if size > disk.size:
            raise Refused(f"disk {disk.uuid} of {disk.size} bytes is too small for an image of {size}")
        return self.folder.source(name, "qcow2")

    def holds(self, disk: str) -> bool:
        return self.folder.has(f"{disk}{DISK}")

    def size(self, disk: str) -> int | None:
        return virtual_size(self.folder, f"{disk}{DISK}")

    def source(self, disk: str) -> Source | None:
        """The disk and all that it is on top of: what headers say is believed only as far as it is our cache."""
        return self._chain(f"{disk}{DISK}")

    def _chain(self, name: str) -> Source | None:
        head = self.folder.head(name)
        if head is None:
            return None
        below = qcow2.parse(head).backing
        backing = self._chain(self._known(below)) if below else None
        if below and backing is None:
            raise Refused(f"{name} is on top of {below}, which is not there")
        return self.folder.source(name, "qcow2", backing)

    @staticmethod
    def _known(below: str) -> str:
        name = below.partition("?")[0].rpartition("/")[2]
        if not name.startswith("image-"):
            raise Refused(f"a disk is on top of {below}, which is none of our images")
        return name

    def resize(self, disk: str, size: int) -> None:
        name = f"{disk}{DISK}"
        if self.folder.is_open(name):
            raise Busy(f"disk {disk} is open on another host")
        qemu_img.resize(self.folder.source(name, "qcow2"), size)

    def delete(self, disk: str, deadline: Deadline) -> None:
        name = f"{disk}{DISK}"
        if self.folder.is_open(name):
            raise Refused(f"disk {disk} is open on another host")
        self.folder.remove(name)

    def contents(self) -> dict[str, list[str]]:
        """Disks, images of the cache and what an agent of this host left half-made, by uuid or name."""
        found: dict[str, list[str]] = {"disks": [], "images": [], "parts": []}
        for name, _ in self.folder.names():
            if self._images.is_left(name):
                found["parts"].append(name)
            elif name.startswith("image-") and name.endswith(DISK):
                found["images"].append(name.removeprefix("image-").removesuffix(DISK))
            elif name.endswith(DISK):
                found["disks"].append(name.removesuffix(DISK))
        return {kind: sorted(names) for kind, names in found.items()}

    def drop_image(self, image: str, deadline: Deadline) -> None:
        """Ensure the image is not in the cache; refused while a disk is on top of it."""
        for disk in self.contents()["disks"]:
            head = self.folder.head(f"{disk}{DISK}")
            if head and qcow2.parse(head).backing and image in qcow2.parse(head).backing:
                raise Refused(f"disk {disk} is on top of image {image}")
        self._images.drop(self.folder, image, deadline)

    def sweep(self) -> bool:
        for part in self.contents()["parts"]:
            self.folder.remove(part)
        return False
