"""Books of primary storage: what pools have promised, and states that go together."""

from collections.abc import Iterator

from django.db.models import BigIntegerField, F, Q, Sum
from django.db.models.functions import Coalesce

from apps.core.audit import audit
from apps.core.models import Question
from apps.storage.models import StoragePool, StoragePoolTag, Volume
from apps.storage.services import pool_limits, primary_storage, volumes

V, S = Volume.State, StoragePool.Scope


@audit("storage: pools have promised what their volumes have")
def promised() -> Iterator[str]:
    sums = Coalesce(Sum("volumes__size"), 0, output_field=BigIntegerField())
    wrong = StoragePool.including_removed.annotate(held=sums).exclude(used_bytes=F("held"))
    for uuid, used, held in wrong.order_by("pk").values_list("uuid", "used_bytes", "held"):
        yield f"pool {uuid}: {used} bytes are promised, its volumes have {held}"


@audit("storage: pools promise what their size and the settings give")
def limits() -> Iterator[str]:
    for pool in StoragePool.all_tenants.order_by("pk"):
        capacity = int(pool.size_bytes * pool_limits.FACTOR.value(pool))
        if abs(pool.capacity_bytes - capacity) > 1 or not 0 <= pool.placement_bytes <= pool.capacity_bytes:
            yield f"pool {pool.uuid}: capacity {pool.capacity_bytes}, places up to {pool.placement_bytes}"


@audit("storage: the place of a pool is that of its scope")
def places() -> Iterator[str]:
    for pool in StoragePool.all_tenants.select_related("zone", "cluster", "host").order_by("pk"):
        at = primary_storage.Place(pool.scope, pool.zone, "", cluster=pool.cluster, host=pool.host)
        if {S.HOST: pool.host, S.CLUSTER: pool.cluster}.get(S(pool.scope), pool.zone) is None or pool.place != at.key:
            yield f"pool {pool.uuid}: {pool.scope} at {pool.place or 'no place'}"


@audit("storage: a pool that is gone has neither volumes nor tags")
def leftovers() -> Iterator[str]:
    for uuid in Volume.including_removed.exclude(pool__removed=None).values_list("uuid", flat=True):
        yield f"volume {uuid}: its pool is removed"
    for tag in StoragePoolTag.objects.exclude(pool__removed=None).values_list("tag", flat=True):
        yield f"tag {tag} of a pool that is removed"


@audit("storage: volumes that are gone are expunged or on their way, and the others are neither")
def removed() -> Iterator[str]:
    rows, gone = Volume.including_removed, Q(state__in=(V.EXPUNGING, V.EXPUNGED))
    for uuid, state in rows.filter(gone, removed=None).order_by("pk").values_list("uuid", "state"):
        yield f"volume {uuid}: it is {state} and its owner still has it"
    for uuid, state in rows.exclude(gone).exclude(removed=None).order_by("pk").values_list("uuid", "state"):
        yield f"volume {uuid}: it is {state} and removed"
    for uuid in rows.filter(state=V.EXPUNGED).exclude(pool=None).order_by("pk").values_list("uuid", flat=True):
        yield f"volume {uuid}: it is Expunged and has a pool"


@audit("storage: a resize is under way where a question about it is open, and nowhere else")
def resizes() -> Iterator[str]:
    asked = Question.objects.filter(kind=volumes.RESIZE.kind).values("row_id")
    resizing = Q(state=V.RESIZING)
    said = Q(target_size=None, settled_size=None, target_offering=None)
    rows = Volume.including_removed
    wrong = rows.filter(resizing).exclude(pk__in=asked) | rows.filter(pk__in=asked).exclude(resizing)
    wrong |= rows.exclude(resizing).exclude(said)
    for uuid, state in wrong.order_by("pk").values_list("uuid", "state"):
        yield f"volume {uuid}: it is {state}, which does not go with what is asked about its size"


@audit("storage: volumes have a size, the larger one while they are resized")
def sizes() -> Iterator[str]:
    wrong = Volume.including_removed.filter(
        Q(size__lte=0) | Q(target_size__gt=F("size")) | Q(settled_size__gt=F("size"))
    )
    for uuid, size in wrong.order_by("pk").values_list("uuid", "size"):
        yield f"volume {uuid}: {size} bytes"
