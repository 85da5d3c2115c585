"""Copies of templates in image stores, one per zone: their states, and what they count."""

from pathlib import Path
from typing import Any

from django.db.models import F, QuerySet

from apps.core.ownership import resize
from apps.core.prepared import Prepared, Slot
from apps.core.retry import atomically
from apps.images.models import ImageStore, Template, TemplateCopy
from apps.images.packing import unpacker
from apps.images.states import COPY
from apps.infrastructure.models import Zone

OF_THE_INSTALLATION = (Template.Kind.SYSTEM, Template.Kind.BUILTIN)
GIB, MIB = 1 << 30, 1 << 20


def living(**which: Any) -> QuerySet[TemplateCopy]:
    return TemplateCopy.all_tenants.filter(**which)


def store_of(zone: Zone) -> ImageStore | None:
    """The writable one with the most room."""
    rows = ImageStore.all_tenants.filter(zone=zone, is_readonly=False)
    return rows.order_by(F("used_bytes") - F("capacity_bytes"), "pk").first()


def arrived(copy: TemplateCopy, physical: int, virtual: int) -> None:
    """In the transaction that ends the download: refused by the limit of secondary storage, it ends without success."""
    COPY.fire(copy, "OperationSucceeded", percent=100, physical_bytes=physical, error="")
    template = copy.template
    if not template.size_bytes:
        template.size_bytes = virtual
        template.save(update_fields=["size_bytes"])
    ImageStore.all_tenants.filter(pk=copy.store_id).update(used_bytes=F("used_bytes") + physical)
    _count(copy.template_id, physical)


def failed(copy: TemplateCopy, why: str) -> None:
    COPY.fire(copy, "OperationFailed")
    COPY.fire(copy, "OperationFailed", error=why[:255])


@atomically
def forget(copy: TemplateCopy) -> None:
    """When its file is gone."""
    if copy.removed:
        return
    COPY.fire(copy, "DestroyRequested")
    COPY.fire(copy, "OperationSucceeded")
    copy.mark_removed()
    ImageStore.all_tenants.filter(pk=copy.store_id).update(used_bytes=F("used_bytes") - copy.physical_bytes)
    _count(copy.template_id, -copy.physical_bytes)


def _count(template_id: int, more: int) -> None:
    """Locked and read anew: copies for several zones may arrive at the same moment."""
    row = Template.including_removed.select_for_update().get(pk=template_id)
    if more:
        resize(row, "stored_bytes", row.stored_bytes + more)


def source_of(template: Template, zone: int) -> tuple[str, str]:
    """Where hosts of the zone find it, and the checksum of what they find there. A packed image lies unpacked in
    secondary storage: the checksum that was given is not that of the file.
    """
    url = url_of(template, zone)
    if not url:
        return template.url, template.checksum
    return url, "" if unpacker(template.url) else template.checksum


READY = Prepared(lambda: _ready(Slot("template"), Slot("zone")).values_list("store__url", "path").order_by("pk")[:1])


def _ready(template: Any, zone: Any) -> Any:
    return living(template=template, zone=zone, state=TemplateCopy.State.READY).exclude(store=None)


def url_of(template: Template, zone: int) -> str:
    """Where hosts of the zone find it; "" where it is in no secondary storage."""
    found = READY.first(template=template.pk, zone=zone)
    return f"{found[0].rstrip('/')}/template/{found[1]}" if found else ""


def file_of(copy: TemplateCopy, root: Path) -> Path:
    return root / "template" / copy.path
