"""The bridges of a host: what must be there, what differs, and the commands that make it so.

``plan`` is pure; ``Network.ensure`` looks, plans and acts. Only links whose names are of our scheme are changed or
removed, with one exception: a network card becomes a port of our bridge for untagged traffic if it has no address and
no other bridge has it.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.net.layout import VXLAN, Segment
from agent.net.names import Names
from agent.net.tools import Tools
from agent.state.errors import Failed, Invalid
from agent.state.locks import locked

OVERHEAD = 50  # of VXLAN over IPv4
BRIDGE = "type bridge forward_delay 0 stp_state 0 mcast_snooping 0"
MEMBERSHIPS = Path("/proc/sys/net/ipv4/igmp_max_memberships")  # of all multicast VXLANs, for they share a socket
SPARE = 64
FLOOD = "00:00:00:00:00:00"
WAIT = 10.0


@dataclass(frozen=True)
class Link:
    """What the kernel says of one link."""

    name: str
    kind: str = ""
    master: str = ""
    mtu: int = 0
    up: bool = False
    tunnel: str = ""  # the words that would make it, for VXLAN and VLAN
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    links: tuple[str, ...] = ()  # lines for ``ip``
    flood: tuple[str, ...] = ()  # lines for ``bridge``: where frames for everybody go without multicast
    kept: tuple[str, ...] = ()  # not wanted any more, but something is plugged into it

    def __bool__(self) -> bool:
        return bool(self.links or self.flood)


Links = Mapping[str, Link]
Remotes = Mapping[str, frozenset[str]]  # of each VXLAN device


def plan(names: Names, segments: Iterable[Segment], links: Links, remotes: Remotes, *, prune: bool) -> Plan:
    """``prune``: the segments are all that is wanted; else only these are made to be there."""
    wanted = sorted(set(segments), key=str)
    _check(wanted)
    lines = [line for segment in wanted for line in _segment(names, segment, links)]
    flood = [line for segment in wanted for line in _flood(names, segment, links, remotes)]
    gone, kept = _surplus(names, wanted, links) if prune else ([], [])
    return Plan((*lines, *gone), tuple(flood), tuple(kept))


def _check(segments: list[Segment]) -> None:
    numbers: dict[int | None, Segment] = {}
    for segment in segments:
        if segment.isolation == VXLAN and numbers.setdefault(segment.number, segment) != segment:
            raise Invalid(f"segment: VXLAN {segment.number} is wanted on two physical networks of one host")


def bridge_of(names: Names, segment: Segment, links: Links) -> str:
    """Where to plug into the segment: our bridge, or the operator's own if the device is one and no number is given."""
    device = links.get(segment.physical.device)
    if segment.number is None and device is not None and device.kind == "bridge":
        return device.name
    return names.bridge(segment)


def mtu_of(segment: Segment, links: Links) -> int:
    return _device(segment, links).mtu - (OVERHEAD if segment.isolation == VXLAN else 0)


def _device(segment: Segment, links: Links) -> Link:
    device = links.get(segment.physical.device)
    if device is None:
        raise Failed(f"physical network {segment.physical.label!r}: this host has no {segment.physical.device}")
    return device


def _segment(names: Names, segment: Segment, links: Links) -> Iterator[str]:
    bridge, mtu = bridge_of(names, segment, links), mtu_of(segment, links)
    if bridge == segment.physical.device:
        return
    yield from _bridge(bridge, mtu, links)
    if segment.number is None:
        yield from _enslave(bridge, segment, links)
    else:
        yield from _tunnel(names.tunnel(segment), bridge, mtu, segment, links)


def _bridge(name: str, mtu: int, links: Links) -> Iterator[str]:
    there = links.get(name)
    if there is None:
        yield f"link add {name} {BRIDGE}"
        yield f"link set {name} addrgenmode none"  # guests find no host at the other end
        there = Link(name)
    if there.mtu != mtu:
        yield f"link set {name} mtu {mtu}"
    if not there.up:
        yield f"link set {name} up"


def _enslave(bridge: str, segment: Segment, links: Links) -> Iterator[str]:
    device = _device(segment, links)
    label = segment.physical.label
    if device.master not in ("", bridge):
        raise Failed(f"physical network {label!r}: {device.name} is a port of {device.master}; name that instead")
    if not device.master and device.addresses:
        raise Failed(f"physical network {label!r}: {device.name} has an address; put it into a bridge and name that")
    if not device.master:
        yield f"link set {device.name} master {bridge}"
    if not device.up:
        yield f"link set {device.name} up"


def _tunnel(name: str, bridge: str, mtu: int, segment: Segment, links: Links) -> Iterator[str]:
    words, there = _tunnel_words(segment, links), links.get(name)
    if there is not None and there.tunnel != words:
        yield f"link del {name}"
        there = None
    if there is None:
        yield f"link add {words.replace('type', f'name {name} type', 1)}"
        yield f"link set {name} addrgenmode none"
        there = Link(name)
    if there.mtu != mtu:
        yield f"link set {name} mtu {mtu}"
    if there.master != bridge:
        yield f"link set {name} master {bridge}"
    if not there.up:
        yield f"link set {name} up"


def _tunnel_words(segment: Segment, links: Links) -> str:
    if segment.isolation != VXLAN:
        return _vlan_words(segment.number or 0, segment.physical.device)
    place = segment.physical
    number = segment.number or 0
    group = "" if place.remotes else f" group 239.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    local = place.local or (_own_address(segment, links) if place.remotes else "")
    return _vxlan_words(number, place.device, place.port, group.strip(), f"local {local}" if local else "")


def _own_address(segment: Segment, links: Links) -> str:
    """Of the card that carries the tunnel; the first."""
    for address in _device(segment, links).addresses:
        return address
    raise Failed(f"physical network {segment.physical.label!r}: {segment.physical.device} has no address for a VXLAN")


def _vlan_words(number: int, device: str) -> str:
    return f"link {device} type vlan id {number}"


def _vxlan_words(number: int, device: str, port: int, *rest: str) -> str:
    return " ".join([f"type vxlan id {number} dev {device} dstport {port} ttl 10", *filter(None, rest)])


def _flood(names: Names, segment: Segment, links: Links, remotes: Remotes) -> Iterator[str]:
    if segment.isolation != VXLAN or not segment.physical.remotes:
        return
    name = names.tunnel(segment)
    there = links.get(name)
    fresh = there is None or there.tunnel != _tunnel_words(segment, links)
    known = frozenset[str]() if fresh else remotes.get(name, frozenset())
    wanted = frozenset(segment.physical.remotes)
    for remote in sorted(wanted - known):
        yield f"fdb append {FLOOD} dev {name} dst {remote}"
    for remote in sorted(known - wanted):
        yield f"fdb del {FLOOD} dev {name} dst {remote}"


def _surplus(names: Names, wanted: list[Segment], links: Links) -> tuple[list[str], list[str]]:
    """What goes, and what stays although nobody wants it, because something is still plugged in."""
    stay = {names.bridge(segment) for segment in wanted}
    stay |= {names.tunnel(segment) for segment in wanted if segment.number is not None}
    lines, kept = [], []
    for bridge in sorted(name for name in links if names.bridges.fullmatch(name) and name not in stay):
        ports = {link.name for link in links.values() if link.master == bridge}
        outward = {name for name in ports if names.tunnels.fullmatch(name) or names.is_card(bridge, name)}
        stay |= outward
        if ports > outward:
            kept.append(bridge)
            continue
        lines += [_unplug(names, name) for name in sorted(outward)] + [f"link del {bridge}"]
    lines += [f"link del {name}" for name in sorted(links) if names.tunnels.fullmatch(name) and name not in stay]
    return lines, kept


def _unplug(names: Names, name: str) -> str:
    return f"link del {name}" if names.tunnels.fullmatch(name) else f"link set {name} nomaster"


@dataclass(frozen=True)
class Plug:
    """Where something is plugged into a segment."""

    bridge: str
    mtu: int


class Bridges:
    """Makes it so, on the host that we are on. ``grace``: seconds for which a segment stays that was asked for by
    ``add``, for what is to be plugged in there may be on its way.
    """

    def __init__(self, names: Names, lock: Path, grace: float = 0.0):
        self.names, self.lock, self.grace = names, lock, grace
        self._added: dict[Segment, float] = {}

    def ensure(self, segments: Iterable[Segment], *, until: float = float("inf")) -> Plan:
        """Exactly these segments; what was done. Repeating it does nothing."""
        with locked(self.lock, wait=WAIT) as lock:
            tools = Tools(lock, until)
            self._added = {one: when for one, when in self._added.items() if when + self.grace > time.monotonic()}
            return self._carry_out([*segments, *self._added], look(tools), tools, prune=True)

    def add(self, segments: Iterable[Segment], *, until: float = float("inf")) -> dict[Segment, Plug]:
        """At least these segments, and where to plug into each."""
        wanted = list(segments)
        with locked(self.lock, wait=WAIT) as lock:
            tools = Tools(lock, until)
            self._added |= dict.fromkeys(wanted, time.monotonic())
            links = look(tools, self._concerned(wanted))
            self._carry_out(wanted, links, tools, prune=False)
            return self._plugs(wanted, links)

    def plugs(self, segments: Iterable[Segment], *, until: float = float("inf")) -> dict[Segment, Plug]:
        """The same without making anything."""
        wanted = list(segments)
        return self._plugs(wanted, look(Tools(until=until), self._concerned(wanted)))

    def _carry_out(self, wanted: list[Segment], links: Links, tools: Tools, *, prune: bool) -> Plan:
        found = plan(self.names, wanted, links, _remotes(tools, self.names, wanted), prune=prune)
        if found:
            _allow_memberships(tools, wanted)
            tools.batch("ip", found.links)
            tools.batch("bridge", found.flood)
        return found

    def _plugs(self, wanted: list[Segment], links: Links) -> dict[Segment, Plug]:
        return {segment: Plug(bridge_of(self.names, segment, links), mtu_of(segment, links)) for segment in wanted}

    def _concerned(self, wanted: list[Segment]) -> list[str]:
        devices = {segment.physical.device for segment in wanted}
        return sorted(devices | {name for one in wanted for name in (self.names.bridge(one), self.names.tunnel(one))})


def _allow_memberships(tools: Tools, wanted: list[Segment]) -> None:
    """The kernel's default is twenty: the twenty-first network would have no way out of the host."""
    if not any(segment.isolation == VXLAN for segment in wanted):
        return
    there = tools.ask(["link show type vxlan"])
    needed = len(wanted) + sum(map(len, there)) + SPARE
    if int(MEMBERSHIPS.read_text()) < needed:
        MEMBERSHIPS.write_text(f"{needed * 2}\n")


def look(tools: Tools, names: Iterable[str] | None = None) -> dict[str, Link]:
    """All links of the host, or those of these names that are there."""
    lines = ["address show"] if names is None else [f"address show dev {name}" for name in names]
    return {row["ifname"]: _link(row) for rows in tools.ask(lines) for row in rows}


def _link(row: dict[str, Any]) -> Link:
    kind = row.get("linkinfo", {}).get("info_kind", "")
    data = row.get("linkinfo", {}).get("info_data", {})
    tunnel = ""
    if kind == "vlan":
        tunnel = _vlan_words(data["id"], row.get("link", ""))
    elif kind == "vxlan":
        rest = [f"{word} {data[word]}" for word in ("group", "local") if word in data]
        tunnel = _vxlan_words(data["id"], data.get("link", ""), data["port"], *rest)
    addresses = [one["local"] for one in row["addr_info"] if one["family"] == "inet" and one.get("scope") == "global"]
    up = "UP" in row["flags"]
    return Link(row["ifname"], kind, row.get("master", ""), row["mtu"], up, tunnel, tuple(addresses))


def _remotes(tools: Tools, names: Names, segments: list[Segment]) -> dict[str, frozenset[str]]:
    if not any(segment.physical.remotes for segment in segments):
        return {}
    found: dict[str, set[str]] = {}
    for row in json.loads(tools.run("bridge", "-j", "fdb", "show") or "[]"):
        if row.get("mac") == FLOOD and "dst" in row and names.tunnels.fullmatch(row["ifname"]):
            found.setdefault(row["ifname"], set()).add(row["dst"])
    return {name: frozenset(each) for name, each in found.items()}
