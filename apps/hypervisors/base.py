"""What a hypervisor driver is: small capability protocols over frozen dataclasses. Drivers import no Django.

Four rules hold for every call. It *ensures*: repeating it is safe. It ends ``within`` seconds, or raises ``Unknown``.
It raises ``Refused``, ``Busy`` (not begun) or ``Unknown`` (may have happened, or may still happen), nothing else. And
while an earlier call about the same machine or disk is still under way it raises ``Busy``: an observation, or an undo,
that overtakes the effect it is about would be worth nothing.
"""

import socket
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class HostAddress:
    """Which host a driver shall talk to. ``key`` is ours, for drivers that keep state of their own; ``uuid`` is what
    the certificate of the host must say.
    """

    key: int
    name: str
    url: str = ""
    uuid: str = ""


@dataclass(frozen=True)
class PoolSpec:
    """Primary storage: ``type`` and ``url`` as createStoragePool takes them, with user and password in the URL."""

    uuid: str
    type: str = ""
    url: str = field(default="", repr=False)


@dataclass(frozen=True)
class PoolStats:
    size: int  # bytes
    used: int  # bytes that lie there, not what was promised


@dataclass(frozen=True)
class ImageSpec:
    """What a disk is made from: a template in secondary storage. ``checksum`` is of the file there, as
    ``{SHA-256}ab12…`` or with the kind told by its length.
    """

    uuid: str
    url: str
    format: str = ""
    size: int = 0  # bytes
    checksum: str = ""


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
    kind: str = ""  # "router": a host may make it of something else than a machine


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


@dataclass(frozen=True)
class ConsoleAddress:
    """Where the screen of a machine can be seen (VNC). The password is good for new connections for a short time."""

    host: str
    port: int
    password: str = field(repr=False)
    seconds: int = 0


@dataclass(frozen=True)
class OpenScreen:
    """A connection to the screen of a machine (VNC), before its first word, and the password that it asks for. Without
    a connection there is no screen: whoever shows it draws a test card.
    """

    connection: socket.socket | None
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class NicStats:
    uuid: str
    received_bytes: int
    sent_bytes: int
    received_packets: int = 0
    sent_packets: int = 0


@dataclass(frozen=True)
class DiskStats:
    uuid: str
    read_bytes: int
    written_bytes: int
    read_requests: int = 0
    write_requests: int = 0


@dataclass(frozen=True)
class MachineStats:
    """Totals that only grow while ``epoch`` is the same, over restarts of the machine and of the host's agent. With
    another epoch counting began anew at zero.
    """

    uuid: str
    epoch: str
    cpu_seconds: float
    memory_kib: int = 0  # that the host gives the machine now
    nics: tuple[NicStats, ...] = ()
    disks: tuple[DiskStats, ...] = ()


@dataclass(frozen=True)
class ImageRules:
    """What may come into secondary storage."""

    max_bytes: int  # of the file, and of what is in it if it is packed
    max_virtual_bytes: int
    allowed: tuple[str, ...] = ()  # networks inside that may be asked all the same
    folders: tuple[str, ...] = ()  # directories of the host that file URLs may name


@dataclass(frozen=True)
class StoredImage:
    stored_bytes: int
    virtual_bytes: int
    format: str
    checksum: str = ""  # of what lies there, where it is known


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

    def delete(self, disk: str, *, within: float, pool: PoolSpec | None = None) -> None:
        """Ensure it does not. This, ``exists`` and ``size`` are told the pool: a host that does not know it, because
        none of its machines had a disk there yet, finds the disk nowhere, and says that all is done.
        """

    def resize(self, disk: DiskSpec, *, within: float) -> None:
        """Ensure the disk has this size; refused if it would lose data."""

    def exists(self, disk: str, *, within: float, pool: PoolSpec | None = None) -> bool: ...

    def size(self, disk: str, *, within: float, pool: PoolSpec | None = None) -> int | None:
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

    def status(self, network: str, *, within: float) -> dict[str, Any]:
        """``checks`` are those of its router, carried out now, each with ``checkname``, ``checktype`` ("basic" or
        "advanced"), ``success`` and ``details``; none where it has none.
        """


class ConsoleDriver(Protocol):
    def address(self, vm: str, *, within: float) -> ConsoleAddress:
        """Where the machine's screen is, with a new password; the one before opens no more."""

    def open(self, vm: str, *, within: float) -> OpenScreen:
        """A connection to it, which is the caller's to close. Nothing else is changed by it."""

    def screenshot(self, vm: str, *, within: float) -> bytes:
        """What is on it now, as PNG."""


class StatsDriver(Protocol):
    def machines(self, *, within: float) -> tuple[MachineStats, ...]:
        """Of all machines that run there or ran lately."""


class ImageDriver(Protocol):
    """Secondary storage as this host reaches it. Long calls answer ``Busy`` until the work is done: ask again."""

    def bring(self, image: ImageSpec, store: str, name: str, rules: ImageRules, *, within: float) -> StoredImage:
        """Ensure the checked image lies under this name in the store (a URL); ``image.url`` may be http(s) too."""

    def take(self, disk: str, store: str, name: str, *, within: float, pool: PoolSpec | None = None) -> StoredImage:
        """Ensure a whole copy of the disk, which no machine has open, lies under this name in the store."""

    def remove(self, store: str, name: str, *, within: float) -> None:
        """Ensure there is no such file in the store, nor one half made."""


class Driver(Protocol):
    """One host. Some have more: ``console``, ``stats`` and ``images``."""

    host: HostDriver
    pools: PoolDriver
    disks: DiskDriver
    power: PowerDriver
    nics: NicDriver
    networks: NetworkDriver
