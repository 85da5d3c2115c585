"""What the beginning of an image says: how large its disk is, and that it is what it is said to be.

Hosts look again, and closer, before they use it; here it is for who registered it to read what is wrong with it.
"""

import struct
from pathlib import Path

from apps.images.fetch import FetchError

SECTOR = 512
QCOW2 = struct.Struct(">4sIQIIQI")  # magic, version, backing file: where and how long, cluster bits, size, encryption
INCOMPATIBLE = struct.Struct(">Q")  # features, of version 3: after 72 bytes
DIRTY, COMPRESSION, SUBCLUSTERS = 1 << 0, 1 << 3, 1 << 4
FOREIGN = {
    b"QFI\xfb": "qcow2",
    b"KDMV": "vmdk",
    b"conectix": "vhd",
    b"vhdxfile": "vhdx",
    b"\x1f\x8b": "gz",
    b"BZh": "bz2",
    b"\xfd7zXZ\0": "xz",
}


def virtual_size(path: Path, form: str) -> int:
    """In bytes; raises FetchError if the file is no image of this format."""
    with path.open("rb") as file:
        head = file.read(4096)
    if form == "QCOW2":
        return _qcow2(head)
    size = path.stat().st_size
    if form == "RAW":
        if name := next((name for mark, name in FOREIGN.items() if head.startswith(mark)), ""):
            raise FetchError(f"the file is a {name} image, not RAW")
        if not size or size % SECTOR:
            raise FetchError(f"the file has {size} bytes, which are no whole sectors")
    return size


def _qcow2(head: bytes) -> int:
    if len(head) < 104 or not head.startswith(b"QFI\xfb"):
        raise FetchError("the file is no QCOW2 image")
    _, version, backing, _, _, size, encryption = QCOW2.unpack_from(head)
    features = INCOMPATIBLE.unpack_from(head, 72)[0] if version == 3 else 0
    if version not in (2, 3) or features & ~(DIRTY | COMPRESSION | SUBCLUSTERS):
        raise FetchError("the image is of a kind of QCOW2 that is not taken here")
    if backing:
        raise FetchError("the image is based on another file")
    if encryption:
        raise FetchError("the image is encrypted")
    if not size or size % SECTOR:
        raise FetchError(f"the disk of the image has {size} bytes, which are no whole sectors")
    return int(size)
