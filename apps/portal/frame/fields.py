"""Fields of a form from the parameters of a command: type, choices, hint and bounds are those of the declaration; a
reference is a choice among the rows that the caller may see.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from rest_framework.fields import empty

from apps.core import wire
from apps.core.errors import CloudError
from apps.core.refs import ByLabel
from apps.portal import looks, words
from apps.portal.kinds import kind_of
from apps.portal.visits import Visit

Text = str | Promise
MOST = 200  # rows that a choice offers
SEARCHED = 12  # more options than this can be searched
AREA = 512  # characters from which a text gets several lines


@dataclass(frozen=True)
class Option:
    value: str
    text: Text
    chosen: bool = False
    note: Text = ""


@dataclass
class FormField:
    name: str
    label: Text
    kind: str = "text"  # text, area, number, select, several, check, password, date
    value: str = ""
    values: Sequence[str] = ()
    options: Sequence[Option] = ()
    hint: Text = ""
    error: Text = ""
    required: bool = False
    full: bool = False
    mono: bool = False
    least: int | None = None
    most: int | None = None
    length: int | None = None
    placeholder: Text = ""
    autocomplete: str = ""
    unit: Text = ""
    nothing: Text = ""  # the option that stands for none
    on: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"f-{self.name}"

    @property
    def described(self) -> str:
        return f"{self.id}-h" if self.hint or self.error else ""

    @property
    def is_searched(self) -> bool:
        return len(self.options) > SEARCHED


def field_of(
    visit: Visit, name: str, declared: wire.Field, value: Any, options: Sequence[Option] | None = None
) -> FormField:
    """The field for one parameter; ``value`` is what was typed, or what is so."""
    text = ",".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    made = FormField(name, words.label(name), value=text, required=declared.required, hint=hint_of(declared))
    if isinstance(value, list):
        made.values = [str(each) for each in value]
    found = options_of(visit, declared, made.values or [text]) if options is None else options
    if isinstance(declared, wire.Bool):
        default = False if declared.default is empty else bool(declared.default)
        made.kind, made.on = "check", text == "true" if text else default
    elif isinstance(declared, wire.List) and found is not None:
        made.kind, made.options, made.full = "several", found, True
    elif found is not None:
        made.kind, made.options = "select", found
    elif isinstance(declared, wire.Int | wire.Float):
        made.kind = "number"
        made.least, made.most = getattr(declared, "min_value", None), getattr(declared, "max_value", None)
    elif isinstance(declared, wire.Date):
        made.kind = "date"
    elif declared.secret:
        made.kind, made.autocomplete = "password", "new-password"
    elif declared.length > AREA:
        made.kind, made.full, made.mono = "area", True, True
    else:
        made.length = declared.length if isinstance(declared, wire.Str) else None
    return made


def hint_of(declared: wire.Field) -> str:
    """What the declaration says, as a sentence that begins with a capital. It is the text of the API: where another
    language has no words for it, the label has to be enough.
    """
    text = _(declared.help_text) if declared.help_text else ""
    if text == declared.help_text and not (get_language() or "en").startswith("en"):
        return ""
    return text[:1].upper() + text[1:]


def options_of(visit: Visit, declared: wire.Field, chosen: Sequence[str], **narrow: Any) -> list[Option] | None:
    """Of a reference or of a text with choices; None for what is typed."""
    inner = declared.of if isinstance(declared, wire.List) else declared
    if isinstance(inner, ByLabel):
        return rows_of(visit, inner.to, chosen, **narrow)
    if given := getattr(inner, "choices", ()):
        return [Option(value, looks.state_label(value), value in chosen) for value in given]
    return None


def rows_of(visit: Visit, label: str, chosen: Sequence[str], **narrow: Any) -> list[Option] | None:
    kind = kind_of(label)
    if kind is None or not visit.may(kind.listing) or not kind.can_list(narrow):
        return None
    rows = kind.rows(visit, page=1, pagesize=MOST, **{**kind.choosing, **narrow}).rows
    return [Option(str(row[kind.key]), kind.title(row), str(row[kind.key]) in chosen) for row in rows]


# Which parameter an error is about: services say "name: why", parsers have sentences of their own.
SAID = (
    re.compile(r"^(?P<name>[a-z0-9]+): (?P<text>.+)$", re.DOTALL),
    re.compile(r"due to missing parameter (?P<name>\w+)$"),
    re.compile(r"invalid value .* for parameter (?P<name>\w+)$", re.DOTALL),
    re.compile(r"^Invalid value provided for API arg: (?P<name>\w+)$"),
    re.compile(r"Invalid parameter (?P<name>\w+) value="),
    re.compile(r"max allowed length \d+ for param: (?P<name>\w+)$"),
)


def about(error: CloudError, text: str, names: Sequence[str]) -> tuple[str, str]:
    """The field that an error is about, "" for the whole form, and what to say there."""
    for pattern in SAID:
        if (found := pattern.search(text)) and found["name"] in names:
            said = found.groupdict().get("text")
            return found["name"], said[:1].upper() + said[1:] if said else text
    return "", text
