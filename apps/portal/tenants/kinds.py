"""Domains, accounts and users."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.portal.kinds import Action, Kind
from apps.portal.visits import Row


def _is_root(row: Row) -> Any:
    return _("it is the root of all") if row.get("level") == 0 else None


def _default(row: Row) -> Any:
    return _("it belongs to the product") if row.get("isdefault") else None


def _in_state(*states: str) -> Any:
    return lambda row: row.get("state") in states


DOMAIN = Kind(
    "domains.Domain",
    _("domain"),
    _("domains"),
    _("Domains"),
    "sitemap",
    "listDomains",
    "domains",
    titles=("path", "name"),
    creating="createDomain",
    brief={"details": "min"},
    searched=True,
    actions=(
        Action("updateDomain", "edit", asks=True, unless=_is_root),
        Action("moveDomain", "arrows-exchange", given={"domainid": "id"}, asks=True, unless=_is_root),
        Action("deleteDomain", "trash", asks=True, danger=True, unless=_is_root),
    ),
)
ACCOUNT = Kind(
    "accounts.Account",
    _("account"),
    _("accounts"),
    _("Accounts"),
    "users",
    "listAccounts",
    "accounts",
    creating="createAccount",
    brief={"details": "min"},
    searched=True,
    actions=(
        Action("updateAccount", "edit", given={"id": "id"}, asks=True),
        Action("enableAccount", "player-play", given={"id": "id"}, shown=_in_state("disabled", "locked")),
        Action(
            "lockAccount",
            "lock",
            given={"account": "name", "domainid": "domainid"},
            asks=True,
            shown=_in_state("enabled"),
            unless=_default,
        ),
        Action(
            "disableAccount",
            "player-stop",
            given={"id": "id"},
            fixed={"lock": "false"},
            asks=True,
            danger=True,
            shown=_in_state("enabled", "locked"),
            unless=_default,
        ),
        Action("deleteAccount", "trash", given={"id": "id"}, asks=True, danger=True, unless=_default),
    ),
)
USER = Kind(
    "accounts.User",
    _("user"),
    _("users"),
    _("Users"),
    "user",
    "listUsers",
    "users",
    titles=("username",),
    creating="createUser",
    searched=True,
    actions=(
        Action("updateUser", "edit", asks=True),
        Action("registerUserKeys", "key", asks=True),
        Action("enableUser", "player-play", shown=_in_state("disabled", "locked")),
        Action("lockUser", "lock", asks=True, shown=_in_state("enabled"), unless=_default),
        Action(
            "disableUser", "player-stop", asks=True, danger=True, shown=_in_state("enabled", "locked"), unless=_default
        ),
        Action("deleteUser", "trash", asks=True, danger=True, unless=_default),
    ),
)
