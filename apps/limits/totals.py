"""What listAccounts and listDomains say about limits: one query of counters for a whole page."""

from collections.abc import Sequence
from typing import Any

from apps.accounts.models import Account
from apps.accounts.ports import kinds
from apps.core.keys import Keys
from apps.limits.kinds import BY_NAME, GIB, Kind
from apps.limits.models import Counter

UNLIMITED = "Unlimited"
IN_GIB = {"primary_storage", "secondary_storage"}
WORDS = dict(kinds())


def of_accounts(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    types = dict(Account.including_removed.filter(pk__among=Keys(keys)).values_list("pk", "type"))
    # They depend on the type alone: a page of accounts asks each setting a few times, not once for each account.
    limits = {
        type: {name: BY_NAME[name].default_for(Account(type=type)) for name in WORDS} for type in {*types.values()}
    }
    unused = {type: _all_said(each) for type, each in limits.items()}
    found = {key: unused[type].copy() for key, type in types.items()}
    rows = Counter.objects.filter(account__among=Keys(keys)).values_list("account", "kind", "limit", "used")
    for key, name, limit, used in rows:
        found[key].update(_said(name, limits[types[key]][name] if limit is None else limit, used))
    return found


def of_domains(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    """``total`` is kept only where a limit is set: summing the rest costs seconds for ROOT at a million rows."""
    unused = _all_said(dict.fromkeys(WORDS, -1))
    found = {key: unused.copy() for key in keys}
    rows = Counter.objects.filter(domain__among=Keys(keys)).values_list("domain", "kind", "limit", "used")
    for key, name, limit, used in rows:
        found[key].update(_said(name, -1 if limit is None else limit, used))
    return found


def _all_said(limits: dict[str, int]) -> dict[str, Any]:
    """Of who uses nothing."""
    return {field: value for name, limit in limits.items() for field, value in _said(name, limit, 0).items()}


def _said(name: str, limit: int, used: int) -> dict[str, Any]:
    word, kind = WORDS[name], BY_NAME[name]
    return {
        f"{word}limit": UNLIMITED if limit == -1 else str(limit // kind.unit),
        f"{word}available": UNLIMITED if limit == -1 else str(_available(limit, used, kind)),
        f"{word}total": _total(name, used),
    }


def _available(limit: int, used: int, kind: Kind) -> int:
    return max(limit - used, 0) // kind.unit


def _total(name: str, used: int) -> Any:
    if name == "secondary_storage":
        return round(used / GIB, 2)
    return used // GIB if name in IN_GIB else used
