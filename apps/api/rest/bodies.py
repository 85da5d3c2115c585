"""JSON of a request as the flat ``name=value`` strings that every command is given, and what it refuses to guess."""

from collections.abc import Mapping
from typing import Any

import orjson
from django.http import HttpRequest

from apps.api.query import LARGEST_BODY, pairs
from apps.core.commands import Spec
from apps.core.errors import BadRequest, InvalidParameter
from apps.core.mapping import text
from apps.core.refs import wire_names
from apps.core.wire import Map

JSON = "application/json"


class WrongType(BadRequest):
    """415: the body is of no type that is read here."""

    code = 415


def read(request: HttpRequest) -> bytes:
    sent = request.read(LARGEST_BODY + 1)
    if len(sent) > LARGEST_BODY:
        raise BadRequest(f"the body is larger than {LARGEST_BODY} bytes")
    return sent


def parsed(request: HttpRequest, sent: bytes) -> dict[str, Any]:
    """The object of the body; an empty one if there is none."""
    if not sent:
        return {}
    if request.content_type != JSON:
        raise WrongType(f"send {JSON}, not {request.content_type or 'a body without a type'}")
    try:
        body = orjson.loads(sent)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise BadRequest("the body must be an object: parameters by their names")
    return body


def flat(spec: Spec, body: dict[str, Any]) -> dict[str, str]:
    """Lists become comma lists, objects ``name[0].key``; null is as if the name was not there."""
    check_names(spec, body)
    found: dict[str, str] = {}
    for name, value in body.items():
        if value is not None:
            found |= _one(name, value)
    return found


def query(spec: Spec, given: dict[str, str]) -> dict[str, str]:
    """Of a GET or DELETE: as they are, but a map may be JSON here."""
    fields = check_names(spec, given)
    found: dict[str, str] = {}
    for name, value in given.items():
        if isinstance(fields.get(name.lower()), Map) and value[:1] in ("[", "{"):
            try:
                found |= _one(name, orjson.loads(value))
            except orjson.JSONDecodeError as error:
                raise BadRequest(f"{name} is no JSON: {error}") from None
        else:
            found[name] = value
    return found


def check_names(spec: Spec, given: Mapping[str, Any]) -> dict[str, Any]:
    """Here a name that the command does not know is a mistake; the query API has to let it pass. Returns its fields."""
    fields = {part: wire for name, field in spec.fields.items() for part, wire in wire_names(name, field)}
    for name in given:
        if name.lower().partition("[")[0] not in fields:
            raise InvalidParameter(f"{name}: {spec.name} has no such parameter")
    return fields


def arguments(request: HttpRequest) -> dict[str, str]:
    return dict(pairs(request.META.get("QUERY_STRING", "")))


def _one(name: str, value: Any) -> dict[str, str]:
    records = [value] if isinstance(value, dict) else value
    if isinstance(records, list) and any(isinstance(each, dict) for each in records):
        return {
            f"{name}[{place}].{key}": _scalar(f"{name}.{key}", inner)
            for place, record in enumerate(records)
            for key, inner in _record(name, record).items()
        }
    if isinstance(value, list):
        return {name: ",".join(_item(name, each) for each in value)}
    return {name: _scalar(name, value)}


def _record(name: str, record: Any) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise InvalidParameter(f"{name}: objects and plain values do not mix")
    return {key: value for key, value in record.items() if value is not None}


def _item(name: str, value: Any) -> str:
    if "," in (said := _scalar(name, value)):
        raise InvalidParameter(f"{name}: an item of a list holds no comma")
    return said


def _scalar(name: str, value: Any) -> str:
    if isinstance(value, list | dict) or value is None:
        raise InvalidParameter(f"{name}: a text, a number or a boolean belongs here")
    return text(value)
