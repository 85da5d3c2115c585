"""Tags: words that owners put on their rows. Models say which rows can have some (``tag_types``); where a row goes, is
given away or moves with its domain, the kernel takes its tags along.
"""

from collections.abc import Mapping, Sequence
from functools import cache, reduce
from operator import or_
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from apps.core.errors import InvalidParameter
from apps.core.models import Tag
from apps.core.ownership import OwnedResource, owned_models
from apps.core.retry import atomically

LONGEST = 255


@cache
def kinds() -> dict[str, tuple[str, type[OwnedResource], Q]]:
    """By the lower-cased word of the wire: the word, the model, and which of its rows."""
    return {word.lower(): (word, model, which) for model in owned_models() for word, which in model.tag_types.items()}


def kind(word: str) -> tuple[str, type[OwnedResource], Q]:
    if found := kinds().get(word.lower()):
        return found
    known = ", ".join(sorted(word for word, _, _ in kinds().values()))
    raise InvalidParameter(f"resourcetype: {word} is none of the resources that have tags: {known}")


@atomically
def create(*, word: str, rows: Sequence[OwnedResource], tags: Mapping[str, str], customer: str = "") -> None:
    """On all the rows or, where one has such a key already, on none."""
    for key, value in tags.items():
        _check(key, value)
    if len({key.lower() for key in tags}) < len(tags):
        raise InvalidParameter("tags: the same key comes twice")
    held = _held(rows)
    if taken := Tag.objects.filter(_on(held), _named(dict.fromkeys(tags))).order_by("pk").first():
        raise InvalidParameter(f"tags: {taken.resource_type} {taken.resource} has a tag {taken.key} already")
    try:
        with transaction.atomic():
            Tag.objects.bulk_create(
                [_tag(row, word, customer, key, value) for row in held for key, value in tags.items()], batch_size=500
            )
    except IntegrityError:  # what is the same key is the database's to say: accents, blanks at the end
        raise InvalidParameter("tags: two of the keys, or one and one that is there, are the same") from None


def _check(key: str, value: str) -> None:
    if not key or len(key) > LONGEST:
        raise InvalidParameter(f"tags: a key has from 1 to {LONGEST} characters")
    if not value:
        raise InvalidParameter(f"tags: the key {key} has no value")
    if len(value) > LONGEST:
        raise InvalidParameter(f"tags: the value of {key} has more than {LONGEST} characters")


def _held(rows: Sequence[OwnedResource]) -> list[Any]:
    """As they are now, and until the transaction ends: a row that is removed at this moment takes no tag along."""
    model, keys = type(rows[0]), {row.pk for row in rows}
    held = list(model.all_tenants.select_for_update().filter(pk__in=keys).order_by("pk"))
    if len(held) != len(keys):
        raise InvalidParameter("resourceids: one of the resources was removed at this moment")
    return held


def _on(rows: Sequence[OwnedResource]) -> Q:
    return Q(kind=rows[0]._meta.label_lower, row_id__in=[row.pk for row in rows])


def _named(tags: Mapping[str, str | None]) -> Q:
    """Keys and values are compared without case, as the database of the original does."""
    each = (Q(key__iexact=key, **({"value__iexact": value} if value else {})) for key, value in tags.items())
    return reduce(or_, each)


def _tag(row: Any, word: str, customer: str, key: str, value: str) -> Tag:
    whose = {"owner_id": row.owner_id, "domain_path": row.domain_path, "in_project": row.in_project}
    what = {"kind": row._meta.label_lower, "row_id": row.pk, "resource_type": word, "resource": row.uuid}
    return Tag(**what, **whose, customer=customer, key=key, value=value)


@atomically
def delete(*, rows: Sequence[OwnedResource], tags: Mapping[str, str | None]) -> None:
    """Those with these keys and, where one is said, this value; without any, all that the rows have."""
    found = Tag.objects.filter(_on(rows))
    if tags:
        found = found.filter(_named(tags))
    if not found.delete()[0]:
        raise InvalidParameter("tags: the resources have no such tags")


@atomically
def copy(*, source: OwnedResource, target: OwnedResource, word: str) -> None:
    """What ``source`` is tagged with, ``target`` is tagged with too; its own tags stay as they are."""
    mine = set(target.tag_rows.values_list("key", flat=True))
    given = {key: value for key, value in source.tag_rows.values_list("key", "value") if key not in mine}
    Tag.objects.bulk_create([_tag(target, word, "", key, value) for key, value in given.items()])
