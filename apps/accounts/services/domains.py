"""Domains as tenants see them. The tree itself (paths, moves) is kept by apps.domains."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from apps.accounts import ports
from apps.accounts.models import Account
from apps.core.callers import Caller
from apps.core.errors import InvalidParameter, PermissionDenied
from apps.core.reach import under
from apps.core.retry import atomically
from apps.core.rights import covers
from apps.domains import services as tree
from apps.domains.models import Domain
from apps.rbac.models import Role

Rows = QuerySet[Any]


@atomically
def create(*, parent: Domain, name: str, network_domain: str = "", uuid: str = "") -> Domain:
    _check_name(name)
    if uuid and Domain.including_removed.filter(uuid=uuid).exists():
        raise InvalidParameter(f"domainid: there is a domain {uuid} already")
    with _free(name):
        domain = tree.create(name=name, parent=parent)
    if uuid:
        domain.uuid = UUID(uuid)
        Domain.all_tenants.filter(pk=domain.pk).kernel_update(uuid=domain.uuid)
    if network_domain:
        domain.network_domain = network_domain
        domain.save(update_fields=["network_domain"])
    return domain


def _check_name(name: str) -> None:
    if "/" in name or not name.strip():
        raise InvalidParameter("name: a domain needs a name, and it has no slash in it")


@contextmanager
def _free(name: str) -> Iterator[None]:
    """The database says whether a name is free; in a savepoint, so that the refusal loses nothing else."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        raise InvalidParameter(f"name: domain with name {name} already exists for the parent") from None


@atomically
def update(*, domain: Domain, name: str | None = None, network_domain: str | None = None) -> Domain:
    if name is not None and name != domain.name:
        if domain.parent_id is None:
            raise PermissionDenied("id: ROOT keeps its name")
        _check_name(name)
        with _free(name):
            tree.rename(domain=domain, name=name)
    if network_domain is not None:
        domain.network_domain = network_domain
        domain.save(update_fields=["network_domain"])
    return domain


@atomically
def move(*, domain: Domain, parent: Domain) -> Domain:
    if domain.parent_id is None:
        raise PermissionDenied("domainid: ROOT stays where it is")
    domain, parent = tree.held(domain, parent)
    if domain.parent_id == parent.pk:
        raise InvalidParameter(f"parentdomainid: domain {domain.name} is in {parent.name} already")
    if parent.path.startswith(domain.path):
        raise InvalidParameter(f"parentdomainid: domain {parent.name} is inside {domain.name}")
    for name, each in (("domainid", domain), ("parentdomainid", parent)):
        if each.state != "Active":
            raise InvalidParameter(f"{name}: domain {each.name} is being deleted")
    tree.still(domain)
    for tell in ports.domain_moves.all():
        tell(domain, parent)
    with _free(domain.name):
        tree.move(domain=domain, parent=parent)
    return Domain.all_tenants.get(pk=domain.pk)


def check_deletable(*, caller: Caller, domain: Domain, cleanup: bool) -> None:
    """ROOT and the caller's own domain never; one that is not empty only with ``cleanup``."""
    if domain.parent_id is None or caller.path.startswith(domain.path):
        raise PermissionDenied("id: neither ROOT nor one's own domain can be deleted")
    if not cleanup and not is_empty(domain):
        raise InvalidParameter(
            f"id: domain {domain.name} has accounts or domains in it; cleanup=true deletes them with it"
        )
    inside = Account.all_tenants.filter(under(domain.path, "domain__path"))
    for role in Role.including_removed.filter(pk__in=inside.values("role")):
        if not covers(caller.role, role):
            raise PermissionDenied(f"id: domain {domain.name} has accounts in it that may do more than your own")


def is_empty(domain: Domain) -> bool:
    children = Domain.all_tenants.filter(parent=domain)
    return not (children.exists() or Account.all_tenants.filter(domain=domain).exists())


@atomically
def remove(*, domain: Domain) -> None:
    """What comes into it at this moment is there before this looks, or finds it gone."""
    Domain.including_removed.select_for_update().get(pk=domain.pk)
    if not is_empty(domain):
        raise InvalidParameter(f"domain {domain.name} is not empty any more")
    domain.mark_removed()
