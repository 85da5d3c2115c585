"""Answers ``core.settings``. Every process keeps all stored values for a second: settings are read on hot paths."""

import time
from typing import Any

from apps.configuration.models import Value
from apps.core import ports, secret
from apps.core.retry import atomically

KEPT_FOR = 1.0  # seconds


class Store:
    def __init__(self) -> None:
        self._values: dict[tuple[str, str, int], str] = {}
        self._until = 0.0

    def value(self, setting: Any, scope: Any | None) -> str | None:
        self._refresh()
        text = self._values.get((setting.name, setting.scope, scope.pk)) if scope is not None else None
        if text is None:
            text = self._values.get((setting.name, "", 0))
        return secret.unseal(text) if text and setting.secret else text

    @atomically
    def store(self, name: str, text: str, *, kind: str = "", row_id: int = 0, by: str = "") -> None:
        """``text`` as it lies in the database: sealed already where the setting is secret."""
        Value.objects.update_or_create(name=name, kind=kind, row_id=row_id, defaults={"value": text, "updated_by": by})
        self.forget()
        for answer in ports.setting_changed.all():
            answer(name)

    def forget(self) -> None:
        self._until = 0.0

    def _refresh(self) -> None:
        if time.monotonic() < self._until:
            return
        rows = Value.objects.values_list("name", "kind", "row_id", "value")
        self._values = {(name, kind, row_id): value for name, kind, row_id, value in rows}
        self._until = time.monotonic() + KEPT_FOR


STORE = Store()
