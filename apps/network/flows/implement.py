"""Bring a network up: a segment, a source NAT address, its devices, the document. Once for all who wait for it."""

from dataclasses import dataclass

from apps.core.errors import ResourceUnavailable
from apps.core.retry import atomically
from apps.jobs.flows import Flow, Step
from apps.network.models import Network
from apps.network.services import networks, public
from apps.network.states import NETWORK

S = Network.State


@dataclass
class Implement:
    network_id: int


def row(ctx: Implement) -> Network:
    rows = Network.including_removed.select_related("offering", "zone", "owner__domain", "owner__role")
    return rows.get(pk=ctx.network_id)


def begin(ctx: Implement) -> None:
    """Networks that need nothing implemented (shared ones) are through; so is one that another flow brought up."""
    network = row(ctx)
    if network.removed:
        raise ResourceUnavailable(f"network {network.name} was deleted meanwhile")
    if network.state == S.SHUTDOWN:  # an implementation or a shutdown failed here before: nothing of it is left
        NETWORK.fire(network, "OperationSucceeded")
    if network.state == S.ALLOCATED:
        NETWORK.fire(network, "ImplementNetwork")


def take_segment(ctx: Implement) -> None:
    network = row(ctx)
    if network.guest_type in ("Isolated", "L2"):
        networks.allocate_segment(network)


def free_segment(ctx: Implement) -> None:
    networks.free_segment(row(ctx))


def take_source_nat(ctx: Implement) -> None:
    network = row(ctx)
    if "SourceNat" in network.offering.services:
        public.ensure_source_nat(network)


@atomically
def free_source_nat(ctx: Implement) -> None:
    if held := public.source_nat(row(ctx)):
        public.let_go(held)


def ensure_devices(ctx: Implement) -> None:
    network = row(ctx)
    for provider in networks.providers_of(network):
        provider.ensure(network)


def remove_devices(ctx: Implement) -> None:
    network = row(ctx)
    for provider in networks.providers_of(network):
        provider.remove(network)


def apply(ctx: Implement) -> None:
    networks.ensure_applied(ctx.network_id)


def implemented(ctx: Implement) -> None:
    network = row(ctx)
    if network.state == S.IMPLEMENTING:
        NETWORK.fire(network, "OperationSucceeded", idle_since=None)


@atomically
def failed(ctx: Implement) -> None:
    network = row(ctx)
    if network.state == S.IMPLEMENTING:
        NETWORK.fire(network, "OperationFailed")
        NETWORK.fire(network, "OperationSucceeded")  # all was taken back: Allocated again


IMPLEMENT = Flow(
    "network.implement",
    Implement,
    steps=(
        Step(begin),
        Step(take_segment, undo=free_segment),
        Step(take_source_nat, undo=free_source_nat),
        Step(ensure_devices, undo=remove_devices, tries=6),
        Step(apply, tries=6),
    ),
    on_success=implemented,
    on_failure=failed,
    locks=lambda ctx: [row(ctx).lock_key],
)
