"""Wire types as JSON schemas: of parameters, and of the rows of answers."""

from functools import cache
from typing import Any

from apps.api.describe import Answered, fields_of, related_to
from apps.core.commands import REGISTRY
from apps.core.responses import Response
from apps.core.wire import Bool, Date, Field, Float, Int, List, Map, Str, Uuid

Schema = dict[str, Any]
STRING, OBJECT = {"type": "string"}, {"type": "object"}
ID = {"type": "string", "format": "uuid"}
KINDS: dict[str, Schema] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "int": {"type": "integer"},
    "short": {"type": "integer"},
    "long": {"type": "integer", "format": "int64"},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "date": {"type": "string", "examples": ["2013-10-05T10:20:30+0000"]},
    "list": {"type": "array"},
    "set": {"type": "array"},
    "map": OBJECT,
    "responseobject": OBJECT,
    "object": OBJECT,
}


def of_parameter(field: Field) -> Schema:
    found = _typed(field)
    if field.help_text:
        found = {**found, "description": field.help_text}
    if field.secret:
        found = {**found, "format": "password", "writeOnly": True}
    if others := related_to(field):
        found = {**found, "x-related": list(others)}
    return found


def _typed(field: Field) -> Schema:
    if isinstance(field, List):
        return {"type": "array", "items": _typed(field.of)}
    if field.wire_type == "list":
        return {"type": "array", "items": ID}
    if isinstance(field, Map):
        return _map(field)
    if isinstance(field, Bool):
        return {"type": "boolean"}
    if isinstance(field, Int):
        bounds = {"minimum": field.min_value, "maximum": field.max_value}
        return {**KINDS[field.wire_type], **{name: value for name, value in bounds.items() if value is not None}}
    if isinstance(field, Float):
        return {"type": "number"}
    if isinstance(field, Date):
        return KINDS["date"]
    if isinstance(field, Uuid):
        return {"anyOf": [ID, {"const": "-1"}]} if field.minus_one else ID
    limit = {"maxLength": field.length}
    return (
        {**STRING, **limit, "enum": list(field.choices)} if isinstance(field, Str) and field.choices else STRING | limit
    )


def _map(field: Map) -> Schema:
    """Records are a list of objects; the other styles one object."""
    if str(field.style) != "records":
        return {"type": "object", "additionalProperties": STRING}
    record: Schema = {"type": "object", "additionalProperties": STRING}
    if field.keys:
        record = {"type": "object", "properties": dict.fromkeys(field.keys, STRING), "additionalProperties": False}
    return {"type": "array", "items": record}


@cache
def names() -> dict[type[Response], str]:
    """Of every response that is answered with, also inside another; two of one name are told apart by their app."""
    found: dict[type[Response], str] = {}
    for spec in REGISTRY.values():
        if spec.response is not None:
            _collect(spec.response, found)
    return found


def _collect(response: type[Response], found: dict[type[Response], str]) -> None:
    if response in found:
        return
    name = response.__name__.removesuffix("Response")
    if name in found.values():
        name = f"{response.__module__.split('.')[1].capitalize()}{name}"
    found[response] = name
    for part in response.declared().values():
        inner = getattr(part, "response", None)
        if inner is not None:
            _collect(inner, found)


def of_answer(response: type[Response]) -> Schema:
    nested = {name: getattr(part, "response", None) for name, part in response.declared().items()}
    shown = fields_of(response)  # type: ignore[arg-type]
    return {"type": "object", "properties": {each.name: _field(each, nested.get(each.name)) for each in shown}}


def _field(each: Answered, inner: type[Response] | None) -> Schema:
    if inner is not None:
        found: Schema = {"type": "array", "items": reference(inner)}
    else:
        found = KINDS.get(each.type, STRING)
    return {**found, "description": each.text} if each.text else dict(found)


def reference(response: type[Response]) -> Schema:
    return {"$ref": f"#/components/schemas/{names()[response]}"}
