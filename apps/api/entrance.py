"""Who is calling: a session, or a signature. The checks are in the order of wire-protocol.md section 2."""

from dataclasses import dataclass

from django.http import HttpRequest

from apps.accounts.models import Session
from apps.accounts.services import sign_on
from apps.api import signing
from apps.core.callers import Caller
from apps.core.commands import REGISTRY
from apps.core.errors import BadRequest, NotAuthenticated
from apps.core.settings import Setting

CHECKED = Setting(
    "api.sessionkey.check.locations",
    "CookieAndParameter",
    choices=("CookieAndParameter", "CookieOrParameter", "ParameterOnly"),
    help_text="Where the session key of a request has to be right.",
)
UNSIGNED = "unable to verify user credentials and/or request signature"
NO_SESSION = "unable to verify user credentials"
SESSION_COOKIE, KEY_COOKIE = "JSESSIONID", "sessionkey"


@dataclass
class Call:
    """A request, read."""

    request: HttpRequest
    params: dict[str, str]  # names as sent
    caller: Caller | None = None  # once known

    def __post_init__(self) -> None:
        self.lower = {name.lower(): value for name, value in self.params.items()}
        self.command = self.params.get("command", "")
        self.as_json = self.params.get("response", "").lower() == "json"

    @property
    def given(self) -> dict[str, str]:
        """What the command is given: everything but what the transport reads itself."""
        return {name: value for name, value in self.params.items() if name.lower() not in TRANSPORT}


TRANSPORT = {"command", "response", "apikey", "signature", "signatureversion", "expires", "sessionkey", "_"}


def session_of(call: Call) -> Session | None:
    cookie = call.request.COOKIES.get(SESSION_COOKIE)
    return sign_on.session_of(cookie) if cookie else None


def caller_of(call: Call) -> Caller:
    """The caller, or NotAuthenticated. A live session decides: the signature is then not looked at."""
    if session := session_of(call):
        return _by_session(call, session)
    return _by_signature(call)


def _by_session(call: Call, session: Session) -> Caller:
    """A session whose key is wrong, or is not where it has to be, is over: somebody else has its cookie."""
    if not _key_is_right(call, session):
        sign_on.close_session(session)
        raise NotAuthenticated(NO_SESSION)
    if not call.command:
        raise BadRequest("no command is given")
    return sign_on.caller_of(session.user, "session")


def _key_is_right(call: Call, session: Session) -> bool:
    cookie, parameter = call.request.COOKIES.get(KEY_COOKIE, ""), call.params.get("sessionkey", "")
    needed = {"CookieAndParameter": (cookie, parameter), "ParameterOnly": (parameter,)}
    keys = needed.get(CHECKED.value()) or tuple(filter(None, (cookie, parameter)))
    return bool(keys) and all(key and sign_on.key_is(session, key) for key in keys)


def _by_signature(call: Call) -> Caller:
    lower = call.lower
    if call.command not in REGISTRY:
        raise NotAuthenticated(UNSIGNED)
    signature, api_key = lower.get("signature", ""), lower.get("apikey", "")
    if not (signature and api_key):
        raise NotAuthenticated(UNSIGNED)
    if not signing.is_current(lower.get("signatureversion", ""), lower.get("expires", "")):
        raise NotAuthenticated(UNSIGNED)
    found = sign_on.user_of_key(api_key)
    if found is None or not sign_on.is_active(found[0]):
        raise NotAuthenticated(UNSIGNED)
    user, secret = found
    if not signing.is_signed(call.params, secret, signature):
        raise NotAuthenticated(UNSIGNED)
    return sign_on.caller_of(user, "key")
