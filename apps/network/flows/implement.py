"""Bring a network up: a segment, a source NAT address, its devices, the document. Once for all who wait for it.

What is up already is looked after: a device that is missing or does not run comes back, and an undo leaves the rest.
"""

from dataclasses import dataclass

from apps.core.errors import ResourceUnavailable
from apps.core.retry import atomically
from apps.jobs.flows import Flow, Step, join
from apps.jobs.flows import begin as begin_flow
from apps.jobs.models import FlowRun
from apps.network.models import Network
from apps.network.services import devices, networks, public, segments
from apps.network.states import NETWORK

S = Network.State


@dataclass
class Implement:
    network_id: int


def row(ctx: Implement) -> Network:
    return devices.read(ctx.network_id)


def is_fresh(network: Network) -> bool:
    """What this flow takes back when it fails is only what a network has that was not up before."""
    return network.state == S.IMPLEMENTING


def begin(ctx: Implement) -> None:
    """Shared networks keep their state, and so does one that another flow brought up."""
    network = row(ctx)
    if network.removed or network.state == S.DESTROY:
        raise ResourceUnavailable(f"network {network.name} was deleted meanwhile")
    if network.state == S.SHUTDOWN:  # a shutdown failed here before: what it left is used again
        NETWORK.fire(network, "OperationSucceeded")
    if network.state == S.ALLOCATED:
        NETWORK.fire(network, "ImplementNetwork")


def take_segment(ctx: Implement) -> None:
    network = row(ctx)
    if network.guest_type in ("Isolated", "L2"):
        segments.allocate(network)


def free_segment(ctx: Implement) -> None:
    network = row(ctx)
    if is_fresh(network):
        segments.free(network)


def take_source_nat(ctx: Implement) -> None:
    network = row(ctx)
    if "SourceNat" in network.offering.services:
        public.ensure_source_nat(network)


@atomically
def free_source_nat(ctx: Implement) -> None:
    """Of a network that holds no other address, as before; with others it stays what it was made by the first one."""
    network = row(ctx)
    held = public.source_nat(network)
    if held and is_fresh(network) and network.public_addresses.filter(removed=None).count() == 1:
        public.let_go(held)


def ensure_devices(ctx: Implement) -> None:
    devices.ensure(row(ctx))


def remove_devices(ctx: Implement) -> None:
    network = row(ctx)
    if is_fresh(network):
        devices.remove(network)


def apply(ctx: Implement) -> None:
    devices.catch_up(ctx.network_id)


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


def key_of(network_id: int) -> str:
    return f"network.implement:{network_id}"


@atomically
def soon(network_id: int) -> None:
    """Without anybody waiting for it: a persistent network is up before its first machine."""
    if not FlowRun.objects.filter(key=key_of(network_id)).exists():
        begin_flow(IMPLEMENT, Implement(network_id), key=key_of(network_id), child=True)


def join_implemented(children: dict[str, int], network_id: int) -> None:
    """For a step of a flow: be through when the network is up and its devices know what was in it at the first call.
    The machine that it is for says already that it starts.
    """
    network = networks.needed(network_id)
    wanted = children.setdefault(f"generation:{network_id}", network.generation)
    key = key_of(network_id)
    if key in children or not devices.is_up(network):
        join(children, IMPLEMENT, Implement(network_id), key=key)
        children.pop(key)
    devices.ensure_applied(network_id, wanted)
