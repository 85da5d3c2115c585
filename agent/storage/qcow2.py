"""What a qcow2 file says of itself, read by us: QEMU opens the files that a header names before it says so."""

import struct
from dataclasses import dataclass

MAGIC = b"QFI\xfb"
HEAD = struct.Struct(">4sIQIIQIIQQIIQ")  # up to and with the place of snapshots
FEATURES = struct.Struct(">QQQII")
CORRUPT, EXTERNAL_DATA = 1 << 1, 1 << 2
KNOWN = 1 << 0 | CORRUPT | EXTERNAL_DATA | 1 << 3 | 1 << 4
DATA_FILE = 0x44415441  # an extension: the name of another file
NEEDED = 64 << 10  # bytes of the beginning that hold all of it in images that are made properly


class NotQcow2(Exception):
    """Or one that we do not read; the text says why."""


@dataclass(frozen=True)
class Header:
    size: int  # bytes that a machine sees
    backing: str
    is_external: bool
    is_encrypted: bool
    is_corrupt: bool


def parse(data: bytes) -> Header:
    if len(data) < HEAD.size or not data.startswith(MAGIC):
        raise NotQcow2("it does not begin as a qcow2 image")
    _, version, at, length, cluster_bits, size, crypt, *_ = HEAD.unpack_from(data)
    if version not in (2, 3) or not 9 <= cluster_bits <= 21:
        raise NotQcow2(f"it is of version {version} with clusters of 2^{cluster_bits}")
    features, header = 0, 72
    if version == 3:
        if len(data) < HEAD.size + FEATURES.size:
            raise NotQcow2("it is cut off")
        features, _, _, _, header = FEATURES.unpack_from(data, HEAD.size)
    if features & ~KNOWN:
        raise NotQcow2(f"it needs features that are not known: {features:#x}")
    external = bool(features & EXTERNAL_DATA) or DATA_FILE in _extensions(data, header)
    return Header(size, _backing(data, at, length), external, crypt != 0, bool(features & CORRUPT))


def _backing(data: bytes, at: int, length: int) -> str:
    if not at:
        return ""
    if length > 1023 or at + length > len(data):
        raise NotQcow2("the name of its backing file lies outside of its beginning")
    return data[at : at + length].decode("utf-8", "surrogateescape")


def _extensions(data: bytes, at: int) -> set[int]:
    found: set[int] = set()
    while at + 8 <= len(data):
        kind, length = struct.unpack_from(">II", data, at)
        if not kind:
            break
        found.add(kind)
        at += 8 + (length + 7) // 8 * 8
    return found
