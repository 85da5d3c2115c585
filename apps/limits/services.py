"""Take and give back, exactly, without row locks held while anybody thinks: one conditional UPDATE per counter.

Every transaction goes from the leaf to the root and through the kinds in one order, so that two never wait for each
other crosswise.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import F, Q, Sum

from apps.core.errors import LimitExceeded
from apps.core.ownership import owned_models
from apps.core.reach import under
from apps.core.retry import atomically
from apps.limits.models import Counter


class Gate:
    """Answers ``core.limits``."""

    @atomically
    def take(self, owner: Any, amounts: Mapping[str, int]) -> None:
        for counter in self._counters(owner, amounts) if amounts else ():
            amount = amounts[counter.kind]
            room = Q(limit=-1) | Q(limit__gte=F("used") + amount)
            if not Counter.objects.filter(room, pk=counter.pk).update(used=F("used") + amount):
                raise LimitExceeded(_refusal(owner, counter, amount))

    @atomically
    def give(self, owner: Any, amounts: Mapping[str, int]) -> None:
        for counter in self._counters(owner, amounts) if amounts else ():
            Counter.objects.filter(pk=counter.pk).update(used=F("used") - amounts[counter.kind])

    def _counters(self, owner: Any, amounts: Mapping[str, int]) -> Iterator[Counter]:
        above = [int(pk) for pk in owner.domain.path.strip("/").split("/")]
        whose = Q(account=owner) | Q(domain_id__in=above)
        found = {(c.kind, c.domain_id): c for c in Counter.objects.filter(whose, kind__in=amounts)}
        for kind in sorted(amounts):
            yield found.get((kind, None)) or _first(owner, kind)
            yield from (found[kind, pk] for pk in reversed(above) if (kind, pk) in found)


def _first(owner: Any, kind: str) -> Counter:
    Counter.objects.bulk_create([Counter(account=owner, kind=kind)], ignore_conflicts=True)
    return Counter.objects.get(account=owner, kind=kind)


def _refusal(owner: Any, counter: Counter, amount: int) -> str:
    if counter.account_id:
        kind = f"Maximum amount of resources of Type = '{counter.kind}'"
        whose, word = f"for Account Name = {owner.name} in Domain Id = {owner.domain.uuid}", "Account"
    else:
        kind = f"Maximum domain resource limits of Type '{counter.kind}'"
        whose, word = f"for Domain Id = {counter.domain.uuid}", "Domain"
    return (
        f"{kind} {whose} is exceeded: {word} Resource Limit = {counter.limit}, Current {word} Resource Amount = "
        f"{counter.used}, Requested Resource Amount = {amount}."
    )


@atomically
def set_limit(*, kind: str, limit: int, account: Any = None, domain: Any = None) -> None:
    """A domain's counter begins with what is there; admissions in flight at that moment are found by the recount."""
    which = {"account": account, "domain": domain, "kind": kind}
    if not Counter.objects.filter(**which).update(limit=limit):
        Counter.objects.create(**which, limit=limit, used=counted(kind, account, domain))


def counted(kind: str, account: Any = None, domain: Any = None) -> int:
    """The truth, by summing: for a new counter, the recount command and the audit."""
    whose = Q(owner=account) if account else under(domain.path)
    total = 0
    for model in owned_models():
        source, rows = model.counts.get(kind, 0), model.all_tenants.filter(whose, is_counted=True)
        total += source * rows.count() if isinstance(source, int) else rows.aggregate(n=Sum(source, default=0))["n"]
    return total
