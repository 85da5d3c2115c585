"""How much a pool may promise. What settings say is written into columns of pools, so that placement is one query."""

from typing import Any

from django.db.models import BigIntegerField, Case, F, Q, Value, When
from django.db.models.functions import Cast, Floor

from apps.configuration.models import Value as Stored
from apps.core.retry import atomically
from apps.core.settings import Setting
from apps.storage.models import StoragePool

FACTOR = Setting(
    "storage.overprovisioning.factor",
    2.0,
    scope="storagepool",
    category="Storage",
    minimum=1.0,
    maximum=100.0,
    help_text="How many times its size primary storage promises to volumes.",
)
STORED = Setting(
    "pool.storage.capacity.disablethreshold",
    0.85,
    scope="storagepool",
    minimum=0.0,
    maximum=1.0,
    help_text="The part of primary storage that may be full before no new volumes come there.",
)
PROMISED = Setting(
    "pool.storage.allocated.capacity.disablethreshold",
    0.85,
    scope="storagepool",
    minimum=0.0,
    maximum=1.0,
    help_text="The part of the over-provisioned capacity that new volumes may be promised.",
)
BEYOND = Setting(
    "volume.resize.allowed.beyond.allocation",
    False,
    scope="storagepool",
    help_text="Volumes may grow beyond what new ones are promised, up to a threshold of its own.",
)
GROWN = Setting(
    "pool.storage.allocated.resize.capacity.disablethreshold",
    0.9,
    scope="storagepool",
    category="Alert",
    minimum=0.0,
    maximum=1.0,
    help_text="That threshold: the part of the capacity up to which volumes may grow.",
)
ALL = Q()
IN_COLUMNS = (FACTOR.name, STORED.name, PROMISED.name)


def for_growth(pool: StoragePool) -> int:
    """Up to how many promised bytes volumes of this pool may grow."""
    return int(pool.capacity_bytes * GROWN.value(pool)) if BEYOND.value(pool) else pool.placement_bytes


@atomically
def refresh(which: Q = ALL) -> None:
    """Sizes or settings changed: one statement for all pools without settings of their own, one for each with some."""
    own = Stored.objects.filter(name__in=IN_COLUMNS, kind="storagepool").values("row_id")
    _write(StoragePool.all_tenants.filter(which).exclude(pk__in=own), None)
    for pool in StoragePool.all_tenants.filter(which, pk__in=own):
        _write(StoragePool.all_tenants.filter(pk=pool.pk), pool)


def _write(rows: Any, pool: StoragePool | None) -> None:
    rows.kernel_update(**columns(pool))


def columns(pool: StoragePool | None) -> dict[str, Any]:
    """As expressions over the size, with the settings of this pool or of all."""
    factor = FACTOR.value(pool)
    has_room = Q(stored_bytes__lte=F("size_bytes") * STORED.value(pool))
    promised = _whole(F("size_bytes") * (factor * PROMISED.value(pool)))
    return {
        "capacity_bytes": _whole(F("size_bytes") * factor),
        "placement_bytes": Case(When(has_room, then=promised), default=Value(0)),
    }


def _whole(number: Any) -> Cast:
    return Cast(Floor(number), BigIntegerField())


def setting_changed(name: str) -> None:
    if name in IN_COLUMNS:
        refresh()
