"""ROOT, its administrator, and the account that owns the machines of the system."""

import os

from apps.accounts.models import Account, User
from apps.accounts.selectors import SYSTEM
from apps.accounts.services import users
from apps.accounts.services.accounts import Person, begins
from apps.core.retry import atomically
from apps.core.seeds import seed
from apps.domains import services as tree
from apps.domains.models import Domain
from apps.rbac.models import Role

ADMIN = Person("admin", os.environ.get("ADMIN_PASSWORD", "password"), "admin", "cloud", "admin@localhost")


@seed("accounts.root")
@atomically
def root() -> None:
    """As fresh-install.md has it: admin with the password ``password``, to be changed at once."""
    domain = Domain.all_tenants.filter(parent=None).first() or tree.create(name="ROOT", parent=None)
    role = Role.all_tenants.get(name="Root Admin")
    for name, hidden in (("admin", False), (SYSTEM, True)):
        if Account.including_removed.filter(name=name, domain=domain).exists():
            continue
        kind = Account.Type.ROOT
        account = Account(name=name, domain=domain, role=role, type=kind, is_default=True, is_hidden=hidden)
        account.save()
        if not hidden:
            user = users.create(account=account, person=ADMIN)
            User.all_tenants.filter(pk=user.pk).update(is_default=True)
            begins(account)
