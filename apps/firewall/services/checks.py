"""What rules are made of, read once: protocols, ports, CIDRs."""

from ipaddress import IPv4Network

from apps.core.errors import InvalidParameter

PROTOCOLS = ("tcp", "udp", "icmp", "all")
NUMBERS = {1: "icmp", 6: "tcp", 17: "udp"}
ANYWHERE = "0.0.0.0/0"


def protocol(text: str, allowed: tuple[str, ...] = PROTOCOLS) -> str:
    found = text.lower()
    if found not in allowed:
        raise InvalidParameter(f"protocol: {text} is none of {', '.join(allowed)}")
    return found


def protocol_or_number(text: str) -> str:
    """Security groups know protocols by their number too."""
    if not text.isdecimal():
        return protocol(text)
    if int(text) > 255:
        raise InvalidParameter(f"protocol: {text} is no number of a protocol")
    return NUMBERS.get(int(text), str(int(text)))


def ports(kind: str, start: int | None, end: int | None, names: tuple[str, str]) -> tuple[int | None, int | None]:
    """Of TCP and UDP, or none for all; nothing else has any."""
    if start is None and end is None:
        return None, None
    if kind not in ("tcp", "udp"):
        raise InvalidParameter(f"{names[0]}: {kind} has no ports")
    return span(start, end, names)


def span(start: int | None, end: int | None, names: tuple[str, str]) -> tuple[int, int]:
    first, last = port(end if start is None else start, names[0]), port(start if end is None else end, names[1])
    if last < first:
        raise InvalidParameter(f"{names[1]}: {last} is before {names[0]} {first}")
    return first, last


def port(number: int | None, name: str) -> int:
    if number is None or not 1 <= number <= 65535:
        raise InvalidParameter(f"{name}: {number} is no port")
    return number


def icmp(kind: str, icmp_type: int | None, icmp_code: int | None) -> tuple[int | None, int | None]:
    if kind != "icmp":
        if icmp_type is not None or icmp_code is not None:
            raise InvalidParameter(f"icmptype: {kind} has none")
        return None, None
    for name, number in (("icmptype", icmp_type), ("icmpcode", icmp_code)):
        if number is not None and not -1 <= number <= 255:
            raise InvalidParameter(f"{name}: {number} is none of ICMP's")
    return (-1 if icmp_type is None else icmp_type), (-1 if icmp_code is None else icmp_code)


def cidrs(texts: list[str] | None, name: str = "cidrlist", default: str = ANYWHERE, within: str = "") -> list[str]:
    """Each once, in the order given; ``within`` is the network that all of them must lie in."""
    found: dict[str, None] = {}
    for text in texts or ([default] if default else []):
        try:
            network = IPv4Network(text)
        except ValueError:
            raise InvalidParameter(f"{name}: {text!r} is no network in the form 10.1.1.0/24") from None
        if within and not network.subnet_of(IPv4Network(within)):
            raise InvalidParameter(f"{name}: {text} is not in the network, which is {within}")
        found[str(network)] = None
    return list(found)
