"""What the manager says of machines and cards, as JSON; and what becomes a name of it."""

import re
from dataclasses import dataclass

from agent.http.errors import Invalid
from agent.storage.specs import DiskSpec, ImageSpec, must_be_uuid

MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
SEGMENT = re.compile(r"[a-z]{0,8}:?[0-9A-Za-z._-]{0,32}")


@dataclass(frozen=True)
class NicSpec:
    uuid: str
    mac: str
    network: str
    segment: str = ""
    ip: str = ""
    device_id: int = 0
    security_groups: bool = False

    def __post_init__(self) -> None:
        must_be_uuid("nic.uuid", self.uuid)
        must_be_uuid("nic.network", self.network)
        if not MAC.fullmatch(self.mac.lower()):
            raise Invalid(f"nic.mac: {self.mac!r} is no address of a card")
        if not SEGMENT.fullmatch(self.segment):
            raise Invalid(f"nic.segment: {self.segment!r} is no segment")

    @property
    def tap(self) -> str:
        """The name of its end on the host: known before it is plugged, the same after a restart or a migration."""
        return tap_of(self.uuid)


def tap_of(nic: str) -> str:
    return f"t{nic.replace('-', '')[:14]}"


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
    kind: str = ""  # "router": one of a network, which has no disks

    def __post_init__(self) -> None:
        must_be_uuid("vm.uuid", self.uuid)
        if self.kind not in ("", "router"):
            raise Invalid(f"vm.kind: this host has no machines of the kind {self.kind!r}")
        if self.name and not NAME.fullmatch(self.name):
            raise Invalid(f"vm.name: {self.name!r} is not made of letters, digits, dots and dashes")
        if not 0 < self.cpus <= 1024 or not 0 < self.memory_mib <= 1 << 24 or not 0 <= self.speed_mhz <= 1 << 20:
            raise Invalid("vm: cpus, memory_mib or speed_mhz are not possible")
        for what, ids in (("disks", [d.uuid for d in self.disks]), ("nics", [n.uuid for n in self.nics])):
            if len(set(ids)) != len(ids):
                raise Invalid(f"vm.{what}: one is there twice")
