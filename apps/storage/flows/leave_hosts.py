"""A pool was deleted: the hosts that may know it let go of it. Best effort: a host that does not answer forgets it when
it is reinstalled, and nobody waits.
"""

import logging
import time
from dataclasses import dataclass

from apps.hypervisors.errors import DriverError
from apps.infrastructure.drivers import driver_for
from apps.infrastructure.models import Host
from apps.jobs.flows import Flow, Step, Wait, begin
from apps.storage.models import StoragePool
from apps.storage.services import pools

log = logging.getLogger(__name__)
SOME = 500
SPELL, WITHIN = 90.0, 30.0  # seconds of a turn, which ends within its lease, and of a call


@dataclass
class LeaveHosts:
    pool_id: int
    after: int = 0  # key of the last host that was asked


def leave(ctx: LeaveHosts) -> None:
    pool, until = StoragePool.including_removed.get(pk=ctx.pool_id), time.monotonic() + SPELL
    hosts = Host.all_tenants.filter(pools.reaches(pool), type="Routing", status="Up", pk__gt=ctx.after)
    for host in hosts.order_by("pk")[:SOME]:
        if time.monotonic() > until:
            raise Wait(0)
        _leave(pool, host)
        ctx.after = host.pk
    if hosts.filter(pk__gt=ctx.after).exists():
        raise Wait(0)


def _leave(pool: StoragePool, host: Host) -> None:
    try:
        driver_for(host).pools.remove(str(pool.uuid), within=WITHIN)
    except DriverError:
        log.warning("host %s does not let go of storage %s", host.name, pool.uuid, exc_info=True)


def nothing(ctx: LeaveHosts) -> None:
    """The step did it all."""


LEAVE_HOSTS = Flow(
    "storage.leave_hosts", LeaveHosts, (Step(leave, queue="storage"),), on_success=nothing, on_failure=nothing
)


def begin_leaving(pool: StoragePool) -> None:
    """In the transaction that deletes it."""
    begin(LEAVE_HOSTS, LeaveHosts(pool.pk), child=True)
