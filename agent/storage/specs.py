"""What the manager says of disks: the frozen dataclasses of its drivers, as JSON. What of it becomes a name or a path
is checked here.
"""

from dataclasses import dataclass, field

from agent.http.calls import is_uuid
from agent.http.errors import Invalid

MOST = 1 << 60


def must_be_uuid(what: str, text: str) -> None:
    if not is_uuid(text):
        raise Invalid(f"{what}: {text!r} is no uuid")


@dataclass(frozen=True)
class PoolSpec:
    uuid: str
    type: str = ""
    url: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        must_be_uuid("pool.uuid", self.uuid)


@dataclass(frozen=True)
class PoolStats:
    size: int
    used: int


@dataclass(frozen=True)
class ImageSpec:
    uuid: str
    url: str
    format: str = ""
    size: int = 0
    checksum: str = ""

    def __post_init__(self) -> None:
        must_be_uuid("image.uuid", self.uuid)


@dataclass(frozen=True)
class DiskSpec:
    uuid: str
    size: int
    device_id: int | None = None
    pool: PoolSpec | None = None
    image: ImageSpec | None = None

    def __post_init__(self) -> None:
        must_be_uuid("disk.uuid", self.uuid)
        if not 0 < self.size < MOST or self.size % 512:
            raise Invalid(f"disk.size: {self.size} bytes are no size of a disk, which has sectors of 512")
        if self.device_id is not None and not 0 <= self.device_id < 64:
            raise Invalid(f"disk.device_id: {self.device_id} is not from 0 to 63")


@dataclass(frozen=True)
class ImageRules:
    max_bytes: int
    max_virtual_bytes: int
    allowed: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoredImage:
    stored_bytes: int
    virtual_bytes: int
    format: str
    checksum: str = ""
