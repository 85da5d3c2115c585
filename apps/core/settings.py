"""Operator settings, declared typed by the app that reads them: ``Setting("expunge.delay", 86400, ...)``.

The type is that of the default. What an operator stored is text in the database; ``value()`` reads it, for a row of its
scope first, then globally, then the default. A setting that nothing declares is known by name only and has no effect.
"""

from typing import Any, Generic, TypeVar

from apps.core import ports
from apps.core.errors import InvalidParameter

V = TypeVar("V", bool, int, float, str)
SETTINGS: dict[str, "Setting[Any]"] = {}
SCOPES = ("zone", "cluster", "storagepool", "account", "domain")


class Setting(Generic[V]):
    def __init__(
        self,
        name: str,
        default: V,
        *,
        help_text: str,
        scope: str = "",
        category: str = "Advanced",
        minimum: float | None = None,
        choices: tuple[str, ...] = (),
        secret: bool = False,
    ):
        """``scope`` names the kind of row that may have its own value; ``secret`` ones are stored encrypted."""
        if name in SETTINGS or (scope and scope not in SCOPES):
            raise TypeError(f"setting {name} is declared twice, or has no scope {scope}")
        self.name, self.help_text, self.scope = name, help_text, scope
        self.default: V = default
        self.category, self.minimum, self.choices, self.secret = category, minimum, choices, secret
        SETTINGS[name] = self

    def value(self, scope: Any | None = None) -> V:
        """The value that holds for ``scope``, a row of the declared kind, or globally."""
        text = ports.settings.one().value(self, scope)
        return self.default if text is None else self.read(text)

    def read(self, text: str) -> V:
        """Typed, or InvalidParameter: what an operator types is checked before it is stored."""
        kind: Any = type(self.default)
        try:
            value: Any = {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
        except (ValueError, KeyError):
            raise InvalidParameter(f"value: {self.name} takes a {kind.__name__}, not {text!r}") from None
        if self.minimum is not None and value < self.minimum:
            raise InvalidParameter(f"value: {self.name} must be {self.minimum} or more")
        if self.choices and value not in self.choices:
            raise InvalidParameter(f"value: {self.name} must be one of {', '.join(self.choices)}")
        return value
