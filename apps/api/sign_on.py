"""login and logout: no commands of the registry, because they make and end what the others are called with."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest, HttpResponse

from apps.accounts.models import Account, User
from apps.accounts.services import sign_on
from apps.api.entrance import KEY_COOKIE, SESSION_COOKIE, Call, session_of
from apps.core import ports
from apps.core.callers import Caller
from apps.core.errors import LoginRefused, MethodNotAllowed, ParserRefused
from apps.core.settings import Setting
from apps.jobs.commands.jobs import SERVER_ID

PATH = "/client"
SAMESITE = Setting(
    "api.sessionkey.cookie.samesite",
    "Lax",
    choices=("Lax", "Strict", "NoneAndSecure", "Null"),
    help_text="What the cookie of a session key says of requests from other sites.",
)
SECURE = Setting("enable.secure.session.cookie", False, help_text="Send the cookies of a session by HTTPS only.")


def login(call: Call, response: HttpResponse) -> dict[str, Any]:
    """A new session; an earlier one of the same cookie is thrown away. By POST only: URLs are written to logs."""
    if call.request.method != "POST":
        raise MethodNotAllowed("Please use HTTP POST to authenticate using this API")
    if earlier := session_of(call):
        sign_on.close_session(earlier)
    given = call.lower
    if not given.get("username"):
        raise LoginRefused("a username is needed to log in")
    where = {"domain_path": given.get("domain"), "domain_uuid": given.get("domainid")}
    user = sign_on.authenticate(given["username"], given.get("password", ""), **where)
    opened = sign_on.open_session(user)
    set_cookies(response, opened, PATH)
    tell(call.request, sign_on.caller_of(user, "session"), "USER.LOGIN", "in")
    return said(user, opened.key)


def set_cookies(response: HttpResponse, opened: sign_on.Opened, path: str) -> None:
    how: dict[str, Any] = {"path": path, "httponly": True, "secure": SECURE.value()}
    response.set_cookie(SESSION_COOKIE, opened.cookie, samesite="Lax", **how)
    samesite = SAMESITE.value()
    if samesite == "NoneAndSecure":
        how["secure"] = True
    sites: dict[str, Any] = {"NoneAndSecure": "None", "Null": None}
    response.set_cookie(KEY_COOKIE, opened.key, samesite=sites.get(samesite, samesite), **how)


def tell(request: HttpRequest, caller: Caller, kind: str, way: str) -> None:
    where = request.META.get("REMOTE_ADDR", "an unknown address")
    ports.events.one().done(kind, caller, None, f"user has logged {way} from IP Address {where}")


def offset(zone: str) -> str:
    """Hours that the zone is ahead of UTC at this moment: "5.5"."""
    try:
        ahead = datetime.now(ZoneInfo(zone)).utcoffset()
    except (ValueError, ZoneInfoNotFoundError):
        ahead = None
    return str((ahead or timedelta()).total_seconds() / 3600)


def said(user: User, key: str) -> dict[str, Any]:
    return {
        "username": user.username,
        "userid": str(user.uuid),
        "domainid": str(user.account.domain.uuid),
        "timeout": int(sign_on.IDLE.total_seconds()),
        "account": user.account.name,
        "firstname": user.first_name,
        "lastname": user.last_name,
        "type": str(user.account.type),
        "timezone": user.timezone or "UTC",
        "timezoneoffset": offset(user.timezone or "UTC"),
        "registered": "false",
        "sessionkey": key,
        "is2faenabled": "false",
        "is2faverified": "true",
        "issuerfor2fa": "CloudStack",
    } | ({"managementserverid": SERVER_ID} if user.account.type == Account.Type.ROOT else {})


def logout(call: Call, response: HttpResponse) -> dict[str, Any]:
    session = session_of(call)
    if session is None:
        raise ParserRefused("Session not found for the logout process.")
    sign_on.close_session(session)
    tell(call.request, sign_on.caller_of(session.user, "session"), "USER.LOGOUT", "out")
    for name in call.request.COOKIES:
        response.set_cookie(name, "", path=PATH, max_age=0, expires="Thu, 01 Jan 1970 00:00:00 GMT")
    return {"description": "success"}


SIGN_ON = {"login": login, "logout": logout}
