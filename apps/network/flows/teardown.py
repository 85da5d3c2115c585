"""Take down the networks and addresses of an account, when the machines in them are gone."""

from dataclasses import dataclass, field

from apps.jobs.flows import Flow, Step, join
from apps.network.flows.shutdown import SHUTDOWN, Shutdown
from apps.network.models import IpRange, Network, NetworkShare, PublicAddress
from apps.network.services import public


@dataclass
class Teardown:
    account_id: int
    children: dict[str, int] = field(default_factory=dict)


def delete_networks(ctx: Teardown) -> None:
    for key in Network.objects.owned_by(ctx.account_id).order_by("pk").values_list("pk", flat=True):
        join(ctx.children, SHUTDOWN, Shutdown(network_id=key, delete=True), key=f"network.delete:{key}")


def release_addresses(ctx: Teardown) -> None:
    mine = PublicAddress.objects.owned_by(ctx.account_id).select_related("address__range", "owner__domain")
    for row in mine.order_by("pk"):
        public.let_go(row)


def forget(ctx: Teardown) -> None:
    """What others gave the account: networks to use, ranges to take addresses from."""
    NetworkShare.objects.filter(account=ctx.account_id).delete()
    IpRange.all_tenants.filter(owner=ctx.account_id).update(owner=None)


def nothing(ctx: Teardown) -> None:
    """What is gone is gone; a failed teardown is begun again."""


TEARDOWN = Flow(
    "network.teardown",
    Teardown,
    (Step(delete_networks), Step(release_addresses), Step(forget)),
    on_success=nothing,
    on_failure=nothing,
)
