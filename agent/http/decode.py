"""JSON into typed values, strictly: a key or a type that is not expected is refused by its name."""

import dataclasses
import types
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from agent.http.errors import Invalid

PLAIN = {str: "a text", int: "a whole number", bool: "true or false", float: "a number"}


def decode(kind: Any, value: Any, path: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _object(kind, value, path)
    if kind in PLAIN:
        return _plain(kind, value, path)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        chosen = next(each for each in inner if each is not type(None))
        return None if value is None else decode(chosen, value, path)
    if origin in (tuple, list):
        if not isinstance(value, list):
            raise Invalid(f"{path}: must be a list")
        return origin(decode(inner[0], each, f"{path}[{i}]") for i, each in enumerate(value))
    if origin is dict or kind is dict:
        if not isinstance(value, dict):
            raise Invalid(f"{path}: must be an object")
        return value
    raise TypeError(f"{path}: no rule for {kind}")


def _plain(kind: type, value: Any, path: str) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise Invalid(f"{path}: must be {PLAIN[kind]}")
    return value


def _object(kind: Any, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise Invalid(f"{path}: must be an object")
    hints, required = _fields(kind)
    if unknown := sorted(set(value) - set(hints)):
        raise Invalid(f"{path}: unknown key {unknown[0]!r}")
    if missing := sorted(required - set(value)):
        raise Invalid(f"{path}: key {missing[0]!r} is missing")
    given = {name: decode(hints[name], each, f"{path}.{name}") for name, each in value.items()}
    return kind(**given)


@cache
def _fields(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    fields, hints, none = dataclasses.fields(kind), get_type_hints(kind), dataclasses.MISSING
    required = frozenset(f.name for f in fields if f.default is none and f.default_factory is none)
    return {f.name: hints[f.name] for f in fields}, required
