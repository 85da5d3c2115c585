"""Counters are what is there: summed per owner, and per domain where a limit is set."""

from collections import defaultdict
from collections.abc import Iterator

from django.db.models import Count, Sum

from apps.core.audit import audit
from apps.core.ownership import owned_models
from apps.limits.models import Counter
from apps.limits.services import counted


@audit("limits: counters of accounts are what their accounts have")
def accounts() -> Iterator[str]:
    there: dict[tuple[int, str], int] = defaultdict(int)
    for model in owned_models():
        for kind, source in model.counts.items():
            total = Count("pk") if isinstance(source, int) else Sum(source)
            rows = model.all_tenants.filter(is_counted=True).values("owner").annotate(n=total)
            for owner, n in rows.values_list("owner", "n"):
                there[owner, kind] += (n or 0) * (source if isinstance(source, int) else 1)
    kept = {(c.account_id, c.kind): c.used for c in Counter.objects.exclude(account=None)}
    for owner, kind in sorted(there.keys() | kept.keys()):
        found, said = there.get((owner, kind), 0), kept.get((owner, kind), 0)
        if found != said:
            yield f"account {owner}: {kind} is {found}, its counter says {said}"


@audit("limits: counters of domains are what is in their trees")
def domains() -> Iterator[str]:
    for counter in Counter.objects.exclude(domain=None).select_related("domain"):
        if (n := counted(counter.kind, domain=counter.domain)) != counter.used:
            yield f"domain {counter.domain_id}: {counter.kind} is {n}, its counter says {counter.used}"
