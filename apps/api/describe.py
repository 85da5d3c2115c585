"""What listApis, OpenAPI and the documentation say of a command, from its declaration alone. Compiled once per process:
declarations do not change while it runs.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from apps.core.commands import REGISTRY, Spec
from apps.core.refs import ByLabel, wire_names
from apps.core.responses import Batch, Computed, Field, Many, Plain, Response, wire_type
from apps.core.wire import Field as Parameter
from apps.core.wire import List

READING = re.compile(r"(get|list|query|find)\w+", re.ASCII)
OF_EVERY_ROW = (
    ("jobid", "string", "the job that is under way about it"),
    ("jobstatus", "integer", "the status of that job: 0, it has not ended"),
)
OF_SUCCESS = (("success", "boolean", "true if it was done"), ("displaytext", "string", "what there is to say about it"))


@dataclass(frozen=True)
class Answered:
    """A field of an answer; ``fields`` of a nested list."""

    name: str
    type: str
    text: str
    fields: tuple["Answered", ...] = ()


@cache
def facts() -> dict[str, dict[str, Any]]:
    """What no declaration says: since when a command is there, and what area it belongs to."""
    return json.loads((Path(__file__).parent / "data" / "commands.json").read_text())


def facts_of(name: str) -> dict[str, Any]:
    return facts().get(name, {})


def text_of(spec: Spec) -> str:
    """The first paragraph of what the command says of itself."""
    return " ".join((spec.cls.__doc__ or "").strip().partition("\n\n")[0].split())


def method_of(name: str) -> str:
    return facts_of(name).get("http") or ("GET" if READING.fullmatch(name) else "POST")


def parameters(spec: Spec) -> Iterator[tuple[str, Parameter]]:
    """As a client sends them, in the spelling that it knows."""
    spelled = facts_of(spec.name).get("spelled", {})
    for name, field in spec.fields.items():
        for part, wire in wire_names(name, field):
            yield spelled.get(part, part), wire


def since(spec: Spec, name: str, field: Parameter) -> str:
    return field.since or facts_of(spec.name).get("params", {}).get(name.lower(), "")


def answered(spec: Spec) -> tuple[Answered, ...]:
    if spec.response is None:
        return tuple(Answered(*each) for each in OF_SUCCESS)
    rows = fields_of(spec.response)  # type: ignore[arg-type]  # a class is hashable
    if issubclass(spec.response, Plain):
        return rows
    names = {each.name for each in rows}
    return rows + tuple(Answered(*each) for each in OF_EVERY_ROW if each[0] not in names)


@cache
def fields_of(response: type[Response]) -> tuple[Answered, ...]:
    if issubclass(response, Plain):
        return tuple(Answered(name, kind, "") for name, kind in response.fields.items())
    found: list[Answered] = []
    for name, part in response.declared().items():
        if isinstance(part, Batch):
            found += [Answered(each, kind, part.help_text) for each, kind in part.fields.items()]
        elif isinstance(part, Many):
            inner = fields_of(part.response)  # type: ignore[arg-type]
            found.append(Answered(name, "list", part.help_text, inner))
        elif isinstance(part, Field | Computed):
            found.append(Answered(name, wire_type(response, part, name), part.help_text))
    return tuple(found)


@cache
def related() -> dict[Any, tuple[str, ...]]:
    """Names of commands by the response that they answer with, and by the label of its model."""
    found: dict[Any, list[str]] = defaultdict(list)
    for name, spec in sorted(REGISTRY.items()):
        if spec.response is not None:
            found[spec.response].append(name)
            if spec.response.model:
                found[spec.response.model.lower()].append(name)
    return {key: tuple(names) for key, names in found.items()}


def related_to(field: Parameter) -> tuple[str, ...]:
    """The commands that answer with rows of the kind that this parameter names."""
    inner = field.of if isinstance(field, List) else field
    return related().get(inner.to.lower(), ()) if isinstance(inner, ByLabel) else ()


@cache
def entry(name: str) -> dict[str, Any]:
    """Of listApis: everything about a command, whoever asks."""
    spec = REGISTRY[name]
    others = [other for other in related().get(spec.response, ()) if other != name] if spec.response else []
    found = {
        "name": name,
        "description": text_of(spec),
        "isasync": spec.is_async,
        "since": facts_of(name).get("since"),
        "related": ",".join(others) or None,
        "params": [_parameter(spec, part, field) for part, field in parameters(spec)],
        "response": [_field(each) for each in answered(spec)],
        "httprequesttype": method_of(name),
    }
    return {key: value for key, value in found.items() if value is not None}


def _parameter(spec: Spec, name: str, field: Parameter) -> dict[str, Any]:
    found = {
        "name": name,
        "description": field.help_text,
        "type": field.wire_type,
        "length": field.length,
        "required": field.required,
        "related": ",".join(related_to(field)) or None,
        "since": since(spec, name, field) or None,
    }
    return {key: value for key, value in found.items() if value is not None}


def _field(each: Answered) -> dict[str, Any]:
    nested = {"response": [_field(inner) for inner in each.fields]} if each.fields else {}
    return {"name": each.name, "description": each.text, "type": each.type, **nested}
