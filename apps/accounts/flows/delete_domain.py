"""Delete a domain with everything below it: accounts first, each by the flow that deletes accounts, then the domains
from the leaves up.
"""

from dataclasses import dataclass, field

from apps.accounts.flows.delete import DELETE, Delete
from apps.accounts.models import Account
from apps.accounts.services import domains
from apps.core.reach import under
from apps.core.retry import atomically
from apps.domains.models import Domain
from apps.jobs.flows import Flow, Step, Wait, join


@dataclass
class DeleteDomain:
    domain_id: int
    children: dict[str, int] = field(default_factory=dict)


def close(ctx: DeleteDomain) -> None:
    """Inactive domains take no new accounts or domains."""
    below(ctx).kernel_update(state="Inactive")


def delete_accounts(ctx: DeleteDomain) -> None:
    """One after the other: each is a flow of its own, which may be under way for another reason."""
    path = domain(ctx).path
    left = Account.all_tenants.filter(under(path, "domain__path")).order_by("pk")
    for key in left.values_list("pk", flat=True)[:1]:
        join(ctx.children, DELETE, Delete(account_id=key), key=f"accounts.delete:{key}")
        ctx.children.pop(f"accounts.delete:{key}", None)
    if left.exists():
        raise Wait(0)


@atomically
def remove(ctx: DeleteDomain) -> None:
    for row in below(ctx).order_by("-path"):
        domains.remove(domain=row)


@atomically
def stays(ctx: DeleteDomain) -> None:
    """What could not be deleted is usable again; deleteDomain may be called again."""
    below(ctx).kernel_update(state="Active")


def domain(ctx: DeleteDomain) -> Domain:
    return Domain.including_removed.get(pk=ctx.domain_id)


def below(ctx: DeleteDomain) -> "domains.Rows":
    return Domain.all_tenants.filter(under(domain(ctx).path, "path"))


DELETE_DOMAIN = Flow(
    "accounts.delete_domain",
    DeleteDomain,
    on_success=remove,
    on_failure=stays,
    steps=(Step(close), Step(delete_accounts)),
)
