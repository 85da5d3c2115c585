"""Writers of domain paths: a new domain, and a move, which carries the copies on every owned row along."""

from typing import Any

from django.db.models import F, QuerySet, Value
from django.db.models.functions import Concat, Substr

from apps.core.errors import InvalidParameter
from apps.core.ownership import placed_models
from apps.core.reach import under
from apps.core.retry import atomically
from apps.domains.models import Domain

BATCH = 5_000


@atomically
def create(*, name: str, parent: Domain | None) -> Domain:
    domain = Domain(name=name, parent=parent)
    domain.save()
    domain.path = f"{parent.path if parent else '/'}{domain.pk}/"
    domain.wire_path = f"{parent.wire_path}/{name}" if parent else name
    Domain.all_tenants.filter(pk=domain.pk).kernel_update(path=domain.path, wire_path=domain.wire_path)
    return domain


@atomically
def move(*, domain: Domain, parent: Domain) -> None:
    """One transaction under a lock on the root: a half-moved tree would show rows to the wrong administrators."""
    Domain.all_tenants.select_for_update().get(parent=None)
    domain, parent = (Domain.all_tenants.get(pk=row.pk) for row in (domain, parent))
    if parent.path.startswith(domain.path):
        raise InvalidParameter(f"{parent} lies below {domain}")
    old, new = domain.path, f"{parent.path}{domain.pk}/"
    Domain.all_tenants.filter(pk=domain.pk).kernel_update(parent=parent)
    _rewrite(Domain.including_removed.filter(under(old, "path")), "path", old, new)
    _respell(Domain.all_tenants.get(pk=domain.pk))
    for model in placed_models():
        _rewrite(model._base_manager.filter(under(old)), "domain_path", old, new)


@atomically
def rename(*, domain: Domain, name: str) -> None:
    domain.name = name
    domain.save(update_fields=["name"])
    _respell(domain)


def _respell(domain: Domain) -> None:
    """The paths of names, of the domain and of all below it."""
    parent = domain.parent
    old, new = domain.wire_path, f"{parent.wire_path}/{domain.name}" if parent else domain.name
    below = Domain.including_removed.filter(under(domain.path, "path"))
    below.kernel_update(wire_path=Concat(Value(new), Substr(F("wire_path"), len(old) + 1)))
    domain.wire_path = new


def _rewrite(rows: QuerySet[Any], column: str, old: str, new: str) -> None:
    while keys := list(rows.values_list("pk", flat=True)[:BATCH]):
        moved = Concat(Value(new), Substr(F(column), len(old) + 1))
        these = rows.model._base_manager.filter(pk__in=keys)
        getattr(these, "kernel_update", these.update)(**{column: moved})
