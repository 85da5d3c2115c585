"""Signatures of requests: wire-protocol.md section 2.

The server's own canonical form, and those in which released clients differ from it: each is compared in constant time,
and none of them lets through what another would not.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from apps.core.settings import Setting
from apps.core.wire import moment

ENFORCE = Setting(
    "enforce.post.requests.and.timestamps",
    False,
    help_text="Take only signatures that expire within 15 minutes, and changes only by POST.",
)
FARTHEST = timedelta(minutes=15)


def escaped(value: str, safe: str = "*-._") -> str:
    return quote(value, safe=safe).replace("~", "%7E")


def canonical(params: Mapping[str, str]) -> str:
    return "&".join(f"{name}={escaped(params[name])}" for name in sorted(params)).lower()


def _variants(params: Mapping[str, str]) -> Iterator[str]:
    """One string for each way of signing that is in use, the canonical one first."""
    yield canonical(params)
    by_lower = sorted(params, key=str.lower)
    for names in (sorted(params), by_lower):
        yield "&".join(f"{n}={quote(params[n], safe='*-._~')}" for n in names).lower()  # a raw "~": cs, Go SDK
        yield "&".join(f"{n}={quote(params[n], safe='-._~[]')}" for n in names).lower()  # libcloud
        yield "&".join(f"{quote(n, safe='[]')}={quote(params[n], safe='*-._~[]')}" for n in names).lower()
        yield "&".join(f"{quote(n, safe='[].~')}={quote(params[n], safe='-._~[]')}" for n in names).lower()
    yield "&".join(f"{n}={escaped(params[n])}" for n in by_lower).lower()  # marvin, CloudMonkey 5


def sign(text: str, secret: str) -> bytes:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()


def is_signed(params: Mapping[str, str], secret: str, signature: str) -> bool:
    """Is this the signature of all parameters but itself? ``params`` has the names as sent."""
    try:
        given = base64.b64decode(signature, validate=True)
    except ValueError:
        return False
    signed = {name: value for name, value in params.items() if name.lower() != "signature"}
    seen: set[str] = set()
    for text in _variants(signed):
        if text not in seen and hmac.compare_digest(sign(text, secret), given):
            return True
        seen.add(text)
    return False


def is_current(version: str, expires: str) -> bool:
    """Version 3 expires; older signatures do so only where the operator insists."""
    insists = ENFORCE.value()
    if version != "3":
        return not insists
    end = moment(expires)
    if end is None:
        return False
    now = datetime.now(UTC)
    return now <= end and not (insists and end > now + FARTHEST)
