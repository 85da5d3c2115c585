"""Who calls REST: the same API keys and secrets as the query API, over what REST sends; or a session of its own.

Signed are all parameters of the query string, ``apikey`` and ``expires`` among them, and three that are not sent and
that no parameter can be called: ``:method``, ``:path`` and ``:body``, the SHA-256 of the body in hexadecimal digits. So
a signature is good for one request, and until it expires.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.accounts.models import Session
from apps.accounts.services import sign_on
from apps.api import signing
from apps.api.sign_on import SECURE, said, tell
from apps.core.callers import Caller
from apps.core.errors import BadRequest, LoginRefused, NotAuthenticated

COOKIE, KEY = "cloudportal_session", "X-Session-Key"
PATH = "/api/v1"
OURS = ("apikey", "signature", "expires", "signatureversion")
REFUSED = "sign the request, or log in: who calls is not known"


@dataclass
class Signed:
    """What was sent, as far as a signature covers it."""

    request: HttpRequest
    given: dict[str, str]
    body: bytes

    @property
    def text(self) -> dict[str, str]:
        """With the names that cannot be sent."""
        digest = hashlib.sha256(self.body).hexdigest()
        return {**self.given, ":method": self.request.method or "", ":path": self.request.path, ":body": digest}


def caller_of(request: HttpRequest, given: dict[str, str], body: bytes) -> Caller:
    if any(name.startswith(":") for name in given):
        raise BadRequest("no parameter begins with a colon")
    if session := session_of(request):
        return sign_on.caller_of(session.user, "session")
    lower = {name.lower(): value for name, value in given.items()}
    found = sign_on.user_of_key(lower["apikey"]) if lower.get("apikey") and lower.get("signature") else None
    if found is None or not sign_on.is_active(found[0]) or not signing.is_current("3", lower.get("expires", "")):
        raise NotAuthenticated(REFUSED)
    user, secret = found
    if not signing.is_signed(Signed(request, given, body).text, secret, lower["signature"]):
        raise NotAuthenticated(REFUSED)
    return sign_on.caller_of(user, "key")


def session_of(request: HttpRequest) -> Session | None:
    """The cookie alone is nothing: other sites make a browser send it, but no header."""
    cookie = request.COOKIES.get(COOKIE)
    session = sign_on.session_of(cookie) if cookie else None
    if session is None:
        return None
    if not sign_on.key_is(session, request.headers.get(KEY, "")):
        sign_on.close_session(session)
        raise NotAuthenticated(f"{KEY} is not the key of this session, which is over now")
    return session


def without_ours(given: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in given.items() if name.lower() not in OURS}


def log_in(request: HttpRequest, body: dict[str, Any], response: HttpResponse) -> dict[str, Any]:
    words = {name: str(body[name]) for name in ("username", "password", "domain", "domainid") if body.get(name)}
    if not words.get("username"):
        raise LoginRefused("a username is needed to log in")
    where = {"domain_path": words.get("domain"), "domain_uuid": words.get("domainid")}
    user = sign_on.authenticate(words["username"], words.get("password", ""), **where)
    opened = sign_on.open_session(user)
    how: dict[str, Any] = {"path": PATH, "httponly": True, "samesite": "Strict", "secure": SECURE.value()}
    response.set_cookie(COOKIE, opened.cookie, **how)
    tell(request, sign_on.caller_of(user, "session"), "USER.LOGIN", "in")
    return said(user, opened.key)


def log_out(request: HttpRequest, response: HttpResponse) -> None:
    session = session_of(request)
    if session is None:
        raise NotAuthenticated("there is no session to end")
    sign_on.close_session(session)
    tell(request, sign_on.caller_of(session.user, "session"), "USER.LOGOUT", "out")
    response.delete_cookie(COOKIE, path=PATH, samesite="Strict")
