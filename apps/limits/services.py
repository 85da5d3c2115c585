"""Take and give back, exactly, without row locks held while anybody thinks: one conditional UPDATE per counter.

Every transaction goes from the leaf to the root and through the kinds in one order, so that two never wait for each
other crosswise.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from django.db.models import F, Q, Sum

from apps.core.errors import InvalidParameter, LimitExceeded, PermissionDenied
from apps.core.ownership import owned_models
from apps.core.prepared import KeysSlot, Prepared, Slot, changed
from apps.core.reach import under
from apps.core.retry import atomically
from apps.domains import services as tree
from apps.limits.kinds import BY_NAME, Kind
from apps.limits.models import Counter


class Gate:
    """Answers ``core.limits``."""

    @atomically
    def take(self, owner: Any, amounts: Mapping[str, int]) -> None:
        for counter in self._counters(owner, amounts) if amounts else ():
            amount, limit = amounts[counter.kind], limit_of(counter, owner)
            room = {} if limit == -1 else {"used": limit - amount}
            # The limit is compared again in the database: it may be lowered at this moment.
            same = {"pk": counter.pk, "limit": counter.limit}
            if not changed(Counter, same, plus={"used": amount}, most=room):
                self._take_held(owner, counter, amount)

    def _take_held(self, owner: Any, counter: Counter, amount: int) -> None:
        """It is full, or its limit has changed since it was read: under its lock there is nothing left to guess."""
        counter = Counter.objects.select_for_update().get(pk=counter.pk)
        limit = limit_of(counter, owner)
        if limit != -1 and counter.used > limit - amount:
            raise LimitExceeded(_refusal(owner, counter, amount))
        changed(Counter, {"pk": counter.pk}, plus={"used": amount})

    @atomically
    def give(self, owner: Any, amounts: Mapping[str, int]) -> None:
        for counter in self._counters(owner, amounts) if amounts else ():
            changed(Counter, {"pk": counter.pk}, plus={"used": -amounts[counter.kind]})

    def _counters(self, owner: Any, amounts: Mapping[str, int]) -> Iterator[Counter]:
        above = [int(pk) for pk in owner.domain.path.strip("/").split("/")]
        kinds = tuple(sorted(amounts))
        found = {(c.kind, c.domain_id): c for c in _of(kinds)(account=owner.pk, domains=above)}
        for kind in kinds:
            yield found.get((kind, None)) or _first(owner, kind)
            yield from (found[kind, pk] for pk in reversed(above) if (kind, pk) in found)


@cache
def _of(kinds: tuple[str, ...]) -> Prepared:
    whose = Q(account=Slot("account")) | Q(domain__among=KeysSlot("domains"))
    return Prepared(lambda: Counter.objects.filter(whose, kind__in=kinds))


@atomically
def domain_moves(domain: Any, parent: Any) -> None:
    """Answers ``accounts.domain_moves``: what is in the tree counts in other domains from now on, if there is room."""
    old, new = ({int(pk) for pk in path.strip("/").split("/")} for path in (domain.path, parent.path))
    old.discard(domain.pk)
    amounts: dict[str, int] = {}
    for counter in Counter.objects.filter(domain__in=old ^ new).order_by("kind", "-domain"):
        if counter.kind not in amounts:
            amounts[counter.kind] = counted(counter.kind, domain=domain)
        amount = amounts[counter.kind]
        rows = Counter.objects.filter(pk=counter.pk)
        if counter.domain_id in old:
            rows.update(used=F("used") - amount)
        elif not rows.filter(Q(limit=None) | Q(limit=-1) | Q(used__lte=F("limit") - amount)).update(
            used=F("used") + amount
        ):
            raise LimitExceeded(_refusal(None, counter, amount))


def limit_of(counter: Counter, owner: Any) -> int:
    """In what counters count; -1 for none."""
    if counter.limit is not None:
        return counter.limit
    kind = BY_NAME.get(counter.kind)
    return kind.default_for(owner) if kind and counter.account_id else -1


def _first(owner: Any, kind: str) -> Counter:
    if counter := Counter.objects.filter(account=owner, kind=kind).first():
        return counter
    Counter.objects.bulk_create([Counter(account=owner, kind=kind)], ignore_conflicts=True)
    return Counter.objects.get(account=owner, kind=kind)


def _refusal(owner: Any, counter: Counter, amount: int) -> str:
    if counter.account_id:
        kind = f"Maximum amount of resources of Type = '{counter.kind}'"
        whose, word = f"for Account Name = {owner.name} in Domain Id = {owner.domain.uuid}", "Account"
    else:
        domain = counter.domain
        kind = f"Maximum domain resource limits of Type '{counter.kind}'"
        whose, word = f"for Domain Id = {domain.uuid if domain else ''}", "Domain"
    return (
        f"{kind} {whose} is exceeded: {word} Resource Limit = {limit_of(counter, owner)}, Current {word} Resource "
        f"Amount = {counter.used}, Requested Resource Amount = {amount}."
    )


def check_may_set(caller: Any, owner: Any, domain: Any) -> None:
    """An administrator sets limits below the own place in the tree, never the own ones."""
    if caller.is_root:
        return
    if (owner is not None and owner.pk == caller.account.pk) or (owner is None and domain.path == caller.path):
        raise PermissionDenied("nobody but an administrator above may change one's own limits")


@atomically
def set_limit(*, kind: str, limit: int | None, account: Any = None, domain: Any = None) -> Counter:
    """``limit`` in what counters count, None for the default of the settings (accounts) or none (domains)."""
    if domain is not None and limit is not None and limit != -1:
        _check_above(domain, kind, limit)
    counter = _first(account, kind) if account is not None else _first_of_domain(domain, kind)
    Counter.objects.filter(pk=counter.pk).update(limit=limit)
    return Counter.objects.select_related("account__domain", "domain").get(pk=counter.pk)


def _first_of_domain(domain: Any, kind: str) -> Counter:
    """It begins with what is there, while nothing comes or goes: who came before has ended, who comes after counts."""
    if counter := Counter.objects.filter(domain=domain, kind=kind).first():
        return counter
    (domain,) = tree.held(domain)
    tree.still(domain)
    made = Counter(domain=domain, kind=kind, used=counted(kind, domain=domain))
    Counter.objects.bulk_create([made], ignore_conflicts=True)
    return Counter.objects.get(domain=domain, kind=kind)


def _check_above(domain: Any, kind: str, limit: int) -> None:
    above = [int(pk) for pk in domain.path.strip("/").split("/")][:-1]
    tighter = Counter.objects.filter(domain_id__in=above, kind=kind, limit__gte=0, limit__lt=limit)
    if tighter.exists():
        raise InvalidParameter("max: a domain above has a lower limit")


def counted(kind: str, account: Any = None, domain: Any = None) -> int:
    """The truth, by summing: for a new counter, the recount command and the audit."""
    whose = Q(owner=account) if account else under(domain.path)
    total = 0
    for model in owned_models():
        source, rows = model.counts.get(kind, 0), model.all_tenants.filter(whose, is_counted=True)
        if source:
            total += source * rows.count() if isinstance(source, int) else rows.aggregate(n=Sum(source, default=0))["n"]
    return total


@atomically
def recount(*, kind: Kind, account: Any = None, domain: Any = None) -> int:
    """Set a counter to what is there; returns that. Counters of domains exist only where a limit is set. Whoever counts
    in it meanwhile has ended before this counts, or waits for it.
    """
    if account is not None:
        _first(account, kind.name)
    rows = Counter.objects.filter(account=account, domain=domain, kind=kind.name)
    list(rows.select_for_update())
    used = counted(kind.name, account, domain)
    rows.update(used=used)
    return used
