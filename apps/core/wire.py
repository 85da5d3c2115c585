"""Parameter types of the wire. They parse as wire-protocol.md section 9 says, and no DRF field parses like that:
"1" is false, nothing is trimmed, a list is split at commas, a map comes as ``name[0].key=value``.

A field is a DRF field to OpenAPI, but keeps only what its declaration says: the rest are class attributes. 25,000 DRF
fields cost 2 s and 50 MB at start; these cost a tenth.
"""

import copy
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.fields import empty

from apps.core.callers import Caller, Kind


class Bad(Exception):
    """This text is no value of the type; ``why`` replaces the standard sentence: {command}, {name}, {value}."""

    def __init__(self, why: str = ""):
        self.why = why or NO_VALUE


class Field(serializers.Field):
    read_only = write_only = required = allow_null = secret = False
    default: Any = empty
    initial: Any = None
    label = None
    help_text = ""
    source: Any = ""
    lookup: str = ""  # in lists: the query it makes
    allowed: ClassVar[Any] = Kind.ROOT | Kind.RESOURCE_ADMIN | Kind.DOMAIN_ADMIN | Kind.TENANT
    blank_is_absent = False
    length = 255
    since = ""
    wire_type: ClassVar[str] = "string"  # what listApis says
    options: ClassVar[frozenset[str]] = frozenset(
        {"required", "default", "help_text", "source", "lookup", "secret", "allowed", "since"}
    )

    def __new__(cls, *args: Any, **kwargs: Any) -> "Field":
        return object.__new__(cls)  # DRF keeps the arguments of every instance for copying; see __deepcopy__

    def __init__(self, **given: Any):
        if unknown := given.keys() - self.options:
            raise TypeError(f"{type(self).__name__} takes no {', '.join(sorted(unknown))}")
        self.__dict__.update(given)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in vars(self).items())})"

    def __deepcopy__(self, memo: dict) -> "Field":
        return copy.copy(self)

    def read(self, name: str, given: Mapping[str, Any], caller: Caller) -> Any:
        """The value of this field, ``empty`` if it was not given. Raises ``Bad``."""
        text = given.get(name)
        if text is None or (text == "" and self.blank_is_absent):
            return self.default
        if text == "" and self.required:
            raise Bad(EMPTY)
        return self.parse(text, caller)

    def parse(self, text: str, caller: Caller) -> Any:
        raise NotImplementedError

    def many(self, pieces: Sequence[str], caller: Caller) -> Mapping[str, Any]:
        """In a list: the values of those pieces that are better found together; the others are parsed one by one."""
        return {}


class Str(Field, serializers.CharField):
    """``choices`` match in any case and give the spelling of the declaration; ``length`` is in characters."""

    options = Field.options | {"length", "choices", "blank_is_absent"}
    choices: tuple[str, ...] = ()

    def parse(self, text: str, caller: Caller) -> str:
        if len(text) > self.length:
            raise Bad(TOO_LONG.replace("{length}", str(self.length)))
        if self.choices:
            text = next((c for c in self.choices if c.lower() == text.lower()), "")
            if not text:
                raise Bad
        return text


class Name(Str):
    """A host label as RFC 1123 has it: 1 to 63 letters, digits and inner hyphens."""

    def parse(self, text: str, caller: Caller) -> str:
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", text):
            raise Bad
        return text


class Int(Field, serializers.IntegerField):
    bits = 32
    min_value: int | None = None
    max_value: int | None = None
    wire_type = "integer"
    options = Field.options | {"min_value", "max_value"}
    blank_is_absent = True

    def parse(self, text: str, caller: Caller) -> int:
        if not re.fullmatch(r"[+-]?[0-9]+", text, re.ASCII):
            raise Bad
        value = int(text)
        if not -(1 << self.bits - 1) <= value < 1 << self.bits - 1:
            raise Bad
        if self.min_value is not None and value < self.min_value:
            raise Bad
        if self.max_value is not None and value > self.max_value:
            raise Bad
        return value


class Short(Int):
    bits = 16
    wire_type = "short"


class Long(Int):
    bits = 64
    wire_type = "long"
    blank_is_absent = False


class Float(Field, serializers.FloatField):
    wire_type = "float"
    blank_is_absent = True

    def parse(self, text: str, caller: Caller) -> float:
        if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text, re.ASCII):
            raise Bad
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise Bad
        return value


class Double(Float):
    wire_type = "double"


class Bool(Field, serializers.BooleanField):
    wire_type = "boolean"

    def parse(self, text: str, caller: Caller) -> bool:
        return text.lower() == "true"


class Date(Field, serializers.DateTimeField):
    """A bare day is its first second, or with ``end=True`` its last."""

    end = False
    wire_type = "date"
    options = Field.options | {"end"}

    def parse(self, text: str, caller: Caller) -> datetime:
        if DAY.fullmatch(text):
            start = self._read(f"{text}T00:00:00+0000")
            return start + timedelta(days=1, seconds=-1) if self.end else start
        if MOMENT.fullmatch(text) and text[10] == " ":
            text = f"{text[:10]}T{text[11:]}+0000"
        elif MOMENT.fullmatch(text):
            text = f"{text}+0000"
        return self._read(text)

    @staticmethod
    def _read(text: str) -> datetime:
        """What no database has, and what others cannot be compared with, is no date: the ends of the calendar."""
        value = moment(text)
        if value is None or not 1000 < value.year < 9999:
            raise Bad(NO_DATE)
        return value


class Uuid(Field, serializers.UUIDField):
    """``minus_one`` where the catalogue knows a special "-1"; other integers are never taken for ids."""

    options = Field.options | {"minus_one"}
    minus_one = False
    wire_type = "uuid"
    uuid_format = "hex_verbose"

    def parse(self, text: str, caller: Caller) -> str:
        return text if self.minus_one and text == "-1" else canonical_uuid(text)


class List(Field, serializers.ListField):
    """Split at commas; empty pieces are dropped, blanks are kept."""

    options = Field.options | {"of", "length"}
    wire_type = "list"
    of: Field = Str()
    child = serializers.CharField()

    def parse(self, text: str, caller: Caller) -> list[Any]:
        pieces = [piece for piece in text.split(",") if piece]
        found = self.of.many(pieces, caller)
        return [found[piece] if piece in found else self._piece(piece, caller) for piece in pieces]

    def _piece(self, piece: str, caller: Caller) -> Any:
        try:
            return self.of.parse(piece, caller)
        except Bad as bad:  # the text names the piece, not the whole list
            raise Bad(bad.why.replace("{value}", escaped(piece))) from None


class Map(Field, serializers.DictField):
    """``name[0].key=value`` in the catalogue's three styles.

    records: a list of dicts, one per index. merged: all indexes in one dict. entry0: the first index alone.
    """

    options = Field.options | {"style", "keys"}
    wire_type = "map"
    style = "records"  # type: ignore[assignment]
    keys: tuple[str, ...] = ()
    child = serializers.CharField()

    def read(self, name: str, given: Mapping[str, Any], caller: Caller) -> Any:
        entries = given.get(f"{name}[")
        if not entries:
            if name in given:
                raise Bad  # plain text where a map belongs
            return self.default
        records = [entries[index] for index in sorted(entries)]
        if self.style == "records":
            return [{k: v for k, v in r.items() if not self.keys or k in self.keys} for r in records]
        if self.style == "entry0":
            return records[0]
        return {key: value for record in records for key, value in record.items()}


DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d", re.ASCII)
WITH_OFFSET = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|Z\+0000|[+-]\d\d:?\d\d)", re.ASCII)


def moment(text: str) -> datetime | None:
    """A date-time with an offset, in the forms that clients send; None for anything else."""
    found = WITH_OFFSET.fullmatch(text)
    if found is None:
        return None
    try:
        return datetime.fromisoformat(found[1] + ("+0000" if found[2].startswith("Z") else found[2]))
    except ValueError:  # a thirteenth month
        return None


def escaped(piece: str) -> str:
    """As a part of a text that is formatted once more."""
    return piece.replace("{", "{{").replace("}", "}}")


def canonical_uuid(text: str, piece: str = "") -> str:
    """``piece`` names the one of a list in the text of the error."""
    if (found := uuid_or_none(text)) is None:
        raise Bad(UNKNOWN.replace("{value}", escaped(piece)) if piece else UNKNOWN)
    return found


def uuid_or_none(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None


NO_VALUE = "Unable to execute API command {command} due to invalid value {value} for parameter {name}"
NO_DATE = (
    "Unable to parse date {value} for command {command}, please pass dates in the format mentioned in the api "
    "documentation"
)
MISSING = "Unable to execute API command {command} due to missing parameter {name}"
REMOVED = "{name}: {value} was removed"
EMPTY = "Invalid value provided for API arg: {name}"
INVALID = "Unable to execute API command {command} due to invalid value. "
NOBODY = "or entity does not exist"
UNKNOWN = INVALID + (
    f"Invalid parameter {{name}} value={{value}} due to incorrect long value format, {NOBODY} "
    "or due to incorrect parameter annotation for the field in api cmd class."
)
TOO_LONG = INVALID + "Value greater than max allowed length {length} for param: {name}"
