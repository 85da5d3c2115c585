"""Pools and hosts. A host makes a pool known when it is told of a disk there, so nobody goes round all hosts when a
pool or a host is new: one host is asked whether the storage is there, and how large it is.
"""

import logging
import random

from django.db.models import Max, Q, QuerySet

from apps.core.errors import ResourceUnavailable
from apps.hypervisors.base import PoolSpec, PoolStats
from apps.hypervisors.errors import DriverError
from apps.infrastructure.drivers import driver_for
from apps.infrastructure.models import Host
from apps.storage.models import StoragePool
from apps.storage.services import pools

log = logging.getLogger(__name__)
ANSWER_WITHIN = 30.0
TRIES = 3


def any_host(pool: StoragePool) -> Host | None:
    """One that is up and reaches the pool, not always the same: the next try may find one that is well."""
    if pool.host_id or pool.cluster_id:
        return _up(pools.reaches(pool)).order_by("?").first()
    return spread(pools.reaches(pool))


def spread(where: Q) -> Host | None:
    """One of very many: the first after some key, because sorting them by chance would read all."""
    last = Host.including_removed.aggregate(last=Max("pk"))["last"] or 0
    hosts = _up(where).order_by("pk")
    return hosts.filter(pk__gte=random.randint(0, last)).first() or hosts.first()  # noqa: S311 - spreads load only


def _up(where: Q) -> QuerySet[Host]:
    return Host.all_tenants.filter(where, type="Routing", status=Host.Status.UP)


def measure(pool: StoragePool, spec: PoolSpec) -> PoolStats | None:
    """What a host that reaches it says; None if there is no host yet. Outside any transaction: it may take its time."""
    error: Exception | None = None
    for _ in range(TRIES):
        host = any_host(pool)
        if host is None:
            return None
        try:
            driver = driver_for(host).pools
            driver.ensure(spec, within=ANSWER_WITHIN)
            return driver.stats(spec.uuid, within=ANSWER_WITHIN)
        except DriverError as failed:
            log.warning("host %s cannot use storage %s", host.name, spec.uuid, exc_info=failed)
            error = failed
    raise ResourceUnavailable(f"url: no host can use the storage: {error}") from error
