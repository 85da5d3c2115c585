"""The cloud that a first `./portal up` shows: made by calls of commands, as an operator's script would make it."""

from typing import Any

from cloudportal.logins import Login


def administrators() -> list[Login]:
    """Of a fresh installation: the seed made the user, its keys are registered here."""
    from apps.accounts.models import User
    from apps.accounts.tenants import caller_for
    from apps.core.dispatch import call

    rows = User.all_tenants.filter(username="admin", account__domain__parent=None)
    user = rows.select_related("account__domain", "account__role").first()
    if user is None:  # until the seed makes it
        return []
    caller = caller_for(user.account, user, "system")
    keys: dict[str, Any] = call(caller, "registerUserKeys", id=str(user.uuid))["userkeys"]
    return [Login("ROOT", user.account.name, "admin", "password", "Root Admin", keys["apikey"], keys["secretkey"])]


def build() -> list[Login]:
    return administrators()
