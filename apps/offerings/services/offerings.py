"""What holds for offerings of every kind: inserting, changing and removing one."""

from collections.abc import Mapping
from typing import Any, TypeVar

from apps.core.errors import InvalidParameter
from apps.core.models import Detail
from apps.core.retry import atomically
from apps.offerings.models import Offering
from apps.offerings.services.places import Places, place

F = TypeVar("F", bound=Offering)


@atomically
def insert(row: F, places: Places, details: Mapping[str, str] | None = None) -> F:
    row.name = checked_name(row.name)
    row.display_text = row.display_text or row.name
    row.save()
    place(row, places)
    kind = row._meta.label_lower
    Detail.objects.bulk_create(Detail(kind=kind, row_id=row.pk, name=n, value=v) for n, v in (details or {}).items())
    return row


@atomically
def change(*, offering: F, places: Places, **changes: Any) -> F:
    if "name" in changes:
        checked_name(changes["name"])
    for name, value in changes.items():
        setattr(offering, name, value)
    if changes:
        offering.save(update_fields=list(changes))
    place(offering, places)
    return offering


def remove(*, offering: Offering) -> None:
    """The row stays for those that were made of it: their answers name it as before."""
    offering.mark_removed()


def checked_name(name: str) -> str:
    if not name.strip():
        raise InvalidParameter("name: an offering has a name")
    return name


def checked_details(name: str, details: Mapping[str, str]) -> Mapping[str, str]:
    for key in details:
        if not key or len(key) > 255:
            raise InvalidParameter(f"{name}: a detail has a name of 1 to 255 characters")
    return details
