"""Answers ``core.settings``. Every process keeps all stored values: settings are read on hot paths."""

import logging
from typing import Any, NamedTuple

from django.db import DatabaseError

from apps.configuration.models import Value
from apps.configuration.places import GLOBALLY, Place, places_of
from apps.core import ports, secret
from apps.core.kept import Kept
from apps.core.retry import atomically

log = logging.getLogger(__name__)


class Stored(NamedTuple):
    text: str
    updated: Any
    by: str


class Store:
    def __init__(self) -> None:
        self._values: dict[tuple[str, str, int], Stored] = {}
        self._kept = Kept(seconds=1)

    def value(self, setting: Any, scope: Any | None) -> str | None:
        found = self.found(setting, scope)
        return self.plain(setting, found[1]) if found else None

    def found(self, setting: Any, scope: Any | None) -> tuple[Place, Stored] | None:
        """What holds for this row, and where it was set."""
        self._refresh()
        for place in places_of(setting, scope) if scope is not None else (GLOBALLY,):
            if stored := self._values.get((setting.name, *place)):
                return place, stored
        return None

    @staticmethod
    def plain(setting: Any, stored: Stored) -> str:
        return secret.unseal(stored.text) if setting.secret and stored.text else stored.text

    @atomically
    def store(self, name: str, text: str, *, kind: str = "", row_id: int = 0, by: str = "") -> None:
        """``text`` as it lies in the database: sealed already where the setting is secret."""
        Value.objects.update_or_create(name=name, kind=kind, row_id=row_id, defaults={"value": text, "updated_by": by})
        self._changed(name)

    @atomically
    def remove(self, name: str, *, kind: str = "", row_id: int = 0) -> None:
        Value.objects.filter(name=name, kind=kind, row_id=row_id).delete()
        self._changed(name)

    def _changed(self, name: str) -> None:
        self._kept.outdated()
        for answer in ports.setting_changed.all():
            answer(name)

    def forget(self) -> None:
        self._kept.forget()

    def _refresh(self) -> None:
        if self._kept.is_good:
            return
        began = self._kept.word()
        try:
            rows = Value.objects.values_list("name", "kind", "row_id", "value", "updated", "updated_by")
            self._values = {row[:3]: Stored(*row[3:]) for row in rows}
        except DatabaseError as error:  # an answer that says so has settings too; it goes on with what was known
            log.warning("settings cannot be read, going on with those of before: %s", error)
        self._kept.taken(began)


STORE = Store()
