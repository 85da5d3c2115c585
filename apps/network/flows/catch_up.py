"""Give running devices the document of now: what a command could not tell them, or had no time to."""

from dataclasses import dataclass

from apps.core.retry import atomically
from apps.jobs.flows import Flow, Step, begin
from apps.jobs.models import FlowRun
from apps.network.services import devices


@dataclass
class CatchUp:
    network_id: int


def apply(ctx: CatchUp) -> None:
    devices.catch_up(ctx.network_id)


def nothing(ctx: CatchUp) -> None:
    """The schedule looks again."""


CATCH_UP = Flow(
    "network.catch_up",
    CatchUp,
    (Step(apply),),
    on_success=nothing,
    on_failure=nothing,
    locks=lambda ctx: [devices.read(ctx.network_id).lock_key],
)


@atomically
def soon(network_id: int) -> None:
    """Once at a time; a change that comes too late for the one that is under way is found by the schedule."""
    key = f"network.catch_up:{network_id}"
    if not FlowRun.objects.filter(key=key).exists():
        begin(CATCH_UP, CatchUp(network_id), key=key, child=True)
