"""Owned rows: who owns them, where that owner sits in the domain tree, and what they count against.

Three writers of these columns only: ``admit()``, ``reassign()`` and ``domains.move()``; an audit compares the copies.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

from django.apps import apps
from django.db import models
from django.db.models import Q

from apps.core import ports, rows
from apps.core.errors import InvalidParameter, ResourceInUse
from apps.core.models import Tag
from apps.core.reach import Owned, Reach
from apps.core.retry import atomically
from apps.core.rows import PathField


class NotAdmitted(RuntimeError):
    """An owned row was about to be inserted without a limit check."""


class OwnedQuerySet(rows.RowQuerySet):
    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        raise NotAdmitted(f"{self.model.__name__} rows are created by admit()")


class OwnedManager(models.Manager.from_queryset(OwnedQuerySet)):  # type: ignore[misc]
    def get_queryset(self) -> OwnedQuerySet:
        return super().get_queryset().filter(removed=None)


class OwnedResource(rows.Row):
    reach: ClassVar[Reach] = Owned()
    guarded = rows.Row.guarded | {"owner", "owner_id", "domain_path", "in_project", "is_counted"}
    counts: ClassVar[dict[str, int | str]] = {}  # limit kind -> a number, or the field that is summed
    tag_types: ClassVar[dict[str, Q]] = {}  # what createTags calls the rows -> which of them; empty: they have no tags

    owner = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+", db_index=False, editable=False)
    domain_path = PathField()
    # Project rows never show without "projectid": the flag is copied, because a join to find out costs the page.
    in_project = models.BooleanField(default=False, editable=False)
    # A destroyed machine that may be recovered exists and counts nothing; neither do machines of the system.
    is_counted = models.BooleanField(default=True, editable=False)

    including_removed = models.Manager.from_queryset(OwnedQuerySet)()  # type: ignore[misc]
    all_tenants = OwnedManager()  # type: ignore[misc]
    objects = rows.ScopedManager()  # type: ignore[misc]

    class Meta(rows.Row.Meta):
        abstract = True
        indexes = [
            models.Index(fields=["owner", "removed", "id"], name="%(class)s_owner"),
            models.Index(fields=["domain_path", "in_project", "removed", "id"], name="%(class)s_scope"),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self._state.adding and not getattr(self, "_admitted", False):
            raise NotAdmitted(f"{type(self).__name__} rows are created by admit()")
        if not self._state.adding and set(kwargs.get("update_fields") or ()) & set(self.counts.values()):
            raise RuntimeError(f"{self}: a counted column changes by resize()")
        super().save(*args, **kwargs)

    def mark_removed(self) -> bool:
        """The tags go with the row."""
        done = super().mark_removed()
        if done and self.tag_types:
            self.tag_rows.delete()
        return done

    @property
    def tag_rows(self) -> Any:
        model: Any = self._meta.concrete_model
        return Tag.objects.filter(kind=model._meta.label_lower, row_id=self.pk)

    @property
    def amounts(self) -> dict[str, int]:
        if not self.is_counted:
            return {}
        return {kind: n if isinstance(n, int) else getattr(self, n) for kind, n in self.counts.items()}

    def read_amounts(self, *more: str) -> None:
        """Anew: in a transaction that has written the row, so that what is read is what stays."""
        if names := [*more, *(name for name in self.counts.values() if isinstance(name, str))]:
            self.refresh_from_db(fields=names, from_queryset=type(self).including_removed.all())


O = TypeVar("O", bound=OwnedResource)  # noqa: E741


def owned_models() -> list[type[OwnedResource]]:
    """Each table once: a proxy has the rows of its table."""
    return [model for model in apps.get_models() if issubclass(model, OwnedResource) and not model._meta.proxy]


def placed_models() -> list[Any]:
    """All that carry a copy of their owner's place: owned rows, and what is told about them."""

    def has_place(model: Any) -> bool:
        fields = model._meta.fields
        return any(isinstance(field, PathField) and field.name == "domain_path" for field in fields)

    return [model for model in apps.get_models() if has_place(model) and not model._meta.proxy]


@atomically
def admit(model: type[O], owner: Any, **values: Any) -> O:
    """Insert an owned row if the limits of the owner and of the domains above allow it. The only way to insert one.

    ``is_counted=False`` for what belongs to the system and counts against nobody.
    """
    _check_open(owner)
    row = model(owner=owner, domain_path=_placed(owner), in_project=owner.is_project, **values)
    ports.limits.one().take(owner, row.amounts)
    row._admitted = True  # type: ignore[attr-defined]
    row.save()
    return row


def _check_open(owner: Any) -> None:
    """And it stays so until this transaction ends: what it gets is there before its deletion looks, or never."""
    state, removed = rows.held(owner, "state", "removed")
    if state == "disabled" or removed:
        what = "was removed" if removed else "is disabled"
        raise InvalidParameter(f"account {owner.name} {what}: nothing new can belong to it")


def _placed(owner: Any) -> str:
    """Where the owner is now: a move of its domain waits for this transaction, or this for the move. What an owner that
    was read long ago says of its place is not asked: counters of the wrong domains would be changed.
    """
    owner.domain.path = str(rows.held(owner.domain, "path")[0])
    return str(owner.domain.path)


@atomically
def uncount(row: OwnedResource) -> bool:
    """Give back what the row counts, and keep the row: ``count_again`` takes it again. Once, however often called."""
    _placed(row.owner)
    if done := bool(type(row).all_tenants.filter(pk=row.pk, is_counted=True).kernel_update(is_counted=False)):
        row.is_counted = True
        row.read_amounts()
        ports.limits.one().give(row.owner, row.amounts)
    row.is_counted = False
    return done


@atomically
def count_again(row: OwnedResource) -> bool:
    _placed(row.owner)
    if done := bool(type(row).all_tenants.filter(pk=row.pk, is_counted=False).kernel_update(is_counted=True)):
        row.is_counted = True
        row.read_amounts()
        ports.limits.one().take(row.owner, row.amounts)
    return done


@atomically
def release(row: OwnedResource) -> bool:
    """Remove the row and give back what it counted, once, however often this is called."""
    _placed(row.owner)
    if done := row.mark_removed():
        row.read_amounts("is_counted")
        ports.limits.one().give(row.owner, row.amounts)
    return done


@atomically
def resize(row: OwnedResource, field: str, value: int) -> None:
    """Change a counted column and its counters by the same difference, if nobody changed it meanwhile."""
    _placed(row.owner)
    old = getattr(row, field)
    kinds = [kind for kind, source in row.counts.items() if source == field]
    kinds = kinds if row.is_counted else []
    ports.limits.one().take(row.owner, {kind: value - old for kind in kinds if value > old})
    ports.limits.one().give(row.owner, {kind: old - value for kind in kinds if value < old})
    same = {field: old, "is_counted": row.is_counted}
    if not type(row).all_tenants.filter(pk=row.pk, **same).kernel_update(**{field: value}):
        raise ResourceInUse(f"{row} was changed meanwhile")
    setattr(row, field, value)


@atomically
def reassign(row: OwnedResource, owner: Any) -> None:
    _check_open(owner)
    _placed(row.owner)
    old, place = row.owner, {"domain_path": _placed(owner), "in_project": owner.is_project}
    if not type(row).all_tenants.filter(pk=row.pk, owner=old).kernel_update(owner=owner, **place):
        raise ResourceInUse(f"{row} got another owner meanwhile")
    row.read_amounts("is_counted")
    ports.limits.one().take(owner, row.amounts)
    ports.limits.one().give(old, row.amounts)
    if row.tag_types:
        row.tag_rows.update(owner=owner, **place)
    row.owner, row.domain_path, row.in_project = owner, place["domain_path"], place["in_project"]
