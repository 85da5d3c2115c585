"""Filters of a list page, from those of its command."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.core import wire
from apps.core.commands import REGISTRY
from apps.core.lists import ListCommand
from apps.core.refs import RefFilter
from apps.portal import looks, words
from apps.portal.kinds import Kind, kind_of
from apps.portal.visits import NotFound, Visit

Text = str | Promise
MOST = 200  # rows that a filter offers
BY_NAME = {"keypair": "accounts.SshKeyPair"}  # filters by the name of a row, not by its id


@dataclass(frozen=True)
class Option:
    value: str
    text: Text
    chosen: bool = False


@dataclass
class Filter:
    """One filter as it stands on this page."""

    visit: Visit
    listing: str
    name: str
    value: str

    @property
    def label(self) -> Text:
        return words.label(self.name)

    @cached_property
    def field(self) -> wire.Field:
        return REGISTRY[self.listing].fields[self.name]

    @property
    def kind(self) -> str:
        if isinstance(self.field, wire.Date):
            return "date"
        return "select" if self.options or isinstance(self.field, RefFilter) else "text"

    @cached_property
    def options(self) -> list[Option]:
        if isinstance(self.field, RefFilter):
            return self._rows(kind_of(self.field.to))
        if self.name in BY_NAME:
            return self._rows(kind_of(BY_NAME[self.name]))
        if isinstance(self.field, wire.Bool):
            return [self._option("true", _("Yes")), self._option("false", _("No"))]
        return [self._option(value, looks.state_label(value)) for value in choices(self.listing, self.name)]

    def _rows(self, kind: Kind | None) -> list[Option]:
        if kind is None or not self.visit.may(kind.listing):
            return []
        rows = kind.rows(self.visit, page=1, pagesize=MOST).rows
        return [self._option(str(row[kind.key]), kind.title(row)) for row in rows]

    def _option(self, value: str, text: str) -> Option:
        return Option(value, text, value == self.value)

    @property
    def said(self) -> str:
        """Of the tag: what it is set to, in words."""
        return f"{self.label}: {self._value_in_words()}"

    def _value_in_words(self) -> str:
        if isinstance(self.field, RefFilter) and (kind := kind_of(self.field.to)) and self.visit.may(kind.listing):
            try:
                return kind.title(kind.one_of(self.visit, self.value))
            except NotFound:
                return self.value
        return next((str(option.text) for option in self.options if option.chosen), self.value)


def choices(listing: str, name: str) -> tuple[str, ...]:
    """The values that the column behind a filter can have."""
    field = REGISTRY[listing].fields[name]
    if given := getattr(field, "choices", ()):
        return tuple(given)
    cls: Any = REGISTRY[listing].cls
    if not issubclass(cls, ListCommand):
        return ()
    column = field.lookup.removesuffix("__iexact") or name
    try:
        found = apps.get_model(cls.model)._meta.get_field(column)
    except FieldDoesNotExist:
        return ()
    return tuple(str(value) for value, _label in getattr(found, "choices", None) or ())
