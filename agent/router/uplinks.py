"""Public networks of a router. Each has its own gateway; several may share a VLAN."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from agent.router.document import PublicAddress


@dataclass(frozen=True)
class Uplink:
    """``mark`` is of packets that leave this way, 0 for the first one: that is the way of all that is not marked."""

    vlan: str
    gateway: IPv4Address
    net: IPv4Network
    ips: tuple[IPv4Address, ...]
    mark: int = 0

    @property
    def link(self) -> str:
        return link_name(self.vlan)

    @property
    def table(self) -> int:
        return 1000 + self.mark


def link_name(vlan: str) -> str:
    """Of the router's card in a VLAN: pub0 for the untagged one."""
    digits = "".join(letter for letter in vlan if letter.isdecimal())
    return f"pub{int(digits or 0)}"


def uplinks(addresses: Iterable[PublicAddress]) -> list[Uplink]:
    """The one of the source NAT address first, the others in an order that does not depend on that of the addresses."""
    groups: dict[tuple[str, IPv4Address, IPv4Network], list[PublicAddress]] = {}
    for public in addresses:
        groups.setdefault((link_name(public.vlan), public.gateway, public.net), []).append(public)
    ordered = sorted(groups.values(), key=lambda group: (not any(row.source_nat for row in group), _place(group[0])))
    return [
        Uplink(group[0].vlan, group[0].gateway, group[0].net, tuple(row.ip for row in group), number)
        for number, group in enumerate(ordered)
    ]


def _place(public: PublicAddress) -> tuple[str, IPv4Network, IPv4Address]:
    return link_name(public.vlan), public.net, public.gateway
