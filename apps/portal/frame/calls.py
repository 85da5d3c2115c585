"""What a form is about to do, as people would write it elsewhere: for the client ``cs``, as an address, for curl."""

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.core.commands import REGISTRY
from apps.core.mapping import flatten

FORMS = (("cs", "cs"), ("api", "API"), ("curl", "curl"))
UUID = re.compile(r"\b([0-9a-f]{4})[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{10}([0-9a-f]{2})\b")
HIDDEN = "..."  # in the place of a secret
LONG = 48


def line(command: str, params: Mapping[str, Any], form: str) -> str:
    """To be copied: whole."""
    flat = dict(_said(command, params))
    if form == "api":
        return "/client/api?" + _query({"command": command, "response": "json", **flat})
    if form == "curl":
        return _curl(command, flat)
    return " ".join(["cs", command, *(f"{name}={shlex.quote(value)}" for name, value in flat.items())])


def written(command: str, params: Mapping[str, Any], form: str) -> SafeString:
    """To be read: ids and long values are cut."""
    if form != "cs":
        return format_html("{}", line(command, params, form))
    parts = [(name, _cut(value)) for name, value in _said(command, params)]
    return format_html("<b>cs {}</b>{}", command, format_html_join("", " {}=<i>{}</i>", parts))


def _said(command: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    fields = REGISTRY[command].fields
    for name, value in flatten(params).items():
        field = fields.get(name.partition("[")[0])
        yield name, HIDDEN if field is not None and field.secret else value


def _cut(value: str) -> str:
    short = UUID.sub(r"\1…\2", value).replace("\n", " ")
    return short if len(short) <= LONG else f"{short[:LONG]}…"


def _query(given: Mapping[str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='*-._')}" for name, value in given.items())


def _curl(command: str, flat: Mapping[str, str]) -> str:
    """Runs in a shell that has the three variables; signed as the protocol wants it."""
    given = {"command": command, "response": "json", **flat}
    names = sorted([*given, "apikey"])
    query = "&".join("apikey=$CLOUDSTACK_KEY" if n == "apikey" else _query({n: given[n]}) for n in names)
    signed = 'tr A-Z a-z | openssl dgst -sha1 -hmac "$CLOUDSTACK_SECRET" -binary | base64'
    send = 'curl -G "$CLOUDSTACK_ENDPOINT" -d "$q" --data-urlencode "signature=$s"'
    return f'q="{query}"\ns=$(printf %s "$q" | {signed})\n{send}'
