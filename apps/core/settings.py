"""Operator settings, declared typed by the app that reads them: ``Setting("expunge.delay", 86400, ...)``.

The type is that of the default. What an operator stored is text in the database; ``value()`` reads it, for a row of its
scopes first and for those that the row lies in, then globally, then the default. A setting that nothing declares is
known by name only and has no effect.
"""

import math
import re
from typing import Any, Generic, TypeVar

from apps.core import ports
from apps.core.errors import InvalidParameter

V = TypeVar("V", bool, int, float, str)
SETTINGS: dict[str, "Setting[Any]"] = {}
SCOPES = ("zone", "cluster", "storagepool", "imagestore", "account", "domain")
LARGEST = (1 << 31) - 1  # whole number, where a setting says no other: as columns and parameters have it


class Setting(Generic[V]):
    def __init__(
        self,
        name: str,
        default: V,
        *,
        help_text: str,
        scope: str | tuple[str, ...] = (),
        category: str = "Advanced",
        minimum: float | None = None,
        maximum: float | None = None,
        choices: tuple[str, ...] = (),
        secret: bool = False,
    ):
        """``scope`` names the kinds of rows that may have their own value; ``secret`` ones are stored encrypted."""
        self.scopes = (scope,) if isinstance(scope, str) else scope
        if name in SETTINGS or set(self.scopes) - set(SCOPES):
            raise TypeError(f"setting {name} is declared twice, or has no scope {scope}")
        self.name, self.help_text = name, help_text
        self.default: V = default
        self.category, self.minimum, self.choices, self.secret = category, minimum, choices, secret
        self.maximum: float | None = LARGEST if maximum is None and type(default) is int else maximum
        self.register()

    def register(self) -> None:
        SETTINGS[self.name] = self

    def value(self, scope: Any | None = None) -> V:
        """The value that holds for ``scope``, a row of a declared kind or inside one, or globally."""
        text = ports.settings.one().value(self, scope)
        return self.default if text is None else self.read(text)

    def read(self, text: str) -> V:
        """Typed, or InvalidParameter: what an operator types is checked before it is stored."""
        kind: Any = type(self.default)
        try:
            value: Any = PARSERS[kind](text)
        except (ValueError, KeyError):
            raise InvalidParameter(f"value: {self.name} takes a {kind.__name__}, not {text!r}") from None
        if self.minimum is not None and value < self.minimum:
            raise InvalidParameter(f"value: {self.name} must be {self.minimum} or more")
        if self.maximum is not None and value > self.maximum:
            raise InvalidParameter(f"value: {self.name} must be {self.maximum} or less")
        if self.choices and value not in self.choices:
            raise InvalidParameter(f"value: {self.name} must be one of {', '.join(self.choices)}")
        return value


def _whole(text: str) -> int:
    """Python's ``int()`` takes blanks, "1_000" and digits of other scripts too."""
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text, re.ASCII):
        raise ValueError(text)
    return int(text)


def _decimal(text: str) -> float:
    value = float(text) if text.isascii() and "_" not in text and text == text.strip() else math.nan
    if not math.isfinite(value):
        raise ValueError(text)
    return value


PARSERS: dict[type, Any] = {
    bool: lambda text: {"true": True, "false": False}[text.lower()],
    int: _whole,
    float: _decimal,
    str: str,
}
