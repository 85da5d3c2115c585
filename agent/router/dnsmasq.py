"""DHCP and DNS of a router: one dnsmasq. It is restarted when its configuration differs, else it reads its lists again.

The name of the configuration file has a digest of it and the number of the guest card: the command line of the process
says what it runs with, and on which card it has its sockets.
"""

import os
import pwd
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address
from pathlib import Path

from agent.net.tools import Tools
from agent.router import space
from agent.router.document import Document
from agent.router.rules import GUEST
from agent.state import files

LEASE = "24h"
WITHHELD = "extra"  # the tag of cards over which no default route leads
USERS = ("dnsmasq", "nobody")


@dataclass(frozen=True)
class Rendered:
    """``reservations`` and ``names`` are lists that a running process reads again."""

    configuration: str
    reservations: str
    names: str

    @property
    def digest(self) -> str:
        return sha256(self.configuration.encode()).hexdigest()[:16]


def render(document: Document, folder: Path, mtu: int) -> Rendered | None:
    """None if the router serves neither DHCP nor DNS."""
    if not document.has("Dhcp", "Dns"):
        return None
    lines = [f"# at {document.router_ip}", *_common(folder), *_dns(document, folder), *_dhcp(document, folder, mtu)]
    return Rendered("".join(f"{line}\n" for line in lines), _reservations(document), _names(document))


def _common(folder: Path) -> Iterator[str]:
    yield from (f"interface={GUEST}", "except-interface=lo", "bind-interfaces", "no-hosts", "no-resolv", "no-poll")
    yield f"user={_user()}"
    yield f"pid-file={folder}/dnsmasq.pid"


def _user() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in USERS if name in known), "root")


def _dns(document: Document, folder: Path) -> Iterator[str]:
    if not document.has("Dns"):
        yield "port=0"
        return
    yield from ("domain-needed", "bogus-priv", f"addn-hosts={folder}/names")
    yield from (f"server={server}" for server in document.dns)
    if document.domain:
        yield from (f"domain={document.domain}", f"local=/{document.domain}/", "expand-hosts")


def _dhcp(document: Document, folder: Path, mtu: int) -> Iterator[str]:
    if not document.has("Dhcp"):
        return
    net = document.cidr
    yield f"dhcp-range={net.network_address},static,{net.netmask},{LEASE}"
    yield f"dhcp-hostsfile={folder}/reservations"
    yield f"dhcp-leasefile={folder}/leases"
    yield f"dhcp-lease-max={min(net.num_addresses, 1 << 16)}"
    yield from ("dhcp-authoritative", "dhcp-ignore=tag:!known", "quiet-dhcp", "dhcp-no-override")
    if document.domain and not document.has("Dns"):
        yield f"domain={document.domain}"
    yield f"dhcp-option=option:mtu,{mtu}"
    servers = [document.router_ip] if document.has("Dns") else document.dns
    told = {"router": str(document.gateway), "dns-server": ",".join(map(str, servers))}
    told |= {"domain-name": document.domain, "domain-search": document.domain}
    for option, value in told.items():
        if value:
            yield f"dhcp-option=tag:!{WITHHELD},option:{option},{value}"
        yield f"dhcp-option=tag:{WITHHELD},option:{option}"  # with no value: not sent


def _reservations(document: Document) -> str:
    return "".join(
        f"{card.mac},{'' if card.default else f'set:{WITHHELD},'}{card.ip},{card.name}\n" for card in document.dhcp
    )


def _names(document: Document) -> str:
    lines = [f"{document.router_ip} data-server", *(f"{card.ip} {card.name}" for card in document.dhcp)]
    return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True)
class Daemon:
    """The process of one router, in its folder and namespace."""

    folder: Path
    where: Path

    def configuration(self, rendered: Rendered) -> Path:
        return self.folder / f"dnsmasq-{rendered.digest}-{self.card()}.conf"

    def card(self) -> int:
        """The kernel's number of the guest card; another card of that name has another one."""
        try:
            return space.inside(self.where, lambda: socket.if_nametoindex(GUEST))
        except OSError:  # there is none yet
            return 0

    def pid(self, rendered: Rendered) -> int:
        """Of the process that runs with this configuration in this namespace; 0 if none does."""
        found = int(files.read(self.folder / "dnsmasq.pid") or 0)
        is_it = str(self.configuration(rendered)) in space.command(found) and space.is_in(found, self.where)
        return found if is_it else 0

    def verdict(self, rendered: Rendered | None, document: Document) -> str:
        """What has to be done: "", "reload", "restart" or "stop"."""
        if rendered is None:
            return "stop" if (self.folder / "dnsmasq.pid").exists() else ""
        if not self.pid(rendered) or self._outdated_leases(document):
            return "restart"
        same = self._list("reservations") == rendered.reservations and self._list("names") == rendered.names
        return "" if same else "reload"

    def carry_out(self, verdict: str, rendered: Rendered | None, document: Document, tools: Tools) -> None:
        if verdict in ("restart", "stop"):
            self.stop()
        if rendered is None or not verdict:
            return
        files.update(self.folder / "reservations", rendered.reservations.encode())
        files.update(self.folder / "names", rendered.names.encode())
        if verdict == "reload":
            os.kill(self.pid(rendered), signal.SIGHUP)
        else:
            self._start(rendered, document, tools)

    def stop(self) -> None:
        """Also one that an agent began to start before it was killed: two would answer one guest."""
        space.end(space.pids_of(f"dnsmasq --conf-file={self.folder}/dnsmasq-"))
        for path in (*self.folder.glob("dnsmasq-*.conf"), self.folder / "dnsmasq.pid"):
            path.unlink(missing_ok=True)

    def _start(self, rendered: Rendered, document: Document, tools: Tools) -> None:
        """Ready when it returns: dnsmasq's first process ends when its second one has its sockets."""
        self._drop_outdated_leases(document)
        path = self.configuration(rendered)
        files.replace(path, rendered.configuration.encode(), durable=False)
        tools.run("dnsmasq", f"--conf-file={path}", space=str(self.where))

    def is_running(self) -> bool:
        found = int(files.read(self.folder / "dnsmasq.pid") or 0)
        return f"{self.folder}/dnsmasq-" in space.command(found) and space.is_in(found, self.where)

    def looks_alive(self) -> bool:
        """It runs, or it was never started."""
        return self.is_running() or not any(self.folder.glob("dnsmasq-*.conf"))

    def reservations(self) -> str:
        return self._list("reservations")

    def _list(self, name: str) -> str:
        return (files.read(self.folder / name) or b"").decode()

    def leases(self) -> list[list[str]]:
        """Rows of expiry, MAC, address, name and client."""
        rows = (files.read(self.folder / "leases") or b"").decode(errors="replace").splitlines()
        return [words for words in (row.split() for row in rows) if len(words) >= 4]

    def _outdated_leases(self, document: Document) -> bool:
        """dnsmasq never gives an address to its new card while the old one's lease lasts."""
        return any(_is_outdated(row, document) for row in self.leases())

    def _drop_outdated_leases(self, document: Document) -> None:
        rows = self.leases()
        good = [row for row in rows if not _is_outdated(row, document)]
        if good != rows:
            text = "".join(" ".join(row) + "\n" for row in good)
            files.replace(self.folder / "leases", text.encode())


def _is_outdated(row: list[str], document: Document) -> bool:
    owner = {str(card.ip): card.mac for card in document.dhcp}.get(row[2])
    return owner is not None and owner != row[1].lower()


def resolvable(document: Document) -> tuple[str, IPv4Address]:
    """A name that this router must know, and its address."""
    return "data-server", document.router_ip
