"""Documents as the manager renders them."""

from base64 import b64encode
from uuid import UUID

ROUTER = ["Dhcp", "Dns", "Firewall", "Gateway", "PortForwarding", "SourceNat", "StaticNat", "UserData"]


def network(number=1):
    return str(UUID(int=0x5EED << 80 | number))


def mac(number, card=0):
    return f"02:00:00:00:{card:02x}:{number:02x}"


def address(last, **given):
    place = {"gateway": "198.51.100.1", "netmask": "255.255.255.0", "vlan": "untagged"}
    return {"ip": f"198.51.100.{last}", "source_nat": False, **place, **given}


def card(last, name="", **given):
    return {"mac": mac(last), "ip": f"10.1.1.{last}", "name": name or f"vm{last}", "default": True, **given}


def machine(last, **given):
    values = {"uuid": str(UUID(int=last)), "mac": mac(last), "ip": f"10.1.1.{last}", "name": f"vm{last}"}
    if isinstance(given.get("user_data"), bytes):
        given["user_data"] = b64encode(given["user_data"]).decode()
    return values | given


def rule(last=10, protocol="tcp", first=None, end=None, sources=("0.0.0.0/0",), icmp=(None, None)):
    ports = [first, end if end is not None else first]
    return {"ip": f"198.51.100.{last}", "protocol": protocol, "ports": ports, "icmp": list(icmp), "from": list(sources)}


def egress(protocol="all", first=None, end=None, sources=("10.1.1.0/24",), to=(), icmp=(None, None)):
    ports = [first, end if end is not None else first]
    return {"protocol": protocol, "ports": ports, "icmp": list(icmp), "from": list(sources), "to": list(to)}


def forward(public, to, last=10, protocol="tcp", machine=10, sources=()):
    """Ports as numbers or as pairs."""
    ports, inner = ([one, one] if isinstance(one, int) else list(one) for one in (public, to))
    place = {"ip": f"198.51.100.{last}", "to": f"10.1.1.{machine}"}
    return {**place, "protocol": protocol, "ports": ports, "to_ports": inner, "from": list(sources)}


def document(number=1, generation=1, **given):
    """The least network that has a router: 10.1.1.0/24 behind 198.51.100.10."""
    values = {
        "schema": 1,
        "network": network(number),
        "generation": generation,
        "kind": "Isolated",
        "cidr": "10.1.1.0/24",
        "gateway": "10.1.1.1",
        "segment": str(1000 + number),
        "domain": "cs1.cloud.internal",
        "dns": ["198.51.100.1"],
        "services": ROUTER,
        "egress_default_allow": True,
        "public": [address(9 + number, source_nat=True)],
        "dhcp": [],
        "firewall": [],
        "egress": [],
        "port_forwarding": [],
        "static_nat": [],
    }
    return values | given
