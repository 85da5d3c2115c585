"""Give the devices of a network its whole document again: on those that there are, or with cleanup on new ones."""

from dataclasses import dataclass

from apps.jobs.flows import Flow, Step
from apps.network.flows.implement import ensure_devices
from apps.network.flows.shutdown import remove_devices, row
from apps.network.models import Network
from apps.network.services import addressing, devices


@dataclass
class Restart:
    network_id: int
    cleanup: bool = False


def remake_devices(ctx: Restart) -> None:
    if ctx.cleanup:
        remove_devices(ctx)


def new_generation(ctx: Restart) -> None:
    """A device that says that it matches is asked to match all the same."""
    addressing.changed(ctx.network_id)


def apply(ctx: Restart) -> None:
    devices.catch_up(ctx.network_id)


def restarted(ctx: Restart) -> None:
    Network.all_tenants.filter(pk=ctx.network_id).update(restart_required=False)


def not_restarted(ctx: Restart) -> None:
    Network.all_tenants.filter(pk=ctx.network_id).update(restart_required=True)


RESTART = Flow(
    "network.restart",
    Restart,
    steps=(
        Step(remake_devices, tries=6),
        Step(new_generation),
        Step(ensure_devices, tries=6),  # type: ignore[arg-type]
        Step(apply, tries=6),
    ),
    on_success=restarted,
    on_failure=not_restarted,
    result=row,
)
