"""ARP by hand: telling neighbours who has an address now, and asking whether one is there."""

import socket
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address

TYPE, REQUEST, REPLY = 0x0806, 1, 2
BROADCAST = b"\xff" * 6
HEAD = struct.Struct("!HHBBH")
PATIENCE = 1.0


def request(mac: bytes, own: IPv4Address, asked: IPv4Address) -> bytes:
    """A frame for everybody on the link."""
    body = HEAD.pack(1, 0x0800, 6, 4, REQUEST) + mac + own.packed + b"\0" * 6 + asked.packed
    return BROADCAST + mac + struct.pack("!H", TYPE) + body


def announce(link: str, mac: str, ips: Iterable[str]) -> None:
    """Neighbours may remember the router that had an address before. A courtesy: a link that is down is no failure."""
    own = bytes.fromhex(mac.replace(":", ""))
    with suppress(OSError), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as line:
        line.bind((link, TYPE))
        for ip in map(IPv4Address, ips):
            line.send(request(own, ip, ip))


def answers(link: str, own: IPv4Address, asked: IPv4Address) -> bool:
    """Is somebody at this address? Asked in the namespace that we are in."""
    until = time.monotonic() + PATIENCE
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(TYPE)) as line:
        line.bind((link, TYPE))
        line.send(request(line.getsockname()[4], own, asked))
        while (left := until - time.monotonic()) > 0:
            line.settimeout(left)
            with suppress(TimeoutError):
                frame = line.recv(64)
                if HEAD.unpack_from(frame, 14)[4] == REPLY and frame[28:32] == asked.packed:
                    return True
    return False
