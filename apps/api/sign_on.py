"""login and logout: no commands of the registry, because they make and end what the others are called with."""

from typing import Any

from django.http import HttpResponse

from apps.accounts.models import User
from apps.accounts.services import sign_on
from apps.api.entrance import KEY_COOKIE, SESSION_COOKIE, Call, session_of
from apps.core.errors import LoginRefused, MethodNotAllowed, ParserRefused

PATH = "/client"


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
    response.set_cookie(SESSION_COOKIE, opened.cookie, path=PATH, httponly=True, samesite="Lax")
    response.set_cookie(KEY_COOKIE, opened.key, path=PATH, httponly=True, samesite="Lax")
    return said(user, opened.key)


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
        "timezoneoffset": "0.0",
        "registered": "false",
        "sessionkey": key,
        "is2faenabled": "false",
        "is2faverified": "true",
        "issuerfor2fa": "CloudStack",
    }


def logout(call: Call, response: HttpResponse) -> dict[str, Any]:
    session = session_of(call)
    if session is None:
        raise ParserRefused("Session not found for the logout process.")
    sign_on.close_session(session)
    for name in call.request.COOKIES:
        response.set_cookie(name, "", path=PATH, max_age=0, expires="Thu, 01 Jan 1970 00:00:00 GMT")
    return {"description": "success"}


SIGN_ON = {"login": login, "logout": logout}
