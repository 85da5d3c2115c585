"""Take a network down: its devices and its segment. ``delete`` removes it with its addresses afterwards; a restart with
cleanup brings it up again.
"""

from dataclasses import dataclass
from typing import Any

from apps.core.errors import ResourceInUse
from apps.core.retry import atomically
from apps.jobs.flows import Flow, Step
from apps.network import ports
from apps.network.flows.implement import apply, ensure_devices, remove_devices
from apps.network.models import Network
from apps.network.services import networks
from apps.network.states import NETWORK

S = Network.State


@dataclass
class Shutdown:
    network_id: int
    delete: bool = False


def row(ctx: Shutdown) -> Network:
    rows = Network.including_removed.select_related("offering", "zone", "owner__domain", "owner__role")
    return rows.get(pk=ctx.network_id)


def begin(ctx: Shutdown) -> None:
    network = row(ctx)
    if ctx.delete:
        networks.check_deletable(network)
    elif any(answer(network.pk) for answer in ports.is_busy.all()):
        raise ResourceInUse(f"a machine runs in network {network.name}")
    if network.state == S.IMPLEMENTED:
        NETWORK.fire(network, "DestroyNetwork")


def free_segment(ctx: Shutdown) -> None:
    networks.free_segment(row(ctx))


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


STEPS: tuple[Step[Any], ...] = (Step(begin), Step(remove_devices, tries=6), Step(free_segment))
SHUTDOWN = Flow(
    "network.shutdown",
    Shutdown,
    steps=STEPS,
    on_success=down,
    on_failure=stays,
    locks=lambda ctx: [row(ctx).lock_key],
)


@dataclass
class Restart:
    network_id: int
    cleanup: bool = False


def remake_devices(ctx: Restart) -> None:
    if ctx.cleanup:
        remove_devices(ctx)  # type: ignore[arg-type]


def restarted(ctx: Restart) -> None:
    Network.all_tenants.filter(pk=ctx.network_id).update(restart_required=False)


def not_restarted(ctx: Restart) -> None:
    Network.all_tenants.filter(pk=ctx.network_id).update(restart_required=True)


RESTART = Flow(
    "network.restart",
    Restart,
    steps=(Step(remake_devices, tries=6), Step(ensure_devices, tries=6), Step(apply, tries=6)),
    on_success=restarted,
    on_failure=not_restarted,
)
