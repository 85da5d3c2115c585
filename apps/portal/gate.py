"""The road of a request for a page: its id, its language and zone, who it is, no forgery, and what is answered when
something goes wrong. The API has a road of its own and pays for none of this.
"""

import gzip
import logging
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import timezone, translation

from apps.accounts.services import sign_on
from apps.core.errors import CloudError, NotAuthenticated
from apps.core.logs import request_id
from apps.portal import faults
from apps.portal.visits import NotFound, Visit

log = logging.getLogger(__name__)
COOKIE = "portal"  # the same sessions as the API's, by a cookie of its own: the API's ends where its key is missing
LANGUAGE, THEME, TOASTS = "language", "theme", "said"
YEAR = 365 * 24 * 3600
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
SMALL = 1400  # bytes that fit into one packet as they are
LONG_ADDRESS = 4000
View = Callable[..., HttpResponse]
CSRF = CsrfViewMiddleware(lambda request: HttpResponse())


def page(view: View, *, for_everybody: bool = False) -> View:
    """``view`` gets a visit instead of a request."""

    def road(request: HttpRequest, **where: Any) -> HttpResponse:
        begun, said_id = time.perf_counter(), request.headers.get("X-Request-Id", "")
        token = request_id.set(said_id if 8 <= len(said_id) <= 36 and said_id.isascii() else str(uuid.uuid4()))
        visit = Visit(request)
        try:
            with ExitStack() as stack:
                stack.enter_context(translation.override(_language(request)))
                response = _answered(visit, view, where, for_everybody, stack)
            _finish(visit, response, begun)
            return response
        finally:
            request_id.reset(token)

    return road


def _answered(visit: Visit, view: View, where: dict[str, Any], for_everybody: bool, stack: ExitStack) -> HttpResponse:
    try:
        _enter(visit)
        stack.enter_context(timezone.override(_zone(visit)))
        if visit.caller is None and not for_everybody:
            return _log_in_first(visit)
        CSRF.process_request(visit.request)
        if CSRF.process_view(visit.request, view, (), {}):
            return faults.too_old(visit)
        visit.toasts = _toasts(visit.request)
        return view(visit, **where)
    except NotFound:
        return faults.not_found(visit)
    except NotAuthenticated:
        return _log_in_first(visit)
    except signing.BadSignature:  # the form's own token: older than a day, or somebody else's
        return faults.too_old(visit)
    except CloudError as error:
        return faults.refused(visit, error)
    except Exception:
        log.exception("%s %s failed unexpectedly", visit.request.method, visit.request.path)
        return faults.unexpected(visit)


def _enter(visit: Visit) -> None:
    cookie = visit.request.COOKIES.get(COOKIE, "")
    if not cookie:
        return
    by_itself = visit.request.headers.get("X-By-Itself") == "1"  # a page looks for news: nobody is there, perhaps
    visit.session = sign_on.session_of(cookie, touch=not by_itself)
    if visit.session:
        visit.caller = sign_on.caller_of(visit.session.user, "session")


def _log_in_first(visit: Visit) -> HttpResponse:
    """What a page asks by itself leads nobody away: a form may be half filled in."""
    request = visit.request
    if request.headers.get("X-By-Itself") == "1":
        return HttpResponse(status=401)
    back = request.get_full_path() if request.method == "GET" else _filled_in(request)
    ended = "&ended=1" if request.COOKIES.get(COOKIE) else ""
    lost = "&lost=1" if request.method == "POST" else ""
    address = f"/login?next={quote(inside(request, back), safe='')}{ended}{lost}"
    if visit.is_fragment:
        return HttpResponse(status=200, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


def _filled_in(request: HttpRequest) -> str:
    """The form that was sent too late, with what was typed: as an address, for after the login. No passwords."""
    if not request.path.startswith("/do/"):
        return request.headers.get("Referer", "")
    typed = request.POST.copy()
    for name in [name for name in typed if name.startswith(("_", "csrf")) or "password" in name]:
        del typed[name]
    address = f"{request.path}?{typed.urlencode()}"
    return address if len(address) < LONG_ADDRESS else request.headers.get("Referer", "")


def inside(request: HttpRequest, address: str) -> str:
    """The path of an address on this server; "/" for any other: nobody is led away after a login."""
    host = f"{request.scheme}://{request.get_host()}"
    path = address.removeprefix(host) if address.startswith(f"{host}/") else address
    good = path.startswith("/") and not path.startswith(("//", "/\\")) and "\n" not in path and "\r" not in path
    return path if good else "/"


def _language(request: HttpRequest) -> str:
    chosen = request.COOKIES.get(LANGUAGE, "")
    if chosen and translation.check_for_language(chosen):
        return chosen
    return translation.get_language_from_request(request)


def _zone(visit: Visit) -> ZoneInfo:
    try:
        return ZoneInfo((visit.caller and visit.user and visit.user.timezone) or "UTC")
    except (ValueError, ZoneInfoNotFoundError):
        return ZoneInfo("UTC")


def _toasts(request: HttpRequest) -> list[dict[str, str]]:
    try:
        return list(signing.loads(request.COOKIES[TOASTS], salt="toasts", max_age=300))
    except (KeyError, signing.BadSignature, TypeError):
        return []


def _finish(visit: Visit, response: HttpResponse, begun: float) -> None:
    """Toasts wait in a cookie for the page that shows them."""
    if visit.toasts and (300 <= response.status_code < 400 or "HX-Redirect" in response):
        kept = signing.dumps(visit.toasts[:5], salt="toasts", compress=True)
        response.set_cookie(TOASTS, kept, max_age=300, httponly=True, samesite="Lax", secure=visit.request.is_secure())
    elif visit.toasts and response.status_code < 400 and not visit.is_fragment:
        response.delete_cookie(TOASTS)
    CSRF.process_response(visit.request, response)
    for name, value in HEADERS.items():
        response.setdefault(name, value)
    response["X-Request-Id"] = request_id.get()
    response.setdefault("Vary", "Cookie, Accept-Language, HX-Request, Accept-Encoding")
    _pack(visit.request, response)
    response["Server-Timing"] = f"app;dur={(time.perf_counter() - begun) * 1000:.1f}"


def _pack(request: HttpRequest, response: HttpResponse) -> None:
    """What is secret on a page is masked anew each time, so that its length tells nothing."""
    if response.streaming or len(response.content) < SMALL or "Content-Encoding" in response:
        return
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        response.content = gzip.compress(response.content, 4, mtime=0)
        response["Content-Encoding"] = "gzip"


def open_door(visit: Visit, response: HttpResponse, user: Any) -> None:
    """A new session in the cookie of this browser."""
    request = visit.request
    agent = request.headers.get("User-Agent", "")
    opened = sign_on.open_session(user, request.META.get("REMOTE_ADDR", ""), agent)
    secure = request.is_secure()
    response.set_cookie(COOKIE, opened.cookie, path="/", httponly=True, samesite="Lax", secure=secure)


def remember(request: HttpRequest, response: HttpResponse, name: str, value: str) -> None:
    """Language and theme: for a year, in this browser, also before anybody has logged in."""
    response.set_cookie(name, value, max_age=YEAR, path="/", samesite="Lax", secure=request.is_secure())
