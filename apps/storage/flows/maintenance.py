"""Primary storage goes into maintenance when nothing runs there any more. Nothing new comes since the command began;
who can stops the machines that use it, and cancelStorageMaintenance has them started again.
"""

import time
from dataclasses import dataclass

from apps.core.errors import ResourceInUse
from apps.core.retry import atomically
from apps.core.settings import Setting
from apps.jobs.flows import Flow, Step, Wait, begin
from apps.jobs.models import FlowRun
from apps.storage import ports
from apps.storage.models import StoragePool
from apps.storage.services import primary_storage
from apps.storage.states import POOL

PATIENCE = Setting(
    "storage.pool.max.waitseconds",
    3600,
    category="Storage",
    minimum=0,
    help_text="Seconds that machines on primary storage have to stop before its maintenance fails.",
)
PAUSE = 5.0


@dataclass
class Maintenance:
    pool_id: int
    began: float = 0.0


@atomically
def begin_maintenance(pool: StoragePool) -> FlowRun:
    """The state and the flow that will end it, in one transaction."""
    primary_storage.begin_maintenance(pool)
    return begin(MAINTENANCE, Maintenance(pool.pk))


def stop_machines(ctx: Maintenance) -> None:
    ctx.began = ctx.began or time.time()
    row = pool(ctx)
    if primary_storage.is_in_use(row):
        for stop in ports.stop_machines.all():
            stop(row)
    runs = primary_storage.is_in_use(row)
    if runs and (not ports.stop_machines.all() or time.time() > ctx.began + PATIENCE.value()):
        raise ResourceInUse(f"instances run with disks on pool {row.name}: stop them first")
    if runs or primary_storage.is_worked_on(row):  # what is asked about a disk is answered in the end
        raise Wait(PAUSE)


def in_maintenance(ctx: Maintenance) -> None:
    POOL.fire(pool(ctx), "OperationSucceeded")


def failed(ctx: Maintenance) -> None:
    """What was stopped stays down until an operator cancels or tries again."""
    POOL.fire(pool(ctx), "OperationFailed")


def pool(ctx: Maintenance) -> StoragePool:
    return StoragePool.including_removed.get(pk=ctx.pool_id)


MAINTENANCE = Flow(
    "storage.maintenance",
    Maintenance,
    steps=(Step(stop_machines),),
    on_success=in_maintenance,
    on_failure=failed,
    result=pool,
)
