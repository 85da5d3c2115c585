"""Domains are served by accounts: deleting one deletes accounts, and its answer has their limits."""

from typing import Any

from django.db.models import QuerySet

from apps.accounts.commands.responses import DomainResponse
from apps.accounts.flows.delete_domain import DELETE_DOMAIN, DeleteDomain
from apps.accounts.services import domains
from apps.core.callers import DOMAIN, ROOT, Access, Kind
from apps.core.commands import AsyncCommand, Command, command
from apps.core.lists import ListCommand
from apps.core.reach import under
from apps.core.refs import Ref
from apps.core.wire import Bool, Int, Str, Uuid
from apps.domains.models import Domain
from apps.domains.services import DEEPEST
from apps.jobs.flows import begin

MAKERS = ROOT | Kind.DOMAIN_ADMIN
BELOW = Bool(help_text="with id or alone: the whole tree below, not only the next level")


def domain_ref(help_text: str = "the domain") -> Ref:
    return Ref("domains.Domain", Access.OPERATE, source="domain", required=True, help_text=help_text)


@command("createDomain", roles=MAKERS, event="DOMAIN.CREATE", response=DomainResponse)
class CreateDomain(Command):
    """Creates a domain below another."""

    name = Str(required=True, help_text="the name, unique below its parent")
    parentdomainid = Ref(
        "domains.Domain", Access.OPERATE, source="parent", help_text="the domain above; the caller's if absent"
    )
    networkdomain = Str(source="network_domain", help_text="domain name of its networks")
    domainid = Uuid(source="uuid", help_text="the id that the domain shall have")

    def run(self, name: str, parent: Domain | None = None, **more: Any) -> Domain:
        return domains.create(parent=parent or self.caller.account.domain, name=name, **more)


@command("updateDomain", roles=ROOT, event="DOMAIN.UPDATE", response=DomainResponse)
class UpdateDomain(Command):
    """Changes name or network domain of a domain."""

    id = domain_ref()
    name = Str(help_text="the new name")
    networkdomain = Str(source="network_domain", help_text="domain name of its networks")

    def run(self, domain: Domain, **changes: Any) -> Domain:
        return domains.update(domain=domain, **changes)


@command("moveDomain", roles=ROOT, event="DOMAIN.MOVE", response=DomainResponse)
class MoveDomain(Command):
    """Moves a domain, with all that is below it, to another parent."""

    domainid = domain_ref()
    parentdomainid = Ref("domains.Domain", Access.OPERATE, source="parent", required=True, help_text="the new parent")

    def run(self, domain: Domain, parent: Domain) -> Domain:
        return domains.move(domain=domain, parent=parent)


@command("deleteDomain", roles=MAKERS, event="DOMAIN.DELETE", response=None, locks=("domain",))
class DeleteDomainCommand(AsyncCommand):
    """Deletes a domain; with cleanup also the accounts and domains in it, with all they own."""

    id = domain_ref()
    cleanup = Bool(default=False, help_text="delete what is in it too")

    def run(self, domain: Domain, cleanup: bool) -> Any:
        domains.check_deletable(caller=self.caller, domain=domain, cleanup=cleanup)
        return begin(DELETE_DOMAIN, DeleteDomain(domain_id=domain.pk))


@command("listDomains", roles=DOMAIN, response=DomainResponse)
class ListDomains(ListCommand):
    """Lists domains with their limits and what is used of them."""

    model = "domains.Domain"
    keyword_in = ("name",)
    taggable = True
    details_words = ("all", "resource", "min")
    filters = {"name": "name"}
    level = Int(help_text="list those of this level; ROOT is 0")
    listall = Bool(help_text="the whole tree that the caller may see, not only its own domain")
    isrecursive = BELOW
    domainid = Ref("domains.Domain", Access.LIST, source="above", help_text="list this domain, or those below it")

    def visible(self, given: dict[str, Any]) -> QuerySet:
        rows = Domain.objects.visible_to(self.caller)
        if above := given.get("above"):
            return rows.filter(under(above.path, "path")) if given.get("isrecursive") else rows.filter(pk=above.pk)
        if given.keys() & {"id", "name", "level", "tags"} or given.get("listall") or given.get("isrecursive"):
            return rows
        return rows.filter(pk=self.caller.account.domain_id)

    def narrow(self, rows: QuerySet, given: dict[str, Any]) -> QuerySet:
        if "level" not in given:
            return rows
        level = given["level"]
        return rows.filter(path__regex=f"^(/[0-9]+){{{level + 1}}}/$") if 0 <= level < DEEPEST else rows.none()


@command("listDomainChildren", roles=DOMAIN, response=DomainResponse)
class ListDomainChildren(ListCommand):
    """Lists the domains below one."""

    model = "domains.Domain"
    keyword_in = ("name",)
    filters = {"name": "name"}
    id = Ref("domains.Domain", Access.LIST, source="above", help_text="the domain above; the caller's if absent")
    listall = Bool(help_text="with isrecursive: from the caller's domain down")
    isrecursive = BELOW

    def visible(self, given: dict[str, Any]) -> QuerySet:
        above = given.get("above") or self.caller.account.domain
        rows = Domain.objects.visible_to(self.caller)
        if given.get("isrecursive"):
            return rows.filter(under(above.path, "path")).exclude(pk=above.pk)
        return rows.filter(parent=above)
