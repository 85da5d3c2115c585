"""Secondary storage for listCapacity: it belongs to zones."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Sum

from apps.images.models import ImageStore
from apps.infrastructure.capacity import Amount, within

SECONDARY = 6


def amounts(level: str, where: Any) -> Iterable[Amount]:
    if level != "zone" or where.keys() - {"zone"}:
        return
    rows = ImageStore.all_tenants.filter(**within(where)).exclude(zone=None).values_list("zone")
    for place, used, total in rows.annotate(Sum("used_bytes"), Sum("capacity_bytes")).order_by("zone"):
        yield Amount(SECONDARY, place, used, total)
