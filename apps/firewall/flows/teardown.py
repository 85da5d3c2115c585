"""Take down the rules and security groups of an account: rules go with their networks and addresses, groups here."""

from dataclasses import dataclass

from apps.core.retry import atomically
from apps.firewall.models import Rule, SecurityGroup
from apps.firewall.services import rules, security_groups
from apps.jobs.flows import Flow, Step


@dataclass
class Teardown:
    account_id: int


@atomically
def revoke_rules(ctx: Teardown) -> None:
    """They are gone with their networks, or when the devices know that they are revoked."""
    for row in Rule.objects.owned_by(ctx.account_id).filter(opened_by=None).exclude(state=Rule.State.REVOKE):
        rules.revoke(row)
    for row in Rule.objects.owned_by(ctx.account_id).exclude(state=Rule.State.REVOKE):
        rules.revoke(row)


@atomically
def remove_groups(ctx: Teardown) -> None:
    for group in SecurityGroup.objects.owned_by(ctx.account_id):
        security_groups.remove(group)


def nothing(ctx: Teardown) -> None:
    """What is gone is gone; a failed teardown is begun again."""


TEARDOWN = Flow(
    "firewall.teardown",
    Teardown,
    (Step(revoke_rules), Step(remove_groups)),
    on_success=nothing,
    on_failure=nothing,
)
