"""Addresses and ranges as operators type them: read once, refused by the name of the parameter."""

from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError

from apps.core.errors import InvalidParameter

LARGEST_RANGE = 1 << 16


def address(text: str, name: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except AddressValueError:
        raise InvalidParameter(f"{name}: {text!r} is no IPv4 address") from None


def network(gateway: str, netmask: str) -> IPv4Network:
    """The network that a gateway with its mask lies in."""
    address(gateway, "gateway")
    address(netmask, "netmask")
    try:
        return IPv4Network(f"{gateway}/{netmask}", strict=False)
    except (NetmaskValueError, ValueError):
        raise InvalidParameter(f"netmask: {netmask!r} is no netmask") from None


def cidr(text: str, name: str = "cidr") -> IPv4Network:
    try:
        return IPv4Network(text)
    except (AddressValueError, NetmaskValueError, ValueError):
        raise InvalidParameter(f"{name}: {text!r} is no network in the form 10.1.1.0/24") from None


def span(start: str, end: str, within: IPv4Network, gateway: str = "") -> list[IPv4Address]:
    """All addresses from start to end, both inside ``within`` and the gateway not among them."""
    first, last = address(start, "startip"), address(end, "endip")
    if last < first:
        raise InvalidParameter("endip: the range ends before it begins")
    for name, one in (("startip", first), ("endip", last)):
        if one not in within:
            raise InvalidParameter(f"{name}: {one} is not in {within}")
    if int(last) - int(first) >= LARGEST_RANGE:
        raise InvalidParameter(f"endip: a range has at most {LARGEST_RANGE} addresses")
    if gateway and first <= IPv4Address(gateway) <= last:
        raise InvalidParameter("gateway: it is one of the addresses of the range")
    return [IPv4Address(number) for number in range(int(first), int(last) + 1)]


def overlap(start: str, end: str, others: list[tuple[str, str]]) -> bool:
    first, last = IPv4Address(start), IPv4Address(end)
    return any(first <= IPv4Address(e) and IPv4Address(s) <= last for s, e in others)


def vlans(text: str) -> list[tuple[int, int]]:
    """ "100-200,300" as pairs; refused if a number is no VLAN id, or ranges overlap."""
    found: list[tuple[int, int]] = []
    for piece in filter(None, text.replace(" ", "").split(",")):
        first, _, last = piece.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal() and len(first) < 9 and len(last) < 9):
            raise InvalidParameter(f"vlan: {piece!r} is no range like 100-200")
        pair = int(first), int(last or first)
        if not 0 < pair[0] <= pair[1] <= 16_777_215:
            raise InvalidParameter(f"vlan: {piece!r} is no range of segment ids")
        if any(a <= pair[1] and pair[0] <= b for a, b in found):
            raise InvalidParameter(f"vlan: {piece!r} overlaps another range")
        found.append(pair)
    if sum(b - a + 1 for a, b in found) > LARGEST_RANGE:
        raise InvalidParameter(f"vlan: at most {LARGEST_RANGE} ids")
    return sorted(found)
