"""Users: who logs in to an account, by password or by keys."""

import secrets
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.auth.hashers import check_password, make_password
from django.db import IntegrityError, transaction

from apps.accounts.models import Account, Session, User
from apps.accounts.services.sign_on import login_of
from apps.accounts.states import USER
from apps.core import secret
from apps.core.callers import Caller
from apps.core.errors import InvalidParameter, PermissionDenied
from apps.core.retry import atomically
from apps.core.rights import check_covers
from apps.core.rows import held

if TYPE_CHECKING:
    from apps.accounts.services.accounts import Person


@atomically
def create(*, account: Account, person: "Person") -> User:
    check_name("username", person.username)
    if held(account, "removed")[0]:
        raise InvalidParameter(f"account: account {account.name} was removed")
    user = User(
        login=login_of(account.domain, person.username),
        username=person.username,
        account=account,
        password=make_password(person.password),
        first_name=person.first_name,
        last_name=person.last_name,
        email=person.email,
        timezone=person.timezone,
    )
    if person.uuid:
        user.uuid = UUID(person.uuid)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:
        raise InvalidParameter(
            f"username: the user {person.username} already exists in domain {account.domain.uuid}"
        ) from None
    return user


def check_name(parameter: str, name: str | None) -> None:
    if name is not None and not name.strip():
        raise InvalidParameter(f"{parameter}: a name has at least one letter")


@atomically
def update(*, caller: Caller, user: User, current_password: str | None = None, **values: str | None) -> User:
    check_covers(caller, user.account)
    changes = {name: value for name, value in values.items() if value is not None}
    if password := changes.pop("password", None):
        _check_password_change(caller, user, current_password)
        changes["password"] = make_password(password)
    keys = {"api_key", "secret_key"} & changes.keys()
    if len(keys) == 1 or not all(changes[name] for name in keys):
        raise InvalidParameter("userapikey and usersecretkey are given together or not at all")
    if "secret_key" in changes:
        changes["secret_key"] = secret.seal(changes["secret_key"] or "")
    if "username" in changes:
        check_name("username", changes["username"])
        changes["login"] = login_of(user.account.domain, changes["username"] or "")
    _save(user, changes)
    if "password" in changes:  # after the row is held: who logs in at this moment waits, and is refused
        Session.objects.filter(user=user).delete()
    return user


def _check_password_change(caller: Caller, user: User, current: str | None) -> None:
    """Who changes the own password knows the old one; administrators set those of others."""
    if caller.user is not None and caller.user.pk != user.pk and (caller.is_root or caller.is_domain_admin):
        return
    if caller.is_root:
        return
    if not current or not check_password(current, user.password):
        raise InvalidParameter("currentpassword: the current password is not right")


def _save(user: User, changes: dict[str, Any]) -> User:
    for name, value in changes.items():
        setattr(user, name, value)
    if changes:
        try:
            with transaction.atomic():
                user.save(update_fields=list(changes))
        except IntegrityError:
            what = "userapikey" if "api_key" in changes else "username"
            raise InvalidParameter(f"{what}: this one exists already") from None
    return user


def check_not_self(caller: Caller, user: User, verb: str) -> None:
    check_covers(caller, user.account)
    if caller.user is not None and user.pk == caller.user.pk:
        raise InvalidParameter(f"a user cannot {verb} itself")
    if user.is_default:
        raise InvalidParameter(f"user {user.username} is the installation's own: it is not possible to {verb} it")


@atomically
def set_state(*, caller: Caller, user: User, event: str) -> User:
    """``event``: enable, disable or lock."""
    if event != "enable":
        check_not_self(caller, user, event)
    check_covers(caller, user.account)
    if event == "enable" and user.failed_logins:
        User.all_tenants.filter(pk=user.pk).update(failed_logins=0)
    return USER.fire(user, event)


@atomically
def delete(*, caller: Caller, user: User) -> None:
    check_not_self(caller, user, "delete")
    remove(user=user)


@atomically
def remove(*, user: User) -> None:
    """The name is free again, keys and sessions are gone."""
    Session.objects.filter(user=user).delete()
    User.all_tenants.filter(pk=user.pk).update(login=f"removed:{user.pk}", api_key=None, secret_key="")
    user.mark_removed()


@atomically
def register_keys(*, user: User) -> tuple[str, str]:
    """A new pair: (API key, secret key). The old one is void from now on."""
    api_key, secret_key = secrets.token_urlsafe(64), secrets.token_urlsafe(64)
    User.all_tenants.filter(pk=user.pk).update(api_key=api_key, secret_key=secret.seal(secret_key))
    return api_key, secret_key


def keys_of(*, caller: Caller, user: User) -> tuple[str, str] | None:
    own = caller.user is not None and caller.user.pk == user.pk
    if not (own or caller.is_root or caller.is_domain_admin):
        raise PermissionDenied("only its own user and administrators may read a secret key")
    check_covers(caller, user.account)
    return (user.api_key, secret.unseal(user.secret_key)) if user.api_key else None
