"""What a hypervisor driver is: small capability protocols over frozen dataclasses. Drivers import no Django.

Four rules hold for every call. It *ensures*: repeating it is safe. It ends ``within`` seconds, or raises ``Unknown``.
It raises ``Refused``, ``Busy`` (not begun) or ``Unknown`` (may have happened, or may still happen), nothing else. And
while an earlier call about the same machine or disk is still under way it raises ``Busy``: an observation, or an undo,
that overtakes the effect it is about would be worth nothing.
"""

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class HostAddress:
    """Which host a driver shall talk to. ``key`` is ours, for drivers that keep state of their own."""

    key: int
    name: str
    url: str = ""


@dataclass(frozen=True)
class PoolSpec:
    """Primary storage: ``type`` and ``url`` as createStoragePool takes them."""

    uuid: str
    type: str = ""
    url: str = ""


@dataclass(frozen=True)
class PoolStats:
    size: int  # bytes
    used: int  # bytes that lie there, not what was promised


@dataclass(frozen=True)
class ImageSpec:
    """What a disk is made from: a template in secondary storage."""

    uuid: str
    url: str
    format: str = ""
    size: int = 0  # bytes


@dataclass(frozen=True)
class DiskSpec:
    uuid: str
    size: int  # bytes
    device_id: int | None = None
    pool: PoolSpec | None = None
    image: ImageSpec | None = None


@dataclass(frozen=True)
class NicSpec:
    uuid: str
    mac: str
    network: str  # uuid
    segment: str = ""  # "vlan:101", "" for untagged
    ip: str = ""
    device_id: int = 0
    security_groups: bool = False


@dataclass(frozen=True)
class MachineSpec:
    uuid: str
    cpus: int
    memory_mib: int
    name: str = ""
    speed_mhz: int = 0
    disks: tuple[DiskSpec, ...] = ()
    nics: tuple[NicSpec, ...] = ()
    iso: ImageSpec | None = None


@dataclass(frozen=True)
class HostFacts:
    """What a host says of itself when it is added and at every heartbeat. ``hosts`` is how many like it the URL stands
    for: one, but for who manages many.
    """

    cpu_cores: int
    cpu_speed_mhz: int
    memory_bytes: int
    version: str = ""
    cpu_sockets: int = 1
    hosts: int = 1


class HostDriver(Protocol):
    def facts(self, *, within: float) -> HostFacts: ...

    def machines(self, *, within: float) -> frozenset[str]:
        """Uuids of all machines that run there: the power report."""


class PoolDriver(Protocol):
    """Primary storage as this host sees it. A host that is told of a disk with its pool makes the pool known by itself:
    the host may be younger than the pool, and nobody goes round all hosts.
    """

    def ensure(self, pool: PoolSpec, *, within: float) -> None:
        """Ensure the host can use the storage: mounted, logged in. Refused if it cannot."""

    def remove(self, pool: str, *, within: float) -> None:
        """Ensure the host has nothing of it any more; refused while a machine there uses a disk on it."""

    def stats(self, pool: str, *, within: float) -> PoolStats:
        """How large it is and how full; refused if the host does not know it."""


class DiskDriver(Protocol):
    def create(self, disk: DiskSpec, *, within: float) -> None:
        """Ensure the disk exists in primary storage, made from its image if it has one."""

    def delete(self, disk: str, *, within: float) -> None:
        """Ensure it does not."""

    def resize(self, disk: DiskSpec, *, within: float) -> None:
        """Ensure the disk has this size; refused if it would lose data."""

    def exists(self, disk: str, *, within: float) -> bool: ...

    def size(self, disk: str, *, within: float) -> int | None:
        """In bytes; None if there is no such disk."""

    def attach(self, vm: str, disk: DiskSpec, *, within: float) -> None:
        """Ensure the running machine sees the disk."""

    def detach(self, vm: str, disk: str, *, within: float) -> None:
        """Ensure it does not."""

    def has(self, vm: str, disk: str, *, within: float) -> bool:
        """Does the machine see the disk?"""


class PowerDriver(Protocol):
    def start(self, vm: MachineSpec, *, within: float) -> None:
        """Ensure the machine runs on this host."""

    def stop(self, vm: str, *, within: float, force: bool = False) -> None:
        """Ensure it does not run on this host. ``force`` cuts the power; else the guest is asked first."""

    def reboot(self, vm: str, *, within: float, force: bool = False) -> None:
        """The guest has been reset. The one call that is not idempotent; repeating it reboots again, which is safe."""

    def runs(self, vm: str, *, within: float) -> bool: ...

    def insert(self, vm: str, iso: ImageSpec | None, *, within: float) -> None:
        """Ensure this image, or none, is in the drive of the running machine."""


class NicDriver(Protocol):
    def plug(self, vm: str, nic: NicSpec, *, within: float) -> None:
        """Ensure the running machine has the card."""

    def unplug(self, vm: str, nic: str, *, within: float) -> None:
        """Ensure it does not."""

    def has(self, vm: str, nic: str, *, within: float) -> bool: ...


class NetworkDriver(Protocol):
    def apply(self, document: dict[str, Any], *, within: float) -> int:
        """Make the router of the network match the whole document; returns the generation that holds there now."""

    def remove(self, network: str, *, within: float) -> None:
        """Ensure this host has nothing of the network."""

    def generation(self, network: str, *, within: float) -> int | None:
        """What holds there; None if the host has nothing of the network."""


class Driver(Protocol):
    """One host."""

    host: HostDriver
    pools: PoolDriver
    disks: DiskDriver
    power: PowerDriver
    nics: NicDriver
    networks: NetworkDriver
