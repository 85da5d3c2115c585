"""Questions about offerings that other apps ask."""

from functools import cache
from typing import Any

from apps.core.prepared import Prepared, Slot
from apps.infrastructure.models import Zone
from apps.offerings.models import Offering


def is_offered_in(offering: Offering, zone: Zone) -> bool:
    """An offering without zones is offered in all."""
    zones = _zones_of(type(offering))(offering=offering.pk)
    return not zones or zone.pk in zones


@cache
def _zones_of(model: type[Offering]) -> Prepared:
    field: Any = model._meta.get_field("zones")
    key, links = field.m2m_column_name(), field.remote_field.through.objects
    return Prepared(lambda: links.filter(**{key: Slot("offering")}).values_list("zone_id", flat=True))
