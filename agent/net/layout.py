"""What physical networks a host has, and which segment of them something is plugged into.

``{"physical": {"LABEL": {"device": "eth2", "isolation": "vxlan", "remotes": ["10.98.0.12"]}, ...}, "guest": "LABEL",
"public": "LABEL"}``: guest and public traffic that names no label of its own takes these.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.state.errors import Invalid
from agent.strict import Reader, address, integer, many, one_of, optional, text

VLAN, VXLAN = "vlan", "vxlan"
HIGHEST = {VLAN: 4094, VXLAN: 16_777_215}
DEVICE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
SEGMENT = re.compile(r"(?:(vlan|vxlan):(?://)?)?(untagged|[0-9]{1,8})", re.IGNORECASE)


@dataclass(frozen=True)
class Physical:
    """A network card, or a bridge that the operator made on one. ``remotes`` are the other hosts, where the underlay of
    a VXLAN carries no multicast.
    """

    label: str
    device: str
    isolation: str = VLAN
    remotes: tuple[str, ...] = ()
    local: str = ""
    port: int = 4789


@dataclass(frozen=True)
class Segment:
    """What keeps networks on one physical network apart; without a number it is the untagged one."""

    physical: Physical
    number: int | None = None

    @property
    def isolation(self) -> str:
        return "" if self.number is None else self.physical.isolation

    def __str__(self) -> str:
        return f"{self.physical.label}: {self.isolation} {self.number}" if self.number else self.physical.label


@dataclass(frozen=True)
class Layout:
    physical: Mapping[str, Physical]
    guest: str
    public: str

    @classmethod
    def read(cls, value: Any) -> "Layout":
        reader = Reader(value)
        labels = Reader(reader.take("physical", lambda given, at: Reader(given, at).rest), "physical")
        physical = {label: _physical(label, labels.rest[label], f"physical.{label}") for label in labels.rest}
        found = cls(physical, reader.take("guest", text), reader.take("public", text))
        reader.end()
        found._named(found.guest, "guest")
        found._named(found.public, "public")
        return found

    def guest_segment(self, segment: str, label: str = "", at: str = "segment") -> Segment:
        return _segment(self._named(label or self.guest, at), segment, at)

    def public_segment(self, vlan: str, label: str = "", at: str = "vlan") -> Segment:
        return _segment(self._named(label or self.public, at), vlan, at)

    def _named(self, label: str, at: str) -> Physical:
        if label not in self.physical:
            raise Invalid(f"{at}: this host has no physical network {label!r}")
        return self.physical[label]


def _segment(physical: Physical, words: str, at: str) -> Segment:
    """ "", "untagged", "101", "vlan://101" or "vxlan:1001"."""
    if not words:
        return Segment(physical)
    found = SEGMENT.fullmatch(words)
    if not found:
        raise Invalid(f"{at}: {words!r} is no segment")
    kind, number = (found[1] or "").lower(), found[2]
    if not number.isdecimal():
        return Segment(physical)
    if kind and kind != physical.isolation:
        raise Invalid(f"{at}: physical network {physical.label!r} is kept apart by {physical.isolation}, not by {kind}")
    if not 1 <= int(number) <= HIGHEST[physical.isolation]:
        raise Invalid(f"{at}: {number} is no number of a {physical.isolation}")
    return Segment(physical, int(number))


def _physical(label: str, value: Any, at: str) -> Physical:
    reader = Reader(value, at)
    found = Physical(
        label,
        reader.take("device", _device),
        reader.take("isolation", one_of(VLAN, VXLAN), VLAN),
        tuple(str(one) for one in reader.take("remotes", many(address), ())),
        str(reader.take("local", optional(address), None) or ""),
        reader.take("port", integer(1, 65535), 4789),
    )
    reader.end()
    return found


def _device(value: Any, at: str) -> str:
    if not DEVICE.fullmatch(text(value, at)) or value in (".", ".."):
        raise Invalid(f"{at}: {value!r} is no name of a network card")
    return str(value)
