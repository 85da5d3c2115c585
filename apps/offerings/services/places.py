"""Where an offering is offered: its domains and zones, none meaning all."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.core.errors import InvalidParameter
from apps.domains.models import Domain
from apps.infrastructure.models import Zone
from apps.offerings.models import Offering


@dataclass(frozen=True)
class Places:
    """None leaves what is there."""

    domains: Sequence[Domain] | None = None
    zones: Sequence[Zone] | None = None


def place(offering: Offering, places: Places) -> None:
    """Domains that lie below another one of them add nothing and are dropped."""
    if places.domains is not None:
        offering.domains.set(_topmost(places.domains))
    if places.zones is not None:
        offering.zones.set(places.zones)
        offering.zone = places.zones[0] if len(set(places.zones)) == 1 else None
        offering.save(update_fields=["zone"])


def _topmost(domains: Sequence[Domain]) -> list[Domain]:
    paths = {domain.path for domain in domains}
    return [d for d in domains if not any(d.path != path and d.path.startswith(path) for path in paths)]


def comma_list(name: str, text: str) -> str:
    """Tags as they are stored: no blanks round them, none twice, no empty ones."""
    tags = list(dict.fromkeys(tag.strip() for tag in text.split(",") if tag.strip()))
    joined = ",".join(tags)
    if len(joined) > 255:
        raise InvalidParameter(f"{name}: tags of {len(joined)} characters are too long, 255 at most")
    return joined
