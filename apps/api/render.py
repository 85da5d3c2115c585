"""Answers and errors as bytes: JSON, or XML, which is the default of this protocol."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape

import orjson

from apps.api.signing import escaped
from apps.core.errors import CloudError
from apps.core.settings import Setting

XML = "text/xml;charset=utf-8"
VERSION = "4.23.0.0"
QUOTES = {'"': "&quot;", "'": "&apos;"}
# Characters that no XML document may hold, not even escaped.
FORBIDDEN = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF])

CONTENT_TYPE = Setting(
    "json.content.type",
    "application/json; charset=UTF-8",
    choices=("application/json; charset=UTF-8", "text/javascript; charset=UTF-8"),
    help_text="Content type of answers in JSON.",
)
WITH_VERSION = Setting(
    "expose.cloudstack.version.api.xml.response", True, help_text="Whether answers in XML name the version."
)
ENCODED = Setting("encode.api.response", False, help_text="Whether texts in answers are URL-encoded.")


def json_type() -> str:
    """As servers of the original normalise it: without blank, in lower case."""
    return CONTENT_TYPE.value().replace(" ", "").lower()


def body(name: str, answer: dict[str, Any], *, as_json: bool, versioned: bool = True) -> bytes:
    if ENCODED.value():
        answer = url_encoded(answer)
    if as_json:
        return orjson.dumps({name: answer})
    version = f' cloud-stack-version="{VERSION}"' if versioned and WITH_VERSION.value() else ""
    inner = "".join(elements(answer))
    return f'<?xml version="1.0" encoding="UTF-8"?><{name}{version}>{inner}</{name}>'.encode("utf-8", "replace")


def url_encoded(value: Any) -> Any:
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, dict):
        return {name: url_encoded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [url_encoded(inner) for inner in value]
    return value


def elements(answer: dict[str, Any]) -> Iterator[str]:
    for name, value in answer.items():
        tag = tag_of(name)
        for item in value if isinstance(value, list | tuple) else (value,):
            yield f"<{tag}>{text(item)}</{tag}>"


@lru_cache(maxsize=4096)
def tag_of(name: str) -> str:
    """Names of details are what people type, and no element may be called "a b" or "<x>"."""
    clean = re.sub(r"[^\w.-]", "_", str(name))
    return clean if re.match(r"[^\W\d]", clean) else f"_{clean}"


def text(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(elements(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(str(value).translate(FORBIDDEN), QUOTES)


def error(problem: CloudError, said: str, *, as_json: bool = True) -> dict[str, Any]:
    """``cserrorcode`` is left out where the protocol has none: sign-on, and what never reached a command."""
    number = {"cserrorcode": problem.cs_code} if problem.cs_code != -1 else {}
    what = "description" if as_json else "uuidProperty"
    uuids = [{"uuid": str(uuid), what: name} for name, uuid in problem.uuids.items()]
    return {"uuidList": uuids, "errorcode": problem.code, **number, "errortext": said}
