"""Primary storage for listCapacity. Pools that are not Up count nothing, as in CloudStack: they take no disk."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Sum

from apps.infrastructure.capacity import Amount, within
from apps.storage.models import StoragePool

STORED, PROMISED, LOCAL = 2, 3, 9


def amounts(level: str, where: Any) -> Iterable[Amount]:
    """2 is what lies on shared storage of what there is, 3 what is promised of the over-provisioned capacity, 9 that of
    hosts' own storage. Storage of a whole zone counts in no pod and no cluster.
    """
    up = StoragePool.all_tenants.filter(state=StoragePool.State.UP, **within(where)).exclude(**{level: None})
    shared = up.filter(host=None).values_list(level)
    sums = shared.annotate(Sum("stored_bytes"), Sum("size_bytes"), Sum("used_bytes"), Sum("capacity_bytes"))
    for place, stored, size, used, capacity in sums.order_by(level):
        yield Amount(STORED, place, stored, size)
        yield Amount(PROMISED, place, used, capacity)
    local = up.exclude(host=None).values_list(level).annotate(Sum("used_bytes"), Sum("capacity_bytes"))
    for place, used, capacity in local.order_by(level):
        yield Amount(LOCAL, place, used, capacity)
