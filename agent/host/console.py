"""The screens of machines."""

import base64
import struct
import time
import zlib
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from agent.host.domain_xml import Screen, graphics
from agent.host.link import Link
from agent.host.live import Live
from agent.host.machines import password
from agent.http.errors import Refused
from agent.http.keys import Deadline

GOOD_FOR = 60  # seconds in which a password opens a connection; one that is open stays
MOST = 64 << 20


@dataclass(frozen=True)
class ConsoleAddress:
    host: str
    port: int
    password: str
    seconds: int = 0


class Console:
    def __init__(self, link: Link, live: Live, listen: str):
        self._link, self._live, self._listen = link, live, listen

    def address(self, vm: str, deadline: Deadline) -> ConsoleAddress:
        screen = self._live.get(vm, deadline).xml.find("devices/graphics[@type='vnc']")
        port = "" if screen is None else screen.get("port", "")
        if not port.isdecimal():
            raise Refused(f"machine {vm} has no screen")
        ticket, until = password(), time.gmtime(time.time() + GOOD_FOR)
        root = graphics(Screen(self._listen, ticket), time.strftime("%Y-%m-%dT%H:%M:%S", until))
        root.set("port", port)
        libvirt = self._link.libvirt
        with self._link.asking(deadline, changes=True) as connection:
            domain = connection.lookupByUUIDString(vm)
            domain.updateDeviceFlags(ET.tostring(root, encoding="unicode"), libvirt.VIR_DOMAIN_AFFECT_LIVE)
        return ConsoleAddress(self._listen, int(port), ticket, GOOD_FOR)

    def screenshot(self, vm: str, deadline: Deadline) -> str:
        """PNG, as base64."""
        self._live.get(vm, deadline)
        with self._link.asking(deadline) as connection:
            stream = connection.newStream()
            kind = connection.lookupByUUIDString(vm).screenshot(stream, 0)
            data = bytearray()
            stream.recvAll(_collect, data)
            stream.finish()
        return base64.b64encode(bytes(data) if kind == "image/png" else png_of(bytes(data))).decode()


def _collect(stream: Any, data: bytes, found: bytearray) -> int:
    if len(found) + len(data) > MOST:
        return -1
    found += data
    return len(data)


def png_of(ppm: bytes) -> bytes:
    """What older QEMUs give is a pixmap: P6, width, height, 255, and the bytes of the pixels."""
    try:
        magic, size_x, size_y, depth, pixels = ppm.split(maxsplit=4) if ppm else [b""] * 5
        if magic != b"P6" or depth != b"255":
            raise ValueError(magic)
        width, height = int(size_x), int(size_y)
    except ValueError:
        raise Refused("the picture of the screen is none that is known") from None
    start = len(ppm) - 3 * width * height  # a pixel may look like a blank
    rows = (ppm[start + 3 * width * y : start + 3 * width * (y + 1)] for y in range(height))
    image = zlib.compress(b"".join(b"\0" + row for row in rows))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", image), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_part(kind, data) for kind, data in parts)


def _part(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
