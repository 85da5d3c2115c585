"""Empty a host: nothing new goes there since the command began; who can moves what runs, and then it is in maintenance.

Nothing is stopped that an operator did not stop: where machines stay, the host goes back to Enabled and the job fails.
"""

from dataclasses import dataclass, field

from apps.core.errors import ResourceInUse
from apps.infrastructure import ports
from apps.infrastructure.models import Host
from apps.infrastructure.services import hosts
from apps.infrastructure.states import HOST
from apps.jobs.flows import Flow, Step


@dataclass
class Maintenance:
    host_id: int
    children: dict[str, int] = field(default_factory=dict)


def check(ctx: Maintenance) -> None:
    """Before anything moves: what nobody moves away is an operator's to stop."""
    row = host(ctx)
    for answer in ports.stays.all():
        if words := answer(row):
            raise ResourceInUse(f"{words} run on host {row.name}: stop them first")


def evacuate(ctx: Maintenance) -> None:
    row = host(ctx)
    for answer in ports.evacuate.all():
        answer(row, ctx.children)
    if not hosts.is_empty(row):
        raise ResourceInUse(f"machines still run on host {row.name}")


def in_maintenance(ctx: Maintenance) -> None:
    hosts.end_maintenance(host=host(ctx))


def as_before(ctx: Maintenance) -> None:
    HOST.fire(host(ctx), "AdminCancelMaintenance")


def host(ctx: Maintenance) -> Host:
    return Host.including_removed.get(pk=ctx.host_id)


MAINTENANCE = Flow(
    "infrastructure.maintenance",
    Maintenance,
    steps=(Step(check), Step(evacuate)),
    on_success=in_maintenance,
    on_failure=as_before,
    result=host,
)
