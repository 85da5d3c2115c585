"""What listAccounts and listDomains say about limits: one query of counters for a whole page."""

from collections.abc import Iterable, Sequence
from typing import Any

from apps.accounts.models import Account
from apps.accounts.ports import kinds
from apps.limits.kinds import BY_NAME, GIB, Kind
from apps.limits.models import Counter

UNLIMITED = "Unlimited"
IN_GIB = {"primary_storage", "secondary_storage"}


def of_accounts(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    owners = list(Account.including_removed.filter(pk__in=keys).only("pk", "type"))
    rows = Counter.objects.filter(account__in=keys).values_list("account", "kind", "limit", "used")
    counters = {(account, kind): (limit, used) for account, kind, limit, used in rows}
    # They depend on the type alone: a page of accounts asks each setting a few times, not once for each account.
    types = {owner.type: owner for owner in owners}.values()
    unless_set = {one.type: {name: BY_NAME[name].default_for(one) for name, _ in kinds()} for one in types}

    def of(owner: Account) -> Iterable[tuple[str, int, int]]:
        for name, default in unless_set[owner.type].items():
            limit, used = counters.get((owner.pk, name), (None, 0))
            yield name, default if limit is None else limit, used

    return {owner.pk: _said(of(owner)) for owner in owners}


def of_domains(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    """``total`` is kept only where a limit is set: summing the rest costs seconds for ROOT at a million rows."""
    counters = {(c.domain_id, c.kind): c for c in Counter.objects.filter(domain__in=keys)}

    def one(key: int) -> Iterable[tuple[str, int, int]]:
        for name, _ in kinds():
            counter = counters.get((key, name))
            yield (
                name,
                -1 if counter is None or counter.limit is None else counter.limit,
                counter.used if counter else 0,
            )

    return {key: _said(one(key)) for key in keys}


def _said(values: Iterable[tuple[str, int, int]]) -> dict[str, Any]:
    words: dict[str, str] = dict(kinds())
    said: dict[str, Any] = {}
    for name, limit, used in values:
        word, kind = words[name], BY_NAME[name]
        said[f"{word}limit"] = UNLIMITED if limit == -1 else str(limit // kind.unit)
        said[f"{word}available"] = UNLIMITED if limit == -1 else str(_available(limit, used, kind))
        said[f"{word}total"] = _total(name, used)
    return said


def _available(limit: int, used: int, kind: Kind) -> int:
    return max(limit - used, 0) // kind.unit


def _total(name: str, used: int) -> Any:
    if name == "secondary_storage":
        return round(used / GIB, 2)
    return used // GIB if name in IN_GIB else used
