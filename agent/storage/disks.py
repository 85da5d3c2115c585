"""The calls about disks in primary storage."""

from typing import Protocol

from agent.http.errors import AgentError, Busy, Refused
from agent.http.keys import Deadline
from agent.storage.images import Images
from agent.storage.pools import Pool, Pools
from agent.storage.sources import Source
from agent.storage.specs import DiskSpec, PoolSpec, PoolStats, StoredImage


class Live(Protocol):
    """What runs here."""

    def disks(self) -> dict[str, str]:
        """All that are in machines, and in which."""

    def user_of(self, disk: str) -> str | None:
        """The machine that has the disk."""

    def resize(self, vm: str, disk: str, size: int) -> None: ...


class Disks:
    def __init__(self, pools: Pools, images: Images, live: Live):
        self._pools, self._images, self._live = pools, images, live

    def create(self, disk: DiskSpec, deadline: Deadline) -> None:
        if disk.pool is None:
            raise Refused(f"disk {disk.uuid} has no pool")
        self._pools.ensure(disk.pool).create(disk, deadline)

    def delete(self, disk: str, deadline: Deadline, place: PoolSpec | None = None) -> None:
        if vm := self._live.user_of(disk):
            raise Refused(f"disk {disk} is attached to machine {vm}")
        for pool in self._where(disk, place):
            pool.delete(disk, deadline)

    def resize(self, disk: DiskSpec, deadline: Deadline) -> None:
        vm, pool = self._live.user_of(disk.uuid), self._of(disk)
        size = pool.size(disk.uuid)
        if size is None:
            raise Refused(f"there is no disk {disk.uuid}")
        if size > disk.size:
            raise Refused(f"disk {disk.uuid} has {size} bytes: to cut it to {disk.size} would lose data")
        if size == disk.size:
            return
        if vm:
            self._live.resize(vm, disk.uuid, disk.size)
        else:
            pool.resize(disk.uuid, disk.size)

    def exists(self, disk: str, deadline: Deadline, place: PoolSpec | None = None) -> bool:
        return self.size(disk, deadline, place) is not None

    def size(self, disk: str, deadline: Deadline, place: PoolSpec | None = None) -> int | None:
        return next((size for pool in self._where(disk, place) if (size := pool.size(disk)) is not None), None)

    def take(self, disk: str, store: str, name: str, deadline: Deadline, place: PoolSpec | None = None) -> StoredImage:
        if vm := self._live.user_of(disk):
            raise Refused(f"disk {disk} is in machine {vm}, which runs")
        for pool in self._where(disk, place):
            if source := pool.source(disk):
                return self._images.take(source, pool.size(disk) or 0, store, name, deadline, pool.password)
        raise Refused(f"there is no disk {disk}")

    def source(self, disk: DiskSpec) -> Source:
        """For a machine that shall have it."""
        found = self._of(disk).source(disk.uuid)
        if found is None:
            raise Refused(f"there is no disk {disk.uuid}")
        return found

    # -- pools

    def _of(self, disk: DiskSpec) -> Pool:
        if disk.pool:
            return self._pools.ensure(disk.pool)
        pools = self._where(disk.uuid, None)
        if not pools:
            raise Refused(f"there is no disk {disk.uuid}")
        return pools[0]

    def _where(self, disk: str, place: PoolSpec | None) -> list[Pool]:
        """The pool in which it is; the one that was said, whether it is there or not; nothing."""
        if place:
            return [self._pools.ensure(place)]
        failed: AgentError | None = None
        for pool in self._pools.all().values():
            try:
                if pool.holds(disk):
                    return [pool]
            except AgentError as error:
                failed = error
        if failed:
            raise Busy(f"disk {disk} may be in a pool that cannot be used now: {failed}") from failed
        return []

    def ensure_pool(self, pool: PoolSpec, deadline: Deadline) -> None:
        self._pools.ensure(pool).check()

    def remove_pool(self, pool: str, deadline: Deadline) -> None:
        known = self._pools.all().get(pool)
        for disk, vm in self._live.disks().items() if known else ():
            if known and known.holds(disk):
                raise Refused(f"machine {vm} here uses disk {disk} of pool {pool}")
        self._pools.remove(pool)

    def pool_stats(self, pool: str, deadline: Deadline) -> PoolStats:
        return self._pools.get(pool).stats()

    def pool_contents(self, pool: str, deadline: Deadline) -> dict[str, list[str]]:
        return self._pools.get(pool).contents()

    def drop_image(self, pool: str, image: str, deadline: Deadline) -> None:
        self._pools.get(pool).drop_image(image, deadline)
