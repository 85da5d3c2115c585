"""Jobs by the row that they are about, as the wire names it."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from django.apps import apps

from apps.core.kinds import resource_type
from apps.core.prepared import KeysSlot, Prepared
from apps.jobs.models import Job


@cache
def models_called(kind: str) -> tuple[Any, ...]:
    """The models that the wire calls so, in any case; "Iso" is a template too."""
    name = {"iso": "template"}.get(kind.lower(), kind.lower())
    return tuple(m for m in apps.get_models() if hasattr(m, "including_removed") and resource_type(m).lower() == name)


def row_called(kind: str, uuid: str) -> tuple[str, int] | None:
    """Label and key of this row, removed or not; a proxy is tried before its table."""
    for model in sorted(models_called(kind), key=lambda m: not m._meta.proxy):
        if key := model.including_removed.filter(model.named, uuid=uuid).values_list("pk", flat=True).first():
            return model._meta.label_lower, key
    return None


def latest_about(row: tuple[str, int]) -> int | None:
    jobs = Job.objects.filter(row_kind=row[0], row_id=row[1])
    return jobs.order_by("-pk").values_list("pk", flat=True).first()


def uuids(rows: Sequence[tuple[str, int | None]]) -> Mapping[tuple[str, int], str]:
    """Of those that are still there; one query for each kind of row."""
    found: dict[tuple[str, int], str] = {}
    for kind in {kind for kind, key in rows if kind and key}:
        keys = [key for each, key in rows if each == kind and key]
        found |= {(kind, key): str(uuid) for key, uuid in _living(kind, keys)}
    return found


def _living(kind: str, keys: list[int]) -> list[tuple[int, UUID]]:
    asked = _ids(kind)
    return asked(keys=keys) if asked else []


@cache
def _ids(kind: str) -> Prepared | None:
    try:
        model: Any = apps.get_model(kind)
    except LookupError:  # of a release that is gone
        return None
    if not hasattr(model, "all_tenants"):
        return None
    return Prepared(lambda: model.all_tenants.filter(pk__among=KeysSlot("keys")).values_list("pk", "uuid"))
