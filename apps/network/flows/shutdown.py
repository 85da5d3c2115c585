"""Take a network down: its devices and its segment. ``delete`` removes it with its addresses afterwards; a restart with
cleanup brings it up again.
"""

from dataclasses import dataclass
from typing import Any

from apps.core.retry import atomically
from apps.hypervisors.errors import Refused, Unknown
from apps.jobs.flows import Flow, Step
from apps.network.models import Network
from apps.network.services import devices, networks, segments
from apps.network.states import NETWORK

S = Network.State


@dataclass
class Shutdown:
    """``forced`` deletes the network also when its devices do not answer; they are removed when they do."""

    network_id: int
    delete: bool = False
    forced: bool = False


def row(ctx: Any) -> Network:
    return devices.read(ctx.network_id)


def close(ctx: Shutdown) -> None:
    network = row(ctx)
    if not network.removed:
        networks.close(network, delete=ctx.delete)


def remove_devices(ctx: Any) -> None:
    devices.remove(row(ctx))


def remove_or_abandon(ctx: Shutdown) -> None:
    try:
        remove_devices(ctx)
    except (Refused, Unknown):
        if not ctx.forced:
            raise
        devices.abandon(row(ctx))


def free_segment(ctx: Shutdown) -> None:
    segments.free(row(ctx))


@atomically
def down(ctx: Shutdown) -> None:
    network = row(ctx)
    if network.removed:
        return
    if network.state == S.SHUTDOWN:
        NETWORK.fire(network, "OperationSucceeded", idle_since=None)
    if ctx.delete:
        networks.remove(network)


def stays(ctx: Shutdown) -> None:
    """The network keeps its state: Shutdown is what the next attempt goes on from."""


SHUTDOWN = Flow(
    "network.shutdown",
    Shutdown,
    steps=(Step(close), Step(remove_or_abandon, tries=6), Step(free_segment)),
    on_success=down,
    on_failure=stays,
    locks=lambda ctx: [row(ctx).lock_key],
)
