"""The document of a network, version 1: what its router must be. See ``docs/router.md`` for each key.

It is read whole before anything is done: an unknown key, an address that is none or a rule that cannot be is refused
by its place. What names a public address that the network does not hold (sections are rendered one after the other,
and addresses come and go) is not refused but reported by ``loose_ends``: such a rule is about nothing.
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from agent.state.errors import Invalid
from agent.strict import (
    Reader,
    address,
    blank,
    boolean,
    domain_name,
    empty,
    host_name,
    integer,
    mac,
    many,
    network,
    one_of,
    optional,
    pair,
    text,
    uuid,
)

SCHEMA = 1
RESERVED = ("balancers", "vpn", "tiers", "acls", "routes", "redundant")  # of later issues: must be empty
PROTOCOLS = ("tcp", "udp", "icmp", "all")
USER_DATA_LIMIT = 1 << 20
ANY = -1  # ICMP's "every type", "every code"

Sources = tuple[IPv4Network, ...]


@dataclass(frozen=True)
class Ports:
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True)
class Traffic:
    """What a rule is about. No ports: all of the protocol; no ICMP type or code: every one."""

    protocol: str
    ports: Ports | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None


@dataclass(frozen=True)
class PublicAddress:
    ip: IPv4Address
    source_nat: bool
    gateway: IPv4Address
    net: IPv4Network
    vlan: str


@dataclass(frozen=True)
class Reservation:
    """A card: its address by DHCP, the name by DNS. Only over the default card of a machine leads its default route."""

    mac: str
    ip: IPv4Address
    name: str
    default: bool


@dataclass(frozen=True)
class FirewallRule:
    ip: IPv4Address
    traffic: Traffic
    sources: Sources


@dataclass(frozen=True)
class EgressRule:
    traffic: Traffic
    sources: Sources
    destinations: Sources


@dataclass(frozen=True)
class Forwarding:
    ip: IPv4Address
    protocol: str
    ports: Ports
    to: IPv4Address
    to_ports: Ports
    sources: Sources


@dataclass(frozen=True)
class StaticNat:
    ip: IPv4Address
    to: IPv4Address


@dataclass(frozen=True)
class Machine:
    """What a machine is told of itself over this card of it."""

    uuid: str
    mac: str
    ip: IPv4Address
    name: str
    instance_name: str = ""
    zone: str = ""
    offering: str = ""
    host: str = ""
    user_data: bytes | None = None
    keys: tuple[str, ...] = ()
    password: str = ""


@dataclass(frozen=True)
class Own:
    """What the manager says of the router itself."""

    uuid: str = ""
    guest_ip: IPv4Address | None = None
    guest_mac: str | None = None
    public_mac: str | None = None


@dataclass(frozen=True)
class Document:
    network: str
    generation: int
    kind: str
    cidr: IPv4Network
    gateway: IPv4Address
    segment: str
    domain: str
    dns: tuple[IPv4Address, ...]
    services: frozenset[str]
    egress_default_allow: bool
    public: tuple[PublicAddress, ...]
    dhcp: tuple[Reservation, ...]
    firewall: tuple[FirewallRule, ...]
    egress: tuple[EgressRule, ...]
    port_forwarding: tuple[Forwarding, ...]
    static_nat: tuple[StaticNat, ...]
    machines: tuple[Machine, ...] = ()
    own: Own = Own()
    cloud: str = ""
    mtu: int | None = None
    guest_label: str = ""
    public_label: str = ""

    @property
    def router_ip(self) -> IPv4Address:
        return self.own.guest_ip or self.gateway

    @property
    def is_gateway(self) -> bool:
        """Do the machines send what leaves the network to this router?"""
        return self.router_ip == self.gateway

    @property
    def source_nat(self) -> PublicAddress | None:
        return next((public for public in self.public if public.source_nat), None)

    def has(self, *services: str) -> bool:
        return any(service in self.services for service in services)


def read(value: Any) -> Document:
    reader = Reader(value)
    reader.take("schema", integer(SCHEMA, SCHEMA))
    for key in RESERVED:
        reader.take(key, empty, None)
    own = reader.take("router", optional(_own), None) or Own()
    found = Document(
        network=reader.take("network", uuid),
        generation=reader.take("generation", integer(0, 1 << 62)),
        kind=reader.take("kind", one_of("Isolated", "Shared")),
        cidr=reader.take("cidr", network),
        gateway=reader.take("gateway", address),
        segment=reader.take("segment", text),
        domain=reader.take("domain", blank(domain_name)) or "",
        dns=reader.take("dns", many(address)),
        services=frozenset(reader.take("services", many(text))),
        egress_default_allow=reader.take("egress_default_allow", boolean),
        public=reader.take("public", many(_public)),
        dhcp=reader.take("dhcp", many(_reservation)),
        firewall=reader.take("firewall", many(_firewall)),
        egress=reader.take("egress", many(_egress)),
        port_forwarding=reader.take("port_forwarding", many(_forwarding)),
        static_nat=reader.take("static_nat", many(_static_nat)),
        machines=reader.take("machines", many(_machine), ()),
        own=own,
        cloud=reader.take("cloud", text, ""),
        mtu=reader.take("mtu", optional(integer(576, 9216)), None),
        guest_label=reader.take("guest_label", text, ""),
        public_label=reader.take("public_label", text, ""),
    )
    reader.end()
    _check(found)
    return found


def loose_ends(document: Document) -> tuple[str, ...]:
    """What is about a public address that is not there."""
    held = {public.ip for public in document.public}
    named = {
        "firewall": [row.ip for row in document.firewall],
        "port_forwarding": [row.ip for row in document.port_forwarding],
        "static_nat": [row.ip for row in document.static_nat],
    }
    return tuple(
        f"{section}[{number}].ip: {ip} is not in public"
        for section, ips in named.items()
        for number, ip in enumerate(ips)
        if ip not in held
    )


def _check(document: Document) -> None:
    _unique("public", "ip", [row.ip for row in document.public])
    _unique("dhcp", "ip", [row.ip for row in document.dhcp])
    _unique("dhcp", "mac", [row.mac for row in document.dhcp])
    _unique("machines", "ip", [row.ip for row in document.machines])
    _unique("static_nat", "ip", [row.ip for row in document.static_nat])
    _unique("static_nat", "to", [row.to for row in document.static_nat])
    if sum(row.source_nat for row in document.public) > 1:
        raise Invalid("public: more than one address is for source NAT")
    for at, ip in _inside(document):
        if ip not in document.cidr or ip in (document.cidr.network_address, document.cidr.broadcast_address):
            raise Invalid(f"{at}: {ip} is no address of {document.cidr}")
    for number, row in enumerate(document.dhcp):
        if row.ip in (document.gateway, document.router_ip):
            raise Invalid(f"dhcp[{number}].ip: {row.ip} is the router's")
    if document.kind == "Shared" and document.own.guest_ip in (None, document.gateway):
        raise Invalid("router.guest_ip: the router of a Shared network needs an address other than the gateway's")


def _inside(document: Document) -> Iterator[tuple[str, IPv4Address]]:
    yield "gateway", document.gateway
    yield "router.guest_ip", document.router_ip
    for number, card in enumerate(document.dhcp):
        yield f"dhcp[{number}].ip", card.ip
    for number, machine in enumerate(document.machines):
        yield f"machines[{number}].ip", machine.ip
    for number, forwarding in enumerate(document.port_forwarding):
        yield f"port_forwarding[{number}].to", forwarding.to
    for number, nat in enumerate(document.static_nat):
        yield f"static_nat[{number}].to", nat.to


def _unique(section: str, key: str, values: list[Any]) -> None:
    seen = set()
    for number, value in enumerate(values):
        if value in seen:
            raise Invalid(f"{section}[{number}].{key}: {value} is there twice")
        seen.add(value)


def _own(value: Any, at: str) -> Own:
    reader = Reader(value, at)
    found = Own(
        reader.take("uuid", blank(uuid), None) or "",
        reader.take("guest_ip", blank(address), None),
        reader.take("guest_mac", blank(mac), None),
        reader.take("public_mac", blank(mac), None),
    )
    reader.end()
    return found


def _public(value: Any, at: str) -> PublicAddress:
    reader = Reader(value, at)
    ip, source_nat = reader.take("ip", address), reader.take("source_nat", boolean)
    gateway, mask = reader.take("gateway", address), reader.take("netmask", text)
    vlan = reader.take("vlan", text)
    reader.end()
    try:
        net = IPv4Network(f"{ip}/{mask}", strict=False)
    except ValueError:
        raise Invalid(f"{at}.netmask: {mask!r} is no netmask") from None
    if gateway not in net or gateway == ip:
        raise Invalid(f"{at}.gateway: {gateway} is no gateway for {ip} in {net}")
    return PublicAddress(ip, source_nat, gateway, net, vlan)


def _reservation(value: Any, at: str) -> Reservation:
    reader = Reader(value, at)
    found = Reservation(
        reader.take("mac", mac),
        reader.take("ip", address),
        reader.take("name", host_name),
        reader.take("default", boolean),
    )
    reader.end()
    return found


def _firewall(value: Any, at: str) -> FirewallRule:
    reader = Reader(value, at)
    found = FirewallRule(reader.take("ip", address), _traffic(reader), reader.take("from", many(network)))
    reader.end()
    return found


def _egress(value: Any, at: str) -> EgressRule:
    reader = Reader(value, at)
    found = EgressRule(_traffic(reader), reader.take("from", many(network)), reader.take("to", many(network)))
    reader.end()
    return found


def _traffic(reader: Reader) -> Traffic:
    protocol = reader.take("protocol", one_of(*PROTOCOLS))
    ports = reader.take("ports", _ports, None)
    kind, code = reader.take("icmp", pair(optional(integer(ANY, 255))), (None, None))
    if ports is not None and protocol not in ("tcp", "udp"):
        raise Invalid(f"{reader.path('ports')}: {protocol} has no ports")
    if protocol != "icmp" and (kind, code) != (None, None):
        raise Invalid(f"{reader.path('icmp')}: {protocol} has no ICMP type")
    return Traffic(protocol, ports, None if kind == ANY else kind, None if code == ANY else code)


def _ports(value: Any, at: str) -> Ports | None:
    """[first, last]; [null, null] is all of them, and without a last one it is the first."""
    first, last = pair(optional(integer(1, 65535)))(value, at)
    if first is None and last is None:
        return None
    if first is None or (last is not None and last < first):
        raise Invalid(f"{at}: the range ends before it begins")
    return Ports(first, first if last is None else last)


def _forwarding(value: Any, at: str) -> Forwarding:
    reader = Reader(value, at)
    ports, to_ports = reader.take("ports", _ports), reader.take("to_ports", _ports)
    if ports is None or to_ports is None or len(ports) != len(to_ports):
        raise Invalid(f"{at}.to_ports: must be as many ports as in {at}.ports")
    found = Forwarding(
        reader.take("ip", address),
        reader.take("protocol", one_of("tcp", "udp")),
        ports,
        reader.take("to", address),
        to_ports,
        reader.take("from", many(network)),
    )
    reader.end()
    return found


def _static_nat(value: Any, at: str) -> StaticNat:
    reader = Reader(value, at)
    found = StaticNat(reader.take("ip", address), reader.take("to", address))
    reader.end()
    return found


def _machine(value: Any, at: str) -> Machine:
    reader = Reader(value, at)
    found = Machine(
        uuid=reader.take("uuid", uuid),
        mac=reader.take("mac", mac),
        ip=reader.take("ip", address),
        name=reader.take("name", host_name),
        instance_name=reader.take("instance_name", text, ""),
        zone=reader.take("zone", text, ""),
        offering=reader.take("offering", text, ""),
        host=reader.take("host", text, ""),
        user_data=reader.take("user_data", blank(_user_data), None),
        keys=reader.take("keys", many(text), ()),
        password=reader.take("password", text, ""),
    )
    reader.end()
    return found


def _user_data(value: Any, at: str) -> bytes:
    try:
        found = base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(f"{at}: must be base64") from None
    if len(found) > USER_DATA_LIMIT:
        raise Invalid(f"{at}: is larger than {USER_DATA_LIMIT} bytes")
    return found
