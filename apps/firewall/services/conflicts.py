"""Which rules cannot be beside each other on one address or in one network: 537."""

from collections.abc import Sequence

from django.db.models import Q, QuerySet

from apps.core.errors import RuleConflict
from apps.firewall.models import Rule

S = Rule.State
Ports = tuple[int | None, int | None]


def check_forwarding(rows: QuerySet[Rule], first: int, last: int) -> None:
    """Of one address and protocol: each port goes to one place."""
    other = rows.exclude(state=S.REVOKE).filter(start_port__lte=last, end_port__gte=first).first()
    if other is not None:
        raise RuleConflict(
            f"publicport: {_span(first, last)} overlaps {_span(other.start_port, other.end_port)} of rule {other.uuid}"
        )


def check_holes(
    rows: QuerySet[Rule], ports: Ports, icmp: Ports, sources: Sequence[str], destinations: Sequence[str] = ()
) -> None:
    """Firewall rules of one address, or egress rules of one network, with one protocol: they may overlap where no
    network that they are for is the same.
    """
    first, last = ports
    rows = rows.exclude(state=S.REVOKE)
    if icmp != (None, None):
        rows = rows.filter(icmp_type=icmp[0], icmp_code=icmp[1])
    elif first is not None:
        rows = rows.filter(Q(start_port=None) | Q(start_port__lte=last, end_port__gte=first))
    for other in rows:
        if _meet(sources, other.cidrs) and _meet(destinations, other.destinations):
            raise RuleConflict(f"the new rule overlaps rule {other.uuid}, which is for the same networks")


def _meet(some: Sequence[str], others: Sequence[str]) -> bool:
    return not (some or others) or bool(set(some) & set(others))


def _span(first: int | None, last: int | None) -> str:
    return f"{first}" if first == last else f"{first}-{last}"
