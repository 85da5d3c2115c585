"""Cards, addresses, routes of a router: what must be, what is, and the commands between the two. All of it is pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address

from agent.net.names import Names
from agent.net.segments import Plug
from agent.router.document import Document
from agent.router.rules import GUEST, METADATA
from agent.router.uplinks import Uplink, link_name, uplinks

OURS = 77  # the protocol number of routes that we made
SPECIFIC, FIRST_RULE = 1000, 2000  # preferences of ``ip rule``


@dataclass(frozen=True)
class Card:
    name: str
    cable: str
    plug: Plug
    mac: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Wiring:
    cards: tuple[Card, ...]
    routes: tuple[str, ...]
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """One card as the kernel tells of it; ``bridge`` is what its other end is in."""

    mac: str
    mtu: int
    up: bool
    addresses: tuple[str, ...]
    bridge: str = ""
    cable_mtu: int = 0
    cable_up: bool = False


@dataclass(frozen=True)
class Observed:
    cards: Mapping[str, Seen]
    cables: frozenset[str]
    loopback: bool = False
    routes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Steps:
    """Lines for ``ip``, first in the host, then in the router."""

    outside: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.outside or self.inside)


def wanted(names: Names, document: Document, plugs: Mapping[str, Plug]) -> Wiring:
    """``plugs`` by the name of the card: guest, pub0, pub101, ..."""
    ways = uplinks(document.public)
    cards = [_guest(names, document, plugs[GUEST])]
    links = dict.fromkeys(way.link for way in ways)
    cards += [_public(names, document, link, plugs[link], [way for way in ways if way.link == link]) for link in links]
    return Wiring(tuple(cards), tuple(sorted(_routes(document, ways))), tuple(sorted(_rules(ways))))


def card_names(document: Document) -> dict[str, str]:
    """VLAN of each public card."""
    return {link_name(public.vlan): public.vlan for public in document.public}


def _guest(names: Names, document: Document, plug: Plug) -> Card:
    addresses = (f"{document.router_ip}/{document.cidr.prefixlen}", f"{METADATA}/32")
    mac = document.own.guest_mac or _made_up_mac(document.network, GUEST)
    return Card(GUEST, names.cable(document.network, GUEST), plug, mac, addresses)


def _public(names: Names, document: Document, link: str, plug: Plug, ways: list[Uplink]) -> Card:
    addresses = tuple(f"{ip}/{way.net.prefixlen}" for way in ways for ip in way.ips)
    first = uplinks(document.public)[0].link
    mac = (document.own.public_mac if link == first else None) or _made_up_mac(document.network, link)
    return Card(link, names.cable(document.network, link), plug, mac, addresses)


def _made_up_mac(network: str, card: str) -> str:
    """The same wherever the router runs, so that neighbours need not learn it anew."""
    digest = sha256(f"{network} {card}".encode()).hexdigest()
    return ":".join(["02", *(digest[at : at + 2] for at in range(0, 10, 2))])


def _routes(document: Document, ways: list[Uplink]) -> Iterator[str]:
    if not ways and not document.is_gateway:
        yield _route(document.gateway, GUEST)
    for way in ways:
        yield _route(way.gateway, way.link, way.ips[0], way.table if way.mark else None)


def _route(gateway: IPv4Address, link: str, source: IPv4Address | None = None, table: int | None = None) -> str:
    words = f"default via {gateway} dev {link}"
    words += f" src {source}" if source else ""
    return f"{words} table {table}" if table else words


def _rules(ways: list[Uplink]) -> Iterator[str]:
    """What is near goes there by the main table; what is far by that of the uplink it belongs to."""
    others = [way for way in ways if way.mark]
    if others:
        yield f"pref {SPECIFIC} from all table main suppress_prefixlength 0"
    for way in others:
        yield f"pref {FIRST_RULE + way.mark} from all fwmark {way.mark:#x} table {way.table}"
        for ip in way.ips:
            yield f"pref {FIRST_RULE + way.mark} from {ip} table {way.table}"


def steps(space: str, wiring: Wiring, seen: Observed) -> Steps:
    """What brings ``seen`` nearer to ``wiring``; nothing if it is there. The kernel takes routes away with addresses
    and links, so that after these steps there may be others.
    """
    outside: list[str] = []
    inside = [] if seen.loopback else ["link set lo up"]
    inside += [f"link del {name}" for name in seen.cards if name not in {card.name for card in wiring.cards}]
    for card in wiring.cards:
        there = seen.cards.get(card.name)
        if there is not None and (there.mac != card.mac or card.cable not in seen.cables):
            inside.append(f"link del {card.name}")
            continue
        if there is None and card.cable in seen.cables:  # a namespace went, and something still held it
            outside.append(f"link del {card.cable}")
        outside += _plugged(space, card, there)
        inside += _addressed(card, there)
    # Old ones first: each table has one default route.
    inside += [f"route del {route} proto {OURS}" for route in seen.routes if route not in wiring.routes]
    inside += [f"route add {route} proto {OURS}" for route in wiring.routes if route not in seen.routes]
    inside += [f"rule add {rule}" for rule in wiring.rules if rule not in seen.rules]
    inside += [f"rule del {rule}" for rule in seen.rules if rule not in wiring.rules]
    return Steps(tuple(outside), tuple(inside))


def _plugged(space: str, card: Card, there: Seen | None) -> Iterator[str]:
    mtu = card.plug.mtu
    if there is None:
        yield (
            f"link add {card.cable} mtu {mtu} type veth"
            f" peer name {card.name} mtu {mtu} address {card.mac} netns {space}"
        )
        yield f"link set {card.cable} addrgenmode none"
        there = Seen(card.mac, mtu, False, (), "", mtu)
    if there.cable_mtu != mtu:
        yield f"link set {card.cable} mtu {mtu}"
    if there.bridge != card.plug.bridge:
        yield f"link set {card.cable} master {card.plug.bridge}"
    if not there.cable_up:
        yield f"link set {card.cable} up"


def _addressed(card: Card, there: Seen | None) -> Iterator[str]:
    held = there.addresses if there else ()
    if there is not None and there.mtu != card.plug.mtu:
        yield f"link set {card.name} mtu {card.plug.mtu}"
    # New ones first: a card is never without, and routes over it stay.
    yield from (f"address add {address} dev {card.name}" for address in card.addresses if address not in held)
    yield from (f"address del {address} dev {card.name}" for address in held if address not in card.addresses)
    if there is None or not there.up:
        yield f"link set {card.name} up"
