"""Limits and counts. The ``id`` of a limit, an internal number of the original, is not served."""

from typing import Any

from apps.core.callers import DOMAIN, USER, Caller
from apps.core.commands import Command, command
from apps.core.errors import InvalidParameter
from apps.core.lists import MemoryListCommand
from apps.core.refs import Known
from apps.core.responses import Plain
from apps.core.scope import named_account, reachable_domain, reachable_project
from apps.core.wire import Bool, Int, Long, Str
from apps.limits import services
from apps.limits.kinds import BY_NAME, BY_NUMBER, KINDS, Kind
from apps.limits.models import Counter

TYPE = "kind of resource by its number: 0 instances, 1 addresses, 2 volumes, 4 templates, 6 networks, 8 CPUs, ..."


class ResourceLimitResponse(Plain):
    wire_name = "resourcelimit"
    fields = {
        "resourcetype": "string",
        "resourcetypename": "string",
        "max": "long",
        "account": "string",
        "domain": "string",
        "domainid": "string",
        "domainpath": "string",
        "project": "string",
        "projectid": "string",
    }


class ResourceCountResponse(Plain):
    wire_name = "resourcecount"
    fields = {**ResourceLimitResponse.fields, "resourcecount": "long"}
    fields.pop("max")


def whose(account: Any, domain: Any) -> dict[str, Any]:
    if account is not None:
        name = {"project": account.name, "projectid": str(account.uuid)} if account.is_project else {}
        name = name or {"account": account.name}
        domain = account.domain
    else:
        name = {}
    return {**name, "domain": domain.name, "domainid": str(domain.uuid), "domainpath": domain.wire_path}


def kind_of(number: int | None, name: str | None = None) -> list[Kind]:
    if number is None and not name:
        return list(KINDS)
    found = BY_NUMBER.get(number) if number is not None else BY_NAME.get((name or "").lower())
    if found is None:
        raise InvalidParameter(f"resourcetype: there is no kind of resource {number if number is not None else name}")
    return [found]


def target(caller: Caller, account: str | None, domainid: str | None, projectid: str | None) -> tuple[Any, Any]:
    """(account, None) or (None, domain): whose limits are meant."""
    if projectid:
        if account:
            raise InvalidParameter("Account and projectId can't be specified together")
        return reachable_project(caller, projectid), None
    if account:
        return named_account(caller, account, domainid), None
    return None, reachable_domain(caller, domainid)


def limits_of(kinds: list[Kind], account: Any, domain: Any) -> list[dict[str, Any]]:
    counters = {c.kind: c for c in Counter.objects.filter(account=account, domain=domain)}
    found = []
    for kind in kinds:
        counter = counters.get(kind.name) or Counter(account=account, domain=domain, kind=kind.name)
        limit = services.limit_of(counter, account)
        name = {"resourcetype": str(kind.number), "resourcetypename": kind.name}
        found.append({**name, "max": limit if limit == -1 else limit // kind.unit, **whose(account, domain)})
    return found


@command("listResourceLimits", roles=USER, response=ResourceLimitResponse)
class ListResourceLimits(MemoryListCommand):
    """Lists the limits of an account, a project or a domain."""

    resourcetype = Int(help_text=TYPE)
    resourcetypename = Str(help_text="kind of resource by its name")
    account = Str(help_text="limits of this account, with domainid")
    domainid = Known("domains.Domain", help_text="limits of this domain, or of the account in it")
    projectid = Known("accounts.Account", help_text="limits of this project")
    listall = Bool(help_text="without effect: limits are those of one owner")
    isrecursive = Bool(help_text="without effect: limits are those of one owner")

    def entries(self, **given: Any) -> list[dict[str, Any]]:
        kinds = kind_of(given.get("resourcetype"), given.get("resourcetypename"))
        names = ("account", "domainid", "projectid")
        if not any(given.get(name) for name in names):
            return limits_of(kinds, self.caller.account, None)
        return limits_of(kinds, *target(self.caller, *(given.get(name) for name in names)))


@command("updateResourceLimit", roles=DOMAIN, event="RESOURCE.LIMIT.UPDATE", response=ResourceLimitResponse)
class UpdateResourceLimit(Command):
    """Sets the limit of an account, a project or a domain for one kind of resource."""

    resourcetype = Int(required=True, help_text=TYPE)
    max = Long(min_value=-1, default=-1, help_text="the limit; -1 for none; GiB for storage, MiB for memory")
    account = Str(help_text="limit of this account, with domainid")
    domainid = Known("domains.Domain", help_text="limit of this domain, or of the account in it")
    projectid = Known("accounts.Account", help_text="limit of this project")

    def run(self, resourcetype: int, max: int, **given: Any) -> dict[str, Any]:
        (kind,) = kind_of(resourcetype)
        account, domain = target(self.caller, *(given.get(n) for n in ("account", "domainid", "projectid")))
        services.check_may_set(self.caller, account, domain)
        if max > (1 << 62) // kind.unit:
            raise InvalidParameter("max: larger than any cloud; -1 says no limit")
        limit = max if max == -1 else max * kind.unit
        services.set_limit(kind=kind.name, limit=limit, account=account, domain=domain)
        return {"resourcelimit": limits_of([kind], account, domain)[0]}


@command("updateResourceCount", roles=DOMAIN, event="RESOURCE.LIMIT.UPDATE", response=ResourceCountResponse)
class UpdateResourceCount(Command):
    """Counts again what an account or a domain has, and puts its counters right."""

    domainid = Known("domains.Domain", required=True, help_text="the domain, or that of the account")
    account = Str(help_text="count for this account only")
    projectid = Known("accounts.Account", help_text="count for this project only")
    resourcetype = Int(help_text=TYPE)

    def run(self, resourcetype: int | None = None, **given: Any) -> dict[str, Any]:
        account, domain = target(self.caller, *(given.get(n) for n in ("account", "domainid", "projectid")))
        rows = []
        for kind in kind_of(resourcetype):
            count = services.recount(kind=kind, account=account, domain=domain)
            name = {"resourcetype": str(kind.number), "resourcetypename": kind.name}
            rows.append({**name, "resourcecount": count // kind.unit, **whose(account, domain)})
        return {"count": len(rows), "resourcecount": rows}
