"""Addresses and VLANs for listCapacity."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Q

from apps.infrastructure.capacity import Amount, taken
from apps.network.models import RangeAddress, Segment


def amounts(level: str, where: Any) -> Iterable[Amount]:
    if level != "zone":
        return
    keys = where.get("zone")
    living = RangeAddress.objects.filter(range__removed=None, range__is_lazy=False)
    if keys:
        living = living.filter(range__zone__in=keys)
    public, direct = living.filter(range__for_virtual_network=True), living.filter(range__for_virtual_network=False)
    for number, rows in ((4, public), (8, direct)):
        for place, used, total in taken(rows.values_list("range__zone")):
            yield Amount(number, place, used, total)
    segments = Segment.objects.filter(physical_network__removed=None, is_dynamic=True)
    if keys:
        segments = segments.filter(physical_network__zone__in=keys)
    counts = segments.values_list("physical_network__zone")
    for place, used, total in counts.annotate(used=Count("pk", filter=~Q(network=None)), total=Count("pk")):
        yield Amount(7, place, used, total)
