"""Accounts: what owns everything. Making one makes its first user."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.accounts import ports
from apps.accounts.models import Account, User
from apps.accounts.services import users
from apps.accounts.states import ACCOUNT
from apps.core.callers import Caller, Kind
from apps.core.errors import InvalidParameter, PermissionDenied, ResourceInUse
from apps.core.models import Detail
from apps.core.ownership import owned_models
from apps.core.retry import atomically
from apps.core.rights import check_covers, covers
from apps.core.rows import held
from apps.domains.models import Domain
from apps.jobs import locks
from apps.rbac.models import Role

TYPES = {
    Kind.TENANT: Account.Type.USER,
    Kind.ROOT: Account.Type.ROOT,
    Kind.DOMAIN_ADMIN: Account.Type.DOMAIN_ADMIN,
    Kind.RESOURCE_ADMIN: Account.Type.RESOURCE_ADMIN,
}
LABEL, LONGEST = "accounts.account", 255


@dataclass(frozen=True)
class Person:
    """The user that a new account begins with."""

    username: str
    password: str
    first_name: str
    last_name: str
    email: str
    timezone: str = ""
    uuid: str = ""


def role_for(caller: Caller, role: Role | None, account_type: int | None) -> Role:
    """The role of a new account: given, or the default one of the account type."""
    if role is None:
        kind = next((kind for kind, number in TYPES.items() if number == account_type), None)
        if kind is None:
            raise InvalidParameter("roleid or accounttype: one of them must say what the account may do")
        role = Role.all_tenants.filter(kind=kind, is_default=True).order_by("pk")[0]
    check_grant(caller, role)
    return role


def check_grant(caller: Caller, role: Role) -> None:
    """Nobody gives more than they have."""
    if not role.enabled:
        raise InvalidParameter(f"roleid: role {role.name} is disabled")
    hidden = role.kind not in (Kind.DOMAIN_ADMIN, Kind.TENANT) or not role.is_public
    if (hidden and not caller.is_root) or not covers(caller.role, role):
        raise PermissionDenied("roleid: this role may do more than your own")


def _check_stays(role: Role) -> None:
    """Until this transaction ends: who deletes it, or gives it another type, asks whether it is given to anybody."""
    if held(role, "kind", "removed") != (role.kind, None):
        raise InvalidParameter(f"roleid: role {role.name} was changed or deleted at this moment")


@atomically
def create(
    *,
    domain: Domain,
    role: Role,
    person: Person,
    name: str = "",
    network_domain: str = "",
    details: dict[str, str] | None = None,
    uuid: str = "",
) -> Account:
    users.check_name("account", name or person.username)
    _check_stays(role)
    state, removed = held(domain, "state", "removed")
    if removed or state != "Active":
        raise InvalidParameter(f"domainid: domain {domain.name} is being deleted, or was")
    account = Account(
        name=name or person.username,
        domain=domain,
        role=role,
        type=TYPES[Kind(role.kind)],
        network_domain=network_domain,
    )
    if uuid:
        account.uuid = UUID(uuid)
    try:
        with transaction.atomic():
            account.save()
    except IntegrityError:
        raise InvalidParameter(
            f"account: the specified account {account.name} already exists in domain {domain.uuid}"
        ) from None
    users.create(account=account, person=person)
    set_details(account, details or {})
    begins(account)
    return account


@atomically
def begins(account: Account) -> None:
    """Once, when it is made: apps above give it what it has from its start."""
    for give in ports.made.all():
        give(account)


def set_details(account: Account, details: dict[str, str]) -> None:
    if any(len(name) > LONGEST for name in details):
        raise InvalidParameter(f"accountdetails: a name has at most {LONGEST} characters")
    Detail.objects.filter(kind=LABEL, row_id=account.pk).delete()
    try:
        with transaction.atomic():
            rows = [Detail(kind=LABEL, row_id=account.pk, name=n, value=v) for n, v in details.items()]
            Detail.objects.bulk_create(rows)
    except IntegrityError:  # what is the same name is the database's to say: case, accents, blanks at the end
        raise InvalidParameter("accountdetails: two of the names are the same") from None


@atomically
def update(
    *,
    caller: Caller,
    account: Account,
    name: str | None = None,
    role: Role | None = None,
    network_domain: str | None = None,
    details: dict[str, str] | None = None,
) -> Account:
    check_covers(caller, account)
    users.check_name("newname", name)
    changes: dict[str, Any] = {"name": name, "network_domain": network_domain}
    if role is not None and role.pk != account.role_id:
        if account.is_default:
            raise InvalidParameter("roleid: the default accounts keep their roles")
        check_grant(caller, role)
        _check_stays(role)
        changes |= {"role": role, "type": TYPES[Kind(role.kind)]}
    changes = {column: value for column, value in changes.items() if value is not None}
    for column, value in changes.items():
        setattr(account, column, value)
    if changes:
        try:
            with transaction.atomic():
                account.save(update_fields=list(changes))
        except IntegrityError:
            raise InvalidParameter(f"newname: there is an account {name} in this domain already") from None
    if details is not None:
        set_details(account, details)
    return account


def check_not_self(caller: Caller, account: Account, verb: str) -> None:
    check_covers(caller, account)
    if account.pk == caller.account.pk:
        raise InvalidParameter(f"an account cannot {verb} itself")
    if account.is_default:
        raise InvalidParameter(f"account {account.name} is the installation's own: it is not possible to {verb} it")


@atomically
def lock(*, caller: Caller, account: Account) -> Account:
    check_not_self(caller, account, "lock")
    return ACCOUNT.fire(account, "lock")


@atomically
def enable(*, caller: Caller, account: Account) -> Account:
    """Not while it is being deleted: what the teardown has taken down would be made again."""
    check_covers(caller, account)
    locks.hold(account)
    return ACCOUNT.fire(account, "enable")


@atomically
def remove(*, account: Account) -> None:
    """The end of deleteAccount: its users cannot log in any more, the name is free again.

    A creation that had read the account before it was closed may have come in between: then there is still something
    to take down, and the deletion has to be called again. One that is under way ends before this looks.
    """
    Account.including_removed.select_for_update().get(pk=account.pk)
    for model in owned_models():
        if model.all_tenants.filter(owner=account).exists():
            raise ResourceInUse(f"account {account.name} still owns a {model._meta.verbose_name}")
    for user in User.all_tenants.filter(account=account):
        users.remove(user=user)
    account.mark_removed()
