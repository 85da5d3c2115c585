"""What rules are made of, read once: protocols, ports, CIDRs."""

from ipaddress import IPv4Network

from apps.core.errors import InvalidParameter

PROTOCOLS = ("tcp", "udp", "icmp", "all")
ANYWHERE = "0.0.0.0/0"


def protocol(text: str, allowed: tuple[str, ...] = PROTOCOLS) -> str:
    found = text.lower()
    if found not in allowed:
        raise InvalidParameter(f"protocol: {text} is none of {', '.join(allowed)}")
    return found


def ports(kind: str, start: int | None, end: int | None, names: tuple[str, str]) -> tuple[int | None, int | None]:
    """Of TCP and UDP; nothing else has any."""
    if kind not in ("tcp", "udp"):
        if start is not None or end is not None:
            raise InvalidParameter(f"{names[0]}: {kind} has no ports")
        return None, None
    if start is None and end is None:
        return None, None
    first = start if start is not None else end
    last = end if end is not None else start
    assert_port(first, names[0])
    assert_port(last, names[1])
    if last < first:  # type: ignore[operator]
        raise InvalidParameter(f"{names[1]}: it is before {names[0]}")
    return first, last


def assert_port(number: int | None, name: str) -> None:
    if number is None or not 1 <= number <= 65535:
        raise InvalidParameter(f"{name}: {number} is no port")


def icmp(kind: str, icmp_type: int | None, icmp_code: int | None) -> tuple[int | None, int | None]:
    if kind != "icmp":
        if icmp_type is not None or icmp_code is not None:
            raise InvalidParameter(f"icmptype: {kind} has none")
        return None, None
    for name, number in (("icmptype", icmp_type), ("icmpcode", icmp_code)):
        if number is not None and not -1 <= number <= 255:
            raise InvalidParameter(f"{name}: {number} is none of ICMP's")
    return (-1 if icmp_type is None else icmp_type), (-1 if icmp_code is None else icmp_code)


def cidrs(texts: list[str] | None, name: str = "cidrlist", default: str = ANYWHERE) -> list[str]:
    found = []
    for text in texts or ([default] if default else []):
        try:
            found.append(str(IPv4Network(text)))
        except ValueError:
            raise InvalidParameter(f"{name}: {text!r} is no network in the form 10.1.1.0/24") from None
    return found
