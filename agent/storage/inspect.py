"""Is this what it is said to be? Looked at by us first; what we let pass QEMU opens with limits, told the format."""

from pathlib import Path

from agent.http.errors import Refused
from agent.storage import qcow2, qemu_img
from agent.storage.sources import Source

FORMATS = {"QCOW2": "qcow2", "RAW": "raw", "ISO": "raw"}
ISO_MARKS = {b"CD001", b"BEA01"}  # ISO 9660, UDF
ISO_AT = 32769
FOREIGN = {
    b"QFI\xfb": "qcow2",
    b"KDMV": "vmdk",
    b"COWD": "vmdk",
    b"# Disk DescriptorFile": "vmdk",
    b"conectix": "vhd",
    b"vhdxfile": "vhdx",
    b"<<< ": "vdi",
    b"QED\0": "qed",
    b"WithoutFreeSpace": "parallels",
    b"WithouFreSpacExt": "parallels",
    b"\x1f\x8b": "gz",
    b"BZh": "bz2",
    b"\xfd7zXZ\0": "xz",
    b"PK\x03\x04": "zip",
}
SECTOR = 512


def check(path: Path, format: str, max_virtual: int) -> tuple[Source, int]:
    """How QEMU reads it, and the bytes that a machine will see."""
    kind = FORMATS.get(format.upper())
    if kind is None:
        raise Refused(f"images of format {format or '(none)'} are not for this hypervisor; {', '.join(FORMATS)} are")
    with path.open("rb") as file:
        head = file.read(qcow2.NEEDED)
    source = Source("file", str(path), kind)
    size = _qcow2(head) if kind == "qcow2" else _raw(path, head, format.upper())
    if not 0 < size <= max_virtual:
        raise Refused(f"the image is of {size} bytes, and may have {max_virtual}")
    told = qemu_img.info(source)
    if told.get("format") != kind or told.get("virtual-size", 0) < size:
        raise Refused("the image is not what its beginning says")
    return source, size


def _qcow2(head: bytes) -> int:
    try:
        header = qcow2.parse(head)
    except qcow2.NotQcow2 as error:
        raise Refused(f"the image is no qcow2 image: {error}") from error
    if header.backing:
        raise Refused("the image refers to another file, on which it is based")
    if header.is_external:
        raise Refused("the image refers to another file, which has its data")
    if header.is_encrypted or header.is_corrupt:
        raise Refused("the image is encrypted" if header.is_encrypted else "the image is marked as corrupt")
    return header.size


def _raw(path: Path, head: bytes, format: str) -> int:
    if foreign := next((name for mark, name in FOREIGN.items() if head.startswith(mark)), ""):
        raise Refused(f"the image is {foreign}, not {format}")
    size = path.stat().st_size
    if format == "ISO":
        if head[ISO_AT : ISO_AT + 5] not in ISO_MARKS:
            raise Refused("the image is no ISO")
    elif size % SECTOR:
        raise Refused(f"the image has {size} bytes, which are no whole sectors")
    return size
