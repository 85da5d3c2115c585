"""The ids of physical networks as rows, and what keeps places from being deleted."""

from typing import Any

from apps.core.errors import InvalidParameter
from apps.infrastructure.models import PhysicalNetwork, Pod, Zone
from apps.network.models import IpRange, Network, Segment


def change(network: PhysicalNetwork, ranges: list[tuple[int, int]]) -> None:
    """Make the ids of the physical network these; one that a network has cannot go."""
    wanted = {number for first, last in ranges for number in range(first, last + 1)}
    rows = Segment.objects.filter(physical_network=network)
    there = set(rows.values_list("number", flat=True))
    gone = there - wanted
    if used := sorted(set(rows.exclude(network=None).values_list("number", flat=True)) & gone):
        raise InvalidParameter(f"vlan: {used[0]} is in use and must stay")
    for start in range(0, len(gone), 500):
        rows.filter(number__in=sorted(gone)[start : start + 500]).delete()
    fresh = [Segment(physical_network=network, number=number) for number in sorted(wanted - there)]
    Segment.objects.bulk_create(fresh, batch_size=5000)


def in_use(row: Any) -> str:
    if isinstance(row, Zone):
        if Network.all_tenants.filter(zone=row).exists():
            return "networks"
        return "ranges of addresses" if IpRange.all_tenants.filter(zone=row).exists() else ""
    if isinstance(row, PhysicalNetwork):
        return "networks" if Network.all_tenants.filter(physical_network=row).exists() else ""
    if isinstance(row, Pod):
        return "ranges of addresses" if IpRange.all_tenants.filter(pod=row).exists() else ""
    return ""
