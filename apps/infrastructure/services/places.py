"""What zones, pods, clusters and physical networks have in common: unique names, and things that stand on them."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from apps.core.errors import InvalidParameter, ResourceInUse
from apps.core.rows import Row


def save_named(row: Any, parameter: str = "name", **how: Any) -> None:
    try:
        with transaction.atomic():
            row.save(**how)
    except IntegrityError:
        raise InvalidParameter(f"{parameter}: there is a {row._meta.verbose_name} {row.name} already") from None


def hold(row: Row) -> None:
    """Who deletes a place and who puts something there both do this first: one of them sees the other."""
    if not type(row).all_tenants.filter(pk=row.pk).update(name=F("name")):
        raise ResourceInUse(f"{row} was deleted at this moment")
