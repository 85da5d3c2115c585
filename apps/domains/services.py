"""Writers of domain paths: a new domain, and a move, which carries the copies on every owned row along."""

from typing import Any

from django.db.models import F, Max, QuerySet, Value
from django.db.models.functions import Concat, Length, Substr

from apps.core import rows
from apps.core.errors import InvalidParameter
from apps.core.ownership import placed_models
from apps.core.reach import under
from apps.core.retry import atomically
from apps.domains.models import Domain

BATCH = 5_000
DEEPEST, LONGEST = 255, 4096  # characters that the columns of the two paths have


@atomically
def create(*, name: str, parent: Domain | None) -> Domain:
    """Below where the parent is now, which neither moves nor goes before this transaction has ended."""
    above, spelled = _open(parent) if parent else ("/", "")
    domain = Domain(name=name, parent=parent)
    domain.save()
    domain.path = f"{above}{domain.pk}/"
    domain.wire_path = f"{spelled}{name}"
    _check_depth(len(domain.path), len(domain.wire_path))
    Domain.all_tenants.filter(pk=domain.pk).kernel_update(path=domain.path, wire_path=domain.wire_path)
    return domain


def _open(parent: Domain) -> tuple[str, str]:
    path, spelled, state, removed = rows.held(parent, "path", "wire_path", "state", "removed")
    if removed or state != "Active":
        raise InvalidParameter(f"domain {parent.name} is being deleted, or was: nothing new comes below it")
    return path, f"{spelled}/"


def held(*domains: Domain) -> tuple[Domain, ...]:
    """As they are now, and until this transaction ends no other moves or is renamed: under a lock on the root."""
    Domain.all_tenants.select_for_update().get(parent=None)
    found = Domain.all_tenants.in_bulk([domain.pk for domain in domains])
    if len(found) != len(domains):
        raise InvalidParameter("the domain was deleted at this moment")
    return tuple(found[domain.pk] for domain in domains)


def still(domain: Domain) -> None:
    """Nothing comes, goes or changes its size in the tree of ``domain`` until this transaction ends."""
    below = Domain.including_removed.filter(under(domain.path, "path")).order_by("pk")
    list(below.select_for_update().values_list("pk", flat=True))


@atomically
def move(*, domain: Domain, parent: Domain) -> None:
    """One transaction: a half-moved tree would show rows to the wrong administrators."""
    domain, parent = held(domain, parent)
    if parent.path.startswith(domain.path):
        raise InvalidParameter(f"{parent} lies below {domain}")
    old, new = domain.path, f"{parent.path}{domain.pk}/"
    if old == new:
        return
    _check_depth(_longest(domain, "path") - len(old) + len(new), 0)
    Domain.all_tenants.filter(pk=domain.pk).kernel_update(parent=parent)
    _rewrite(Domain.including_removed.filter(under(old, "path")), "path", old, new)
    _respell(Domain.all_tenants.get(pk=domain.pk))
    for model in placed_models():
        _rewrite(model._base_manager.filter(under(old)), "domain_path", old, new)


@atomically
def rename(*, domain: Domain, name: str) -> None:
    """As it is now: what was read before may have moved, or lie below one that has another name since."""
    (now,) = held(domain)
    now.name = domain.name = name
    now.save(update_fields=["name"])
    _respell(now)
    domain.path, domain.wire_path = now.path, now.wire_path


def _respell(domain: Domain) -> None:
    """The paths of names, of the domain and of all below it."""
    parent = domain.parent
    old, new = domain.wire_path, f"{parent.wire_path}/{domain.name}" if parent else domain.name
    below = Domain.including_removed.filter(under(domain.path, "path"))
    _check_depth(0, _longest(domain, "wire_path") - len(old) + len(new))
    below.kernel_update(wire_path=Concat(Value(new), Substr(F("wire_path"), len(old) + 1)))
    domain.wire_path = new


def _longest(domain: Domain, column: str) -> int:
    below = Domain.including_removed.filter(under(domain.path, "path"))
    return int(below.aggregate(n=Max(Length(column), default=0))["n"])


def _check_depth(keys: int, names: int) -> None:
    """Every row of a tenant has a copy of the path of keys: its column has an end."""
    if keys > DEEPEST or names > LONGEST:
        raise InvalidParameter(
            "the domain would lie too deep: there are too many domains above it, or their names are too long"
        )


def _rewrite(found: QuerySet[Any], column: str, old: str, new: str) -> None:
    while keys := list(found.values_list("pk", flat=True)[:BATCH]):
        moved = Concat(Value(new), Substr(F(column), len(old) + 1))
        these = found.model._base_manager.filter(pk__in=keys)
        getattr(these, "kernel_update", these.update)(**{column: moved})
