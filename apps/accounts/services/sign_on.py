"""Who is calling: by password, by session, by API key. Everything a transport needs, and nothing about the wire."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.hashers import check_password, make_password
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import Account, ProjectMember, Session, State, User
from apps.accounts.states import USER
from apps.core import secret
from apps.core.callers import Caller
from apps.core.errors import LoginRefused, NotAuthenticated
from apps.core.prepared import Prepared, Slot
from apps.core.retry import atomically
from apps.core.rows import held
from apps.core.settings import Setting
from apps.domains.models import Domain

ATTEMPTS = Setting(
    "incorrect.login.attempts.allowed", 5, help_text="Wrong passwords before a user is disabled; 0 for any number."
)
IDLE = timedelta(seconds=1800)
TOUCH = timedelta(seconds=60)


@dataclass(frozen=True)
class Opened:
    """A new session: the only time that cookie and key are known in clear."""

    session: Session
    cookie: str
    key: str


PROJECTS = Prepared(lambda: ProjectMember.objects.filter(account=Slot("account")).values_list("project_id", flat=True))
BY_KEY = Prepared(lambda: _users().filter(api_key=Slot("key")))


def caller_for(account: Account, user: User | None = None, how: str = "key") -> Caller:
    return Caller(user, account, account.role, how, frozenset(PROJECTS(account=account.pk)))


def caller_of(user: User, how: str) -> Caller:
    """``user`` with its account, domain and role already read."""
    return caller_for(user.account, user, how)


def authenticate(username: str, password: str, domain_path: str | None = None, domain_uuid: str | None = None) -> User:
    """The user with this password, or LoginRefused; NotAuthenticated for a domain id that is none.

    An unknown user costs a password check too, so that the time of the answer says nothing.
    """
    domain = _domain(domain_path, domain_uuid)
    user = _users().filter(login=login_of(domain, username)).first() if domain else None
    right = _matches(password, user)
    if domain is None:
        below = (domain_path or "").strip("/")
        raise LoginRefused(f"Unable to find the domain from the path /{below}/")
    if user is None or not right or not is_active(user):
        if user is not None and not right:
            _count_failure(user)
        raise LoginRefused(
            f"Failed to authenticate user {username} in domain {domain.uuid}; please provide valid credentials"
        )
    if user.failed_logins:
        User.all_tenants.filter(pk=user.pk).update(failed_logins=0)
    return user


def login_of(domain: Domain, username: str) -> str:
    return f"{domain.pk}:{username.lower()}"


def is_active(user: User) -> bool:
    return user.state == State.ENABLED and user.account.state == State.ENABLED and user.account.removed is None


def _matches(password: str, user: User | None) -> bool:
    if user is None or not password:
        check_password(password or "x", make_password("x"))
        return False
    return check_password(password, user.password)


def _users() -> Any:
    return User.all_tenants.select_related("account__domain", "account__role")


def _domain(path: str | None, uuid: str | None) -> Domain | None:
    if uuid:
        domain = Domain.all_tenants.filter(uuid=uuid).first() if _is_uuid(uuid) else None
        if domain is None:
            raise NotAuthenticated("Invalid domain id entered, please enter a valid one")
        return domain
    below = (path or "").strip("/")
    return Domain.all_tenants.filter(wire_path__iexact=f"ROOT/{below}" if below else "ROOT").first()


def _is_uuid(text: str) -> bool:
    from uuid import UUID

    try:
        UUID(text)
    except ValueError:
        return False
    return True


@atomically
def _count_failure(user: User) -> None:
    User.all_tenants.filter(pk=user.pk).update(failed_logins=F("failed_logins") + 1)
    allowed = ATTEMPTS.value()
    now = User.including_removed.get(pk=user.pk)  # held by what was just written: one of many who fail at once
    if allowed and now.failed_logins >= allowed and now.state == State.ENABLED and not (now.is_default or now.removed):
        USER.fire(now, "disable")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@atomically
def open_session(user: User, address: str = "", agent: str = "") -> Opened:
    """For the password that ``user`` was read with: who changes it closes the sessions, and one that was opened with it
    a moment later would stay.
    """
    if held(user, "password")[0] != user.password:
        raise LoginRefused(f"Failed to authenticate user {user.username}; the password was changed at this moment")
    cookie, key = secrets.token_hex(16).upper(), secrets.token_urlsafe(20)
    where = {"address": address[:64], "agent": agent[:255]}
    session = Session.objects.create(user=user, cookie=_digest(cookie), key=_digest(key), used=timezone.now(), **where)
    return Opened(session, cookie, key)


def session_of(cookie: str, *, touch: bool = True) -> Session | None:
    """The live session of this cookie; a dead one is thrown away. ``touch=False``: what a page asks by itself does not
    keep it alive.
    """
    found = Session.objects.select_related("user__account__domain", "user__account__role")
    session = found.filter(cookie=_digest(cookie)).first()
    if session is None:
        return None
    now = timezone.now()
    if session.used < now - IDLE or session.user.removed or not is_active(session.user):
        close_session(session)
        return None
    if touch and session.used < now - TOUCH:
        Session.objects.filter(pk=session.pk).update(used=now)
    return session


def key_is(session: Session, key: str) -> bool:
    return secrets.compare_digest(session.key, _digest(key))


def close_session(session: Session) -> None:
    Session.objects.filter(pk=session.pk).delete()


def sessions_of(user: User) -> list[Session]:
    """The live ones, the latest used first."""
    return list(Session.objects.filter(user=user, used__gte=timezone.now() - IDLE).order_by("-used", "-pk"))


def close_sessions(user: User, keys: Iterable[int]) -> int:
    """Those of this user with these keys; returns how many there were."""
    return Session.objects.filter(user=user, pk__in=list(keys)).delete()[0]


def user_of_key(api_key: str) -> tuple[User, str] | None:
    """The user and the secret that signs for it; also one that is not active: the transport refuses it."""
    user = BY_KEY.first(key=api_key)
    return (user, secret.unseal(user.secret_key)) if user else None
