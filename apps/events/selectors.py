"""Keys for moments. Rows are appended, so their keys follow the clock, and a range of keys narrows every index: the
columns of time need none of their own.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max, Min, QuerySet

# Clocks of servers differ, and who took a key first may commit last.
SLACK = timedelta(minutes=10)
FEW = 100_000  # rows that are not worth the search


def in_time(rows: QuerySet[Any], start: datetime | None, end: datetime | None) -> QuerySet[Any]:
    """Those that were created from ``start`` to ``end``, both included."""
    if start is not None:
        rows = rows.filter(pk__gt=key_before(rows.model, start - SLACK), created__gte=start)
    if end is not None:
        rows = rows.filter(created__lte=end)
        if last := key_before(rows.model, end + SLACK):
            rows = rows.filter(pk__lte=last)
    return rows


def key_before(model: Any, moment: datetime) -> int:
    """A key with which everything up to it is older than ``moment``, to within ``SLACK``; 0 where there are few."""
    ends = model.all_tenants.aggregate(low=Min("pk"), high=Max("pk"))
    low, high = (ends["low"] or 1) - 1, ends["high"] or 0
    if high - low <= FEW:
        return 0
    while low < high:
        middle = (low + high) // 2
        key, created = model.all_tenants.filter(pk__gt=middle).order_by("pk").values_list("pk", "created")[0]
        if created < moment:
            low = key
        else:
            high = middle
    return low
