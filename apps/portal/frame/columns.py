"""Columns and facts from the fields of a response: the type and the source of a field give its look and its link."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.apps import apps
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core.responses import ALL, Batch, Computed, Field, Many, Response, View, wire_type
from apps.portal import looks, words
from apps.portal.components import Copy, State
from apps.portal.kinds import kind_of
from apps.portal.labels import LABELS
from apps.portal.visits import Row

Text = str | Promise
Cell = str | SafeString


@dataclass(frozen=True)
class Look:
    """How a value is shown in a cell; ``fact`` where there is room for a button that copies it."""

    cell: Callable[[Any], Cell]
    css: str = ""
    fact: Callable[[Any], Cell] | None = None


def _mono(value: Any) -> Cell:
    return str(value)


def _copied(value: Any) -> Cell:
    return Copy(text=str(value)).html()


def _state(value: Any) -> Cell:
    return State(name=str(value)).html()


def _listed(value: Any) -> Cell:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


TEXT = Look(str)
STATE = Look(_state, "st")
MONO = Look(_mono, "mono", _copied)
NUMBER, SIZE, MIB, GIB = (Look(fn, "r") for fn in (looks.number, looks.size, looks.mib, looks.gib))
SPEED, MOMENT = Look(looks.speed, "r"), Look(looks.moment, "num", looks.moment_in_full)
YES = Look(looks.yes)
LISTED = Look(_listed)

BY_NAME: dict[str, Look] = {
    **dict.fromkeys(("state", "vmstate", "allocationstate", "resourcestate", "status"), STATE),
    **dict.fromkeys(("ipaddress", "publicip", "gateway", "netmask", "cidr", "macaddress", "vmguestip"), MONO),
    **dict.fromkeys(("id", "fingerprint", "dns1", "dns2", "networkdomain", "startip", "endip", "cidrlist"), MONO),
    **dict.fromkeys(("publicport", "privateport", "startport", "endport", "destcidrlist"), MONO),
    **dict.fromkeys(("size", "physicalsize", "disksizetotal", "disksizeused", "memoryused"), SIZE),
    **dict.fromkeys(("disksize", "rootdisksize"), GIB),
    "memory": MIB,
    "cpuspeed": SPEED,
    "deviceid": NUMBER,
    "cpuused": Look(str, "r"),
    "cpuloadaverage": Look(str, "r"),
}
CALLS = ("name", "display_name", "username", "ip")  # columns that call a row by name
BY_TYPE = {
    "date": MOMENT,
    "long": NUMBER,
    "integer": NUMBER,
    "short": NUMBER,
    "float": NUMBER,
    "boolean": YES,
    "list": LISTED,
}


@dataclass(frozen=True)
class Column:
    name: str
    label: Text
    look: Look = TEXT
    to: str = ""  # label of the model that it names a row of
    key: str = ""  # field with the id of that row
    detail: str = ""  # the word of `details` that brings it
    view: frozenset[View] = ALL
    unit: Text = ""

    def value(self, row: Row) -> Any:
        return row.get(self.name)

    def cell(self, row: Row) -> Cell:
        value = self.value(row)
        return looks.DASH if value in (None, "", []) else self._linked(row, self.look.cell(value))

    def fact(self, row: Row) -> Cell:
        value = self.value(row)
        if value in (None, "", []):
            return looks.DASH
        return self._linked(row, (self.look.fact or self.look.cell)(value))

    def _linked(self, row: Row, shown: Cell) -> Cell:
        kind = kind_of(self.to) if self.to else None
        if kind is None or not kind.has_page or not row.get(self.key):
            return shown
        return format_html('<a href="{}">{}</a>', kind.url(row[self.key]), shown)


_COLUMNS: dict[type[Response], Mapping[str, Column]] = {}


def columns_of(response: type[Response]) -> Mapping[str, Column]:
    """Of every field that is one value and has a label. Classes live as long as the process."""
    if response not in _COLUMNS:
        _COLUMNS[response] = _columns_of(response)
    return _COLUMNS[response]


def _columns_of(response: type[Response]) -> Mapping[str, Column]:
    found: dict[str, Column] = {}
    for name, part in response.declared().items():
        if isinstance(part, Batch):
            for each, kind in part.fields.items():
                found[each] = _column(each, kind, part)
        elif not isinstance(part, Many):
            found[name] = _column(name, wire_type(response, part, name), part)
    linked = {name: _link(response, name) for name in found}
    columns = {name: replace(column, to=linked[name][0], key=linked[name][1]) for name, column in found.items()}
    return {name: column for name, column in columns.items() if name in LABELS}


def _column(name: str, wire: str, part: Field | Computed | Batch) -> Column:
    look = BY_NAME.get(name) or BY_TYPE.get(wire, TEXT)
    return Column(name, words.label(name), look, detail=part.detail, view=part.view)


def _link(response: type[Response], name: str) -> tuple[str, str]:
    """``templatename`` comes from "template__name": the row that "template" points to, by "template__uuid"."""
    part = response.declared().get(name)
    source = part.sources[0] if isinstance(part, Computed) and part.sources else getattr(part, "source", "")
    path, _, last = (source or "").rpartition("__")
    if not path or last not in CALLS or not response.model:
        return "", ""
    beside = f"{path}__uuid"
    keys = [n for n, p in response.declared().items() if isinstance(p, Field) and p.source == beside]
    return (_model_at(response.model, path), keys[0]) if keys else ("", "")


def _model_at(label: str, path: str) -> str:
    model: Any = apps.get_model(label)
    for step in path.split("__"):
        model = model._meta.get_field(step).related_model
    return str(model._meta.label)


def shown_to(columns: Mapping[str, Column], *, is_root: bool) -> dict[str, Column]:
    view = View.FULL if is_root else View.RESTRICTED
    return {name: column for name, column in columns.items() if view in column.view}
