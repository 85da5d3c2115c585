"""Questions about offerings that other apps ask."""

from apps.infrastructure.models import Zone
from apps.offerings.models import Offering


def is_offered_in(offering: Offering, zone: Zone) -> bool:
    """An offering without zones is offered in all."""
    zones = set(offering.zones.values_list("pk", flat=True))
    return not zones or zone.pk in zones
