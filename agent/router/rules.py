"""The rule set of a router, as text for ``nft -f``: all of it, replaced in one transaction.

``ingress`` sees packets before destination NAT, so rules about public addresses can be read as tenants wrote them, and
it sees every packet of a connection, not only the first: a rule that is closed closes the connections that it let in.
Nothing from outside passes but answers and what a rule of a public address allows; that includes packets from inside
to a public address of the same network (hairpin). ``forward`` then needs to know only what was translated.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network, collapse_addresses

from agent.router.document import Document, Forwarding, PublicAddress, Sources, Traffic
from agent.router.uplinks import uplinks

TABLE = "inet router"
GUEST, OUTSIDE = "guest", "pub*"
METADATA = IPv4Address("169.254.169.254")
NOBODY = IPv4Address(0)  # who asks by DHCP who he is
ANYWHERE = IPv4Network("0.0.0.0/0")


def render(document: Document) -> str:
    """With a digest of itself as comment, by which the kernel can say later what it holds."""
    body = "\n".join(line for chain in _chains(document) for line in (*chain, ""))
    return f'table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n    comment "{digest(body)}"\n\n{body}}}\n'


def digest(body: str) -> str:
    return sha256(body.encode()).hexdigest()[:32]


def mark_of(rendered: str) -> str:
    """The digest that a rendered rule set, or a listing of the kernel's, carries."""
    _, found, rest = rendered.partition('comment "')
    return rest.partition('"')[0] if found else ""


def _chains(document: Document) -> Iterator[list[str]]:
    yield _ingress(document)
    for public in document.public:
        if rules := _allowed(document, public):
            yield _chain(_name(public), [*rules, "drop"])
    yield _destinations(document)
    yield _sources(document)
    yield _forward(document)
    if document.is_gateway:
        yield _egress(document)
    yield _input(document)


def _chain(name: str, lines: Iterable[str], hook: str = "") -> list[str]:
    return [f"    chain {name} {{", *(f"        {line}" for line in ([hook] if hook else []) + list(lines)), "    }"]


def _name(public: PublicAddress) -> str:
    return f"to-{public.ip}"


def _ingress(document: Document) -> list[str]:
    verdicts = [
        f"{public.ip} : {f'goto {_name(public)}' if _allowed(document, public) else 'drop'}"
        for public in document.public
    ]
    lines = ['iifname "lo" accept', "ct state invalid drop"]
    lines += [f'iifname "{OUTSIDE}" ip saddr {document.cidr} drop']  # nobody out there is one of us,
    lines += [f'iifname "{GUEST}" ip saddr != {{ {NOBODY}, {document.cidr} }} drop']  # nor the other way round
    lines += _marks(document)
    lines += ["ct direction reply accept", "ct state related accept"]
    if verdicts:
        lines.append(f"ip daddr vmap {{ {', '.join(verdicts)} }}")
    lines.append(f'iifname "{OUTSIDE}" drop')
    return _chain("ingress", lines, "type filter hook prerouting priority mangle; policy accept;")


def _marks(document: Document) -> Iterator[str]:
    """By which of several public networks a packet leaves: where its connection came from, or the public address of
    its sender. Those of the first network need no mark.
    """
    others = [uplink for uplink in uplinks(document.public) if uplink.mark]
    if not others:
        return
    senders = {nat.to: nat.ip for nat in document.static_nat}
    arrived = [f"{ip} : {uplink.mark:#x}" for uplink in others for ip in uplink.ips]
    sent = [f"{to} : {uplink.mark:#x}" for to, ip in senders.items() for uplink in others if ip in uplink.ips]
    yield f'iifname "{OUTSIDE}" ct direction original ct mark set ip daddr map {{ {", ".join(arrived)} }}'
    if sent:
        yield f'iifname "{GUEST}" ct direction original meta mark set ip saddr map {{ {", ".join(sent)} }}'
    yield f'iifname "{GUEST}" ct direction reply meta mark set ct mark'


def _allowed(document: Document, public: PublicAddress) -> list[str]:
    """What may go to a public address. In a network without a firewall that is whatever is translated."""
    if not document.has("Firewall"):
        return _translated(document, public)
    rules = [rule for rule in document.firewall if rule.ip == public.ip]
    return [f"{_words('saddr', rule.sources)}{_traffic(rule.traffic)}accept" for rule in rules]


def _translated(document: Document, public: PublicAddress) -> list[str]:
    if any(nat.ip == public.ip for nat in document.static_nat):
        return ["accept"]
    rows = [row for row in document.port_forwarding if row.ip == public.ip]
    return [f"{_words('saddr', row.sources)}{_traffic(Traffic(row.protocol, row.ports))}accept" for row in rows]


def _words(field: str, nets: Sources) -> str:
    """A match with its trailing space; none where every address is meant."""
    merged = list(collapse_addresses(nets))
    if not merged or ANYWHERE in merged:
        return ""
    texts = [str(net.network_address) if net.prefixlen == 32 else str(net) for net in merged]
    return f"ip {field} {texts[0]} " if len(texts) == 1 else f"ip {field} {{ {', '.join(texts)} }} "


def _traffic(traffic: Traffic) -> str:
    if traffic.protocol == "all":
        return ""
    if traffic.protocol == "icmp":
        kind = "" if traffic.icmp_type is None else f"icmp type {traffic.icmp_type} "
        return (kind + ("" if traffic.icmp_code is None else f"icmp code {traffic.icmp_code} ")) or "ip protocol icmp "
    if traffic.ports is None:
        return f"meta l4proto {traffic.protocol} "
    return f"{traffic.protocol} dport {_range(traffic.ports.first, traffic.ports.last)} "


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _destinations(document: Document) -> list[str]:
    lines = [_forwarding(row) for row in document.port_forwarding]
    if document.static_nat:
        pairs = ", ".join(f"{nat.ip} : {nat.to}" for nat in document.static_nat)
        lines.append(f"dnat ip to ip daddr map {{ {pairs} }}")
    return _chain("destinations", lines, "type nat hook prerouting priority dstnat; policy accept;")


def _forwarding(row: Forwarding) -> str:
    """The kernel keeps a port, or takes one of a range by chance: of a range that moves each port is said."""
    first, last = row.ports.first, row.ports.last
    match = f"{_words('saddr', row.sources)}ip daddr {row.ip} {row.protocol} dport {_range(first, last)}"
    if row.ports == row.to_ports:
        return f"{match} dnat ip to {row.to}"
    if first == last:
        return f"{match} dnat ip to {row.to}:{row.to_ports.first}"
    moved = ", ".join(f"{port} : {port - first + row.to_ports.first}" for port in range(first, last + 1))
    return f"{match} dnat ip to {row.to} : {row.protocol} dport map {{ {moved} }}"


def _sources(document: Document) -> list[str]:
    lines = [f'oifname "{GUEST}" ip saddr {document.cidr} ct status dnat snat ip to {document.router_ip}']
    if document.static_nat:
        pairs = ", ".join(f"{nat.to} : {nat.ip}" for nat in document.static_nat)
        lines.append(f'oifname "{OUTSIDE}" snat ip to ip saddr map {{ {pairs} }}')
    if document.source_nat:
        lines.append(f'oifname "{OUTSIDE}" ip saddr {document.cidr} snat ip to {document.source_nat.ip}')
    return _chain("sources", lines, "type nat hook postrouting priority srcnat; policy accept;")


def _forward(document: Document) -> list[str]:
    lines = ["ct direction reply accept", "ct state related accept"]
    if document.is_gateway:
        lines.append(f'iifname {{ "{GUEST}", "{OUTSIDE}" }} oifname "{GUEST}" ct status dnat accept')
        lines.append(f'iifname "{GUEST}" oifname "{OUTSIDE}" goto egress')
    return _chain("forward-guest", lines, "type filter hook forward priority filter; policy drop;")


def _egress(document: Document) -> list[str]:
    """Rules are the exceptions from the default: refusals where it allows, else permissions."""
    lines = []
    if not document.source_nat:  # who has no public address cannot leave
        mapped = ", ".join(str(nat.to) for nat in document.static_nat)
        lines.append(f"ip saddr != {{ {mapped} }} drop" if mapped else "drop")
    allow = document.egress_default_allow or not document.has("Firewall")
    if document.has("Firewall"):
        lines += [
            f"{_words('saddr', rule.sources)}{_words('daddr', rule.destinations)}{_traffic(rule.traffic)}"
            f"{'drop' if allow else 'accept'}"
            for rule in document.egress
        ]
    return _chain("egress", [*lines, "accept" if allow else "drop"])


def _input(document: Document) -> list[str]:
    """Services are for guests, at the router's guest address. Metadata and passwords only for a card that has the
    address which the document gives to it.
    """
    mine = f"{{ {document.router_ip}, {METADATA} }}"
    lines = [
        'iifname "lo" accept',
        "ct direction reply accept",
        "ct state related accept",
        "icmp type echo-request accept",
    ]
    if document.has("Dhcp"):
        lines.append(f'iifname "{GUEST}" udp dport 67 accept')
    if document.has("Dns"):
        lines.append(f'iifname "{GUEST}" ip daddr {mine} meta l4proto {{ tcp, udp }} th dport 53 accept')
    if document.has("UserData") and document.machines:
        cards = ", ".join(f"{machine.mac} . {machine.ip}" for machine in document.machines)
        lines.append(
            f'iifname "{GUEST}" ip daddr {mine} tcp dport {{ 80, 8080 }} ether saddr . ip saddr {{ {cards} }} accept'
        )
    lines.append(f'iifname "{GUEST}" meta l4proto tcp reject with tcp reset')
    return _chain("input", lines, "type filter hook input priority filter; policy drop;")
