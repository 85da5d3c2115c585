"""The sections of a network's document that rules make."""

from typing import Any

from apps.firewall.models import Rule, StaticNat

P, S = Rule.Purpose, Rule.State


def _rules(network: int, *purposes: str) -> Any:
    rows = Rule.all_tenants.filter(network=network, purpose__in=purposes).exclude(state=S.REVOKE)
    return rows.select_related("address").order_by("pk")


def _ports(rule: Rule) -> list[int | None]:
    return [rule.start_port, rule.end_port]


def firewall(network: int) -> list[dict[str, Any]]:
    return [
        {
            "ip": r.address.ip,
            "protocol": r.protocol,
            "ports": _ports(r),
            "icmp": [r.icmp_type, r.icmp_code],
            "from": r.cidrs,
        }
        for r in _rules(network, P.FIREWALL)
        if r.address
    ]


def egress(network: int) -> list[dict[str, Any]]:
    return [
        {
            "protocol": r.protocol,
            "ports": _ports(r),
            "icmp": [r.icmp_type, r.icmp_code],
            "from": r.cidrs,
            "to": r.destinations,
        }
        for r in _rules(network, P.EGRESS)
    ]


def forwarding(network: int) -> list[dict[str, Any]]:
    return [
        {
            "ip": r.address.ip,
            "protocol": r.protocol,
            "ports": _ports(r),
            "to": r.vm_ip,
            "to_ports": [r.private_port, r.private_end_port],
            "from": r.cidrs,
        }
        for r in _rules(network, P.FORWARDING)
        if r.address
    ]


def static_nat(network: int) -> list[dict[str, Any]]:
    rows = StaticNat.objects.filter(address__network=network, address__removed=None).select_related("address")
    return [{"ip": row.address.ip, "to": row.vm_ip} for row in rows.order_by("pk")]


SECTIONS = {"firewall": firewall, "egress": egress, "port_forwarding": forwarding, "static_nat": static_nat}
