"""Whose rows a list shows and who owns a new row: the tables of wire-protocol.md section 8, in one place."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from apps.core import ports
from apps.core.callers import Access, Caller
from apps.core.errors import NOT_YOURS, InvalidParameter, NotInProject, PermissionDenied
from apps.core.reach import NOBODY, Owned, under

OWNED = Owned()
NO_PROJECTS = Q(in_project=False)
ACCOUNT_AND_PROJECT = "Account and projectId can't be specified together"


@dataclass(frozen=True, slots=True)
class Request:
    """The scope parameters as they came; None where absent."""

    listall: bool = False
    isrecursive: bool = False
    domainid: str | None = None
    account: str | None = None
    projectid: str | None = None
    by_id: bool = False


def resolve(caller: Caller, request: Request) -> Q:
    if request.account and request.projectid:
        if request.projectid != "-1":
            reachable_project(caller, request.projectid)  # who is not in it hears of that first
        raise InvalidParameter(ACCOUNT_AND_PROJECT)
    if request.projectid:
        return _projects(caller, request)
    if request.account:
        return Q(owner=named_account(caller, request.account, request.domainid).pk)
    if request.domainid:
        return _domain(caller, request)
    if request.by_id:
        return OWNED.q(caller, Access.LIST)  # rows of the caller's projects too
    if request.listall and caller.is_root:
        return NO_PROJECTS
    if request.listall and caller.is_domain_admin:
        return under(caller.path) & NO_PROJECTS
    return Q(owner=caller.account.pk)  # root too: the trap of this protocol


SCOPED = re.compile(r"(owner|domain_path|in_project)(_id)?((?:__\w+)?)")


def respelled(q: Q, names: Mapping[str, str]) -> Q:
    """The same for rows that keep owner, path and project flag elsewhere; without a flag they are in no project."""
    found = Q(_connector=q.connector, _negated=q.negated)
    child: Any  # a Q, or a name with its value
    for child in q.children:
        if isinstance(child, Q):
            found.children.append(respelled(child, names))
            continue
        name, value = child
        match = SCOPED.fullmatch(name)
        if match is None:
            found.children.append(child)
        elif match[1] in names:
            found.children.append((names[match[1]] + match[3], value))
        elif value:
            found.children.append(NOBODY)
    return found


def _domain(caller: Caller, request: Request) -> Q:
    domain = reachable_domain(caller, request.domainid)
    if not (caller.is_root or caller.is_domain_admin):
        return Q(owner=caller.account.pk)
    rows = under(domain.path) if request.isrecursive else Q(domain_path=domain.path)
    return rows & NO_PROJECTS


def _projects(caller: Caller, request: Request) -> Q:
    mine = Q(owner__in=caller.projects)
    if request.projectid != "-1":
        return Q(owner=reachable_project(caller, request.projectid).pk)
    if not request.listall:
        return Q(in_project=True) if caller.is_root else mine
    return Q() if caller.is_root else Q(owner=caller.account.pk) | mine  # not the tree of a domain administrator


def reachable_domain(caller: Caller, uuid: str | None) -> Any:
    domain = ports.tenants.one().domain(uuid) if uuid else caller.account.domain
    if domain is None:
        raise InvalidParameter(f"Unable to find the domain by id={uuid}")
    inside = domain.path.startswith(caller.path) if caller.is_domain_admin else domain.path == caller.path
    if not (caller.is_root or inside):
        raise PermissionDenied(
            f"Account {caller.account.name} does not have permission to operate within domain id={domain.uuid}"
        )
    return domain


def named_account(caller: Caller, name: str, domainid: str | None) -> Any:
    domain = reachable_domain(caller, domainid)
    account = ports.tenants.one().account(name, domain)
    if account is None:
        raise InvalidParameter(f"could not find account {name} in domain {domain.name}")
    if not (caller.is_root or caller.is_domain_admin or account.pk == caller.account.pk):
        raise PermissionDenied(NOT_YOURS)
    return account


def reachable_project(caller: Caller, uuid: str | None) -> Any:
    project = ports.tenants.one().project(uuid or "")
    if project is None:
        raise InvalidParameter(f"Unable to find the project by id={uuid}")
    in_tree = caller.is_domain_admin and project.domain.path.startswith(caller.path)
    if not (caller.is_root or in_tree or project.pk in caller.projects):
        raise NotInProject(str(project.uuid))
    return project


def owner_of_new(caller: Caller, account: str | None, domainid: str | None, projectid: str | None) -> Any:
    """The account that a new row will belong to; services get it as ``owner`` and never see the three parameters."""
    if account and projectid:
        raise InvalidParameter(ACCOUNT_AND_PROJECT)
    if projectid:
        return reachable_project(caller, projectid)
    if account and not domainid:
        raise InvalidParameter("Account must be specified with domainId parameter")
    return named_account(caller, account, domainid) if account else caller.account
