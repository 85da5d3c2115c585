"""Health checks of a router, under the names that CloudStack gives to them, each done as a guest or the outside would
see it.
"""

import os
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import VERSION
from agent.router import arp, dnsmasq, filter, rules, space
from agent.router.document import Document
from agent.router.metadata.service import sockets
from agent.router.uplinks import uplinks
from agent.state.errors import Failed

if TYPE_CHECKING:
    from agent.router.router import Router

BASIC, ADVANCED = "basic", "advanced"
PATIENCE = 1.0
FULL = 0.95
DNS_PORT, DHCP_PORT = 53, 67


@dataclass(frozen=True)
class Check:
    name: str
    kind: str
    success: bool
    details: str = ""

    def answer(self) -> dict[str, Any]:
        return {"checkname": self.name, "checktype": self.kind, "success": self.success, "details": self.details}


class Wrong(Exception):
    """A check that found something; the text is for operators."""


def checks(router: "Router", document: Document) -> list[Check]:
    return [_carried_out(name, kind, check) for name, kind, check in _wanted(router, document)]


def _carried_out(name: str, kind: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, kind, True, check())
    except (Wrong, Failed, OSError) as error:
        return Check(name, kind, False, str(error))


def _wanted(router: "Router", document: Document) -> Iterator[tuple[str, str, Callable[[], str]]]:
    if document.has("Dns"):
        yield "dns_check.py", BASIC, lambda: space.inside(router.where, lambda: _dns(document))
    if document.has("Dhcp"):
        yield "dhcp_check.py", BASIC, lambda: _dhcp(router, document)
    if document.has("UserData"):
        yield "webserver_check.py", BASIC, lambda: space.inside(router.where, lambda: _web(document))
    if document.public:
        yield "gateways_check.py", ADVANCED, lambda: space.inside(router.where, lambda: _gateways(document))
    yield "iptables_check.py", ADVANCED, lambda: _rules(router, document)
    yield "disk_space_check.py", ADVANCED, lambda: _disk(router.folder)
    yield "memory_usage_check.py", ADVANCED, lambda: _memory(router)
    yield "cpu_usage_check.py", ADVANCED, _load
    yield "router_version_check.py", ADVANCED, lambda: f"version {VERSION}"


def _dns(document: Document) -> str:
    name, address = dnsmasq.resolvable(document)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = struct.pack("!HHHHHH", 0x5A5A, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(PATIENCE)
        line.sendto(question, (str(document.router_ip), DNS_PORT))
        answer = line.recv(512)
    if answer[:2] != question[:2] or not answer.endswith(address.packed):
        raise Wrong(f"{name} does not resolve to {address}")
    return ""


def _dhcp(router: "Router", document: Document) -> str:
    rendered = dnsmasq.render(document, router.folder, 0)
    if rendered is None or not router.daemon.is_running():
        raise Wrong("the DHCP server does not run")
    if router.daemon.reservations() != rendered.reservations:
        raise Wrong("the reservations are not those of the network")
    return ""


def _web(document: Document) -> str:
    """A stranger, as the router itself is, is told that there is nothing for him: that it is said is what counts."""
    for name in sockets(document):
        ip, _, port = name.rpartition(":")
        with socket.create_connection((ip, int(port)), timeout=PATIENCE) as line:
            line.sendall(b"GET / HTTP/1.0\r\n\r\n")
            if not line.recv(64).startswith(b"HTTP/1.0 4"):
                raise Wrong(f"no answer at {name}")
    return ""


def _gateways(document: Document) -> str:
    """By ARP: many do not answer a ping, and a question of ours shall not be counted as the tenant's traffic."""
    silent = [
        str(way.gateway) for way in uplinks(document.public) if not arp.answers(way.link, way.ips[0], way.gateway)
    ]
    if silent:
        raise Wrong(f"no answer from {', '.join(silent)}")
    return ""


def _rules(router: "Router", document: Document) -> str:
    if filter.differs(router.tools, router.where, router.folder, rules.render(document)):
        raise Wrong("the rules in force are not those of the network")
    return ""


def _disk(folder: Path) -> str:
    found = os.statvfs(folder)
    used = 1 - found.f_bavail / found.f_blocks
    if used > FULL:
        raise Wrong(f"{used:.0%} of the disk is used")
    return f"{found.f_bavail * found.f_frsize >> 20} MiB free"


def _memory(router: "Router") -> str:
    """Of the router's own processes; the metadata process is the host's."""
    used = sum(_resident(pid) for pid in space.pids(router.where))
    available = _available()
    if not available:
        raise Wrong("no memory is free")
    return f"{used >> 10} KiB used by the router, {available >> 20} MiB free"


def _resident(pid: int) -> int:
    try:
        words = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0
    return int(words[1]) * os.sysconf("SC_PAGE_SIZE")


def _available() -> int:
    rows = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(rows["MemAvailable"].split()[0]) << 10


def _load() -> str:
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    return f"load {load:.2f} on {cores} cores"
