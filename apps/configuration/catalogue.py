"""All settings that this protocol knows by name, and those of our own. What no code declares is stored and listed, and
has no effect.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from apps.core.errors import InvalidParameter
from apps.core.settings import SETTINGS, Setting

DATA = Path(__file__).parent / "data"
NO_EFFECT = "accepted, no effect"
SECRET = ("Secure", "Hidden")
EMPTY: dict[str, Any] = {"Boolean": False, "Integer": 0, "Long": 0, "Float": 0.0, "Double": 0.0, "String": ""}
TYPES = {bool: "Boolean", int: "Number", float: "Decimal", str: "String"}


class Undeclared(Setting[Any]):
    """Known by name: it has a type and a default, and nobody reads it."""

    def __init__(self, entry: dict[str, Any]):
        kind, default = EMPTY[entry["type"]], entry.get("default")
        self.is_share = entry.get("listed") == "Range"
        super().__init__(
            entry["name"],
            kind,
            help_text=NO_EFFECT,
            scope=tuple(kind for kind in entry.get("scope", ()) if kind != "managementserver"),
            category=entry["category"],
            choices=_options(entry) if entry.get("listed") == "Select" else (),
            secret=entry["category"] in SECRET,
        )
        if default is not None:
            self.default = self.read(default)

    def register(self) -> None:
        """Not among those that code declares."""

    def read(self, text: str) -> Any:
        value = super().read(text)
        if self.is_share and not 0 <= value <= 1:
            raise InvalidParameter(f"value: {self.name} is a share: 0 to 1")
        return value


@dataclass(frozen=True)
class Known:
    setting: Setting[Any]
    group: str
    subgroup: str
    component: str
    type: str  # as it is listed
    default: str | None  # as text; None where there is none
    options: str
    is_dynamic: bool

    @property
    def name(self) -> str:
        return self.setting.name

    @property
    def is_hidden(self) -> bool:
        return self.setting.category == "Hidden"


@cache
def known() -> dict[str, Known]:
    """By name, in the order of names; read once, when all apps have declared theirs."""
    entries = {entry["name"]: entry for entry in json.loads((DATA / "settings.json").read_text())}
    names = sorted(entries.keys() | SETTINGS.keys())
    return {name: _known(SETTINGS.get(name), entries.get(name)) for name in names}


def _known(declared: Setting[Any] | None, entry: dict[str, Any] | None) -> Known:
    if declared is None:
        assert entry is not None  # noqa: S101 - a name is from one of the two
        setting: Setting[Any] = Undeclared(entry)
        default = entry.get("default")
    else:
        setting, default = declared, as_text(declared.default) or None
    entry = entry or {}
    return Known(
        setting=setting,
        group=entry.get("group", "Miscellaneous"),
        subgroup=entry.get("subgroup", "Others"),
        component=entry.get("component", "cloudportal"),
        type=entry.get("listed") or entry.get("type") or TYPES[type(setting.default)],
        default=default,
        options=",".join(setting.choices) or entry.get("options", ""),
        is_dynamic=declared is not None or entry.get("dynamic", False),
    )


def find(name: str) -> Known:
    if name not in known():
        raise InvalidParameter(f"name: there is no setting {name}")
    return known()[name]


def current(name: str, scope: Any | None = None) -> Any:
    """The typed value of any setting that is known by name, whoever declares it."""
    return find(name).setting.value(scope)


def as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def spoken(name: str) -> str:
    """ "expunge.delay" as "Expunge delay"."""
    words = " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.replace(".", " ").replace("-", " ")).split())
    return words[:1].upper() + words[1:]


def _options(entry: dict[str, Any]) -> tuple[str, ...]:
    return tuple(word.strip() for word in re.split(r"[,/]", entry.get("options", "")) if word.strip())


@cache
def groups() -> dict[str, int]:
    """Precedence by name."""
    return dict(json.loads((DATA / "groups.json").read_text()))
