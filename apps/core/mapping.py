"""The flat ``name=value`` strings of the wire: from Python values for our own callers, and grouped for parsing."""

import re
from collections.abc import Mapping
from typing import Any

from apps.core.errors import MalformedParameter, ParserRefused

ENTRY = re.compile(r"([^\[\].]+)\[(-?\d{1,9})\]\.([^\[\].]+)", re.ASCII)
CONTROL = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]")


def flatten(params: Mapping[str, Any]) -> dict[str, str]:
    """What a client would have sent: so that a portal view, a job and a signed query are parsed the same way."""
    flat: dict[str, str] = {}
    for name, value in params.items():
        if value is None:
            continue
        if isinstance(value, dict):
            value = [value]
        if isinstance(value, list | tuple) and any(isinstance(v, dict) for v in value):
            flat |= {f"{lower(name)}[{i}].{k}": text(v) for i, record in enumerate(value) for k, v in record.items()}
        else:
            flat[lower(name)] = text(value)
    return flat


def check_text(flat: Mapping[str, str]) -> None:
    """Line feeds and carriage returns pass, tabs and other control characters do not."""
    for name, value in flat.items():
        if CONTROL.search(value):
            raise ParserRefused(
                f"Received value containing illegal ASCII non-printable characters for parameter {name}"
            )


def text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(text(v) for v in value)
    return str(getattr(value, "uuid", value))


def lower(name: str) -> str:
    """Names are lower-cased; the field of a map entry keeps its case."""
    head, dot, field = name.partition("].")
    return head.lower() + dot + field


def grouped(flat: Mapping[str, str]) -> dict[str, Any]:
    """Map entries under the key ``name[`` as ``{index: {field: value}}``; the other parameters as they are."""
    given: dict[str, Any] = {}
    for name, value in flat.items():
        if "[" not in name and "]" not in name:
            given[name] = value
        elif entry := ENTRY.fullmatch(name):
            head, index, field = entry.groups()
            given.setdefault(f"{head}[", {}).setdefault(int(index), {})[field] = value
        else:
            raise MalformedParameter(
                f"Unable to decode parameter {name}; if specifying an object array, please use "
                "parameter[index].field=XXX, e.g. userGroupList[0].group=httpGroup"
            )
    return given
