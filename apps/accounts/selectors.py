"""Accounts that others ask for by their meaning."""

from apps.accounts.models import Account

SYSTEM = "system"


def system_account() -> Account:
    """Owns the machines of the installation itself; made by a seed, hidden from every list."""
    return Account.all_tenants.select_related("domain", "role").get(name=SYSTEM, is_hidden=True)
