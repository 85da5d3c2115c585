"""Which of two roles may do more: who acts on an account, or gives a role away, may do at least what that one may."""

import copy
from typing import Any

from apps.core import ports
from apps.core.callers import Caller, Kind
from apps.core.commands import REGISTRY
from apps.core.errors import PermissionDenied

RANK = {Kind.TENANT: 0, Kind.DOMAIN_ADMIN: 1, Kind.RESOURCE_ADMIN: 1, Kind.ROOT: 2}


def covers(role: Any, other: Any) -> bool:
    """``role`` is of no lower type than ``other`` and may call all that it may, or would once it is enabled again."""
    if role.pk == other.pk or role.is_unlimited:
        return True
    if other.is_unlimited or RANK[Kind(role.kind)] < RANK[Kind(other.kind)]:
        return False
    allows, other = ports.rules.one(), copy.copy(other)
    other.enabled = True
    return all(allows(role, n, s.roles) for n, s in REGISTRY.items() if allows(other, n, s.roles))


def may_act_for(caller: Caller, account: Any) -> bool:
    return account.pk == caller.account.pk or covers(caller.role, account.role)


def check_covers(caller: Caller, account: Any) -> None:
    """Or a new password, a read key and a user of one's own would be ways to the rights of a stronger account."""
    if not may_act_for(caller, account):
        raise PermissionDenied(f"account {account.name} may do more than your own: you cannot change it or its users")
