"""Answers and errors as bytes: JSON, or XML, which is the default of this protocol."""

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

import orjson

from apps.core.errors import CloudError

JSON, XML = "application/json;charset=utf-8", "text/xml;charset=utf-8"
VERSION = "4.23.0.0"
QUOTES = {'"': "&quot;", "'": "&apos;"}
# Characters that no XML document may hold, not even escaped.
FORBIDDEN = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF])


def body(name: str, answer: dict[str, Any], *, as_json: bool, versioned: bool = True) -> bytes:
    if as_json:
        return orjson.dumps({name: answer})
    version = f' cloud-stack-version="{VERSION}"' if versioned else ""
    inner = "".join(elements(answer))
    return f'<?xml version="1.0" encoding="UTF-8"?><{name}{version}>{inner}</{name}>'.encode("utf-8", "replace")


def elements(answer: dict[str, Any]) -> Iterator[str]:
    for name, value in answer.items():
        for item in value if isinstance(value, list | tuple) else (value,):
            yield f"<{name}>{text(item)}</{name}>"


def text(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(elements(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(str(value).translate(FORBIDDEN), QUOTES)


def error(problem: CloudError, said: str) -> dict[str, Any]:
    """``cserrorcode`` is left out where the protocol has none: sign-on, and what never reached a command."""
    number = {"cserrorcode": problem.cs_code} if problem.cs_code != -1 else {}
    return {"uuidList": [], "errorcode": problem.code, **number, "errortext": said}


def error_xml(answer: dict[str, Any]) -> dict[str, Any]:
    """An empty list is no element."""
    return {name: value for name, value in answer.items() if value != []}
