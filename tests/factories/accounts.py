from itertools import count

from apps.accounts.models import User
from apps.accounts.services import key_pairs
from apps.core.callers import Kind

NUMBER = count(1)


def user(make, owner):
    number = next(NUMBER)
    row = User(login=f"{owner.domain_id}:u{number}", username=f"u{number}", account=owner)
    row.save()
    return row


def key_pair(make, owner):
    key = ("ssh-rsa AAAAB3NzaC1yc2E" + f"{next(NUMBER):08d}" * 4)[:60]
    return key_pairs.register(owner=owner, name=f"k{next(NUMBER)}", public_key=key + "=" * (-len(key.split()[1]) % 4))


def account(make, owner):
    return make.account(f"a{next(NUMBER)}", owner.domain)


ROWS = {
    "accounts.User": user,
    "accounts.Account": account,
    "accounts.SshKeyPair": key_pair,
    "domains.Domain": lambda make, owner: make.domain(f"d{next(NUMBER)}", owner.domain),
    "rbac.Role": lambda make, owner: make.role(Kind.TENANT, f"r{next(NUMBER)}"),
}
