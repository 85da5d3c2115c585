"""In which order the few candidates are tried: first what operators have added, then the algorithm of the settings."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from django.db.models import Count, QuerySet

from apps.core.settings import Setting
from apps.infrastructure.models import Host
from apps.machines.models import Reservation
from apps.machines.services.placement.contracts import HostWeigher, PoolWeigher, added
from apps.machines.services.placement.requests import Request
from apps.storage.models import StoragePool, Volume

R = TypeVar("R", Host, StoragePool)
Weights = dict[str, Mapping[int, float]]  # by name of the weigher and key of the row
NAMES = ("random", "firstfit", "userdispersing", "firstfitleastconsumed")
HOSTS = Setting(
    "vm.allocation.algorithm",
    "random",
    choices=(*NAMES, "userconcentratedpod_random", "userconcentratedpod_firstfit"),
    help_text="Which of the emptiest hosts is tried first: any, the emptiest, the one with the fewest machines of the "
    "account, or the one with the least share in use.",
)
POOLS = Setting(
    "volume.allocation.algorithm",
    "random",
    choices=NAMES,
    help_text="Which of the emptiest pools is tried first: any, the emptiest, the one with the fewest volumes of the "
    "account, or the one with the least share in use.",
)
COUNTS = Setting(
    "host.capacityType.to.order.clusters",
    "CPU",
    choices=("CPU", "RAM", "COMBINED"),
    help_text="What the share in use of a host is taken of.",
)
CPU_WEIGHT = Setting(
    "host.capacityType.to.order.clusters.cputomemoryweight",
    0.5,
    minimum=0,
    maximum=1,
    help_text="How much CPU counts where both count together; memory has the rest.",
)


def _any(request: Request, rows: Sequence[Any]) -> Mapping[int, float]:
    return {row.pk: random.random() for row in rows}  # noqa: S311 - spreads load, keeps no secret


def _as_they_come(request: Request, rows: Sequence[Any]) -> Mapping[int, float]:
    return {}


def _fewest(held: QuerySet, column: str) -> Mapping[int, float]:
    """Minus the number: what is not there weighs nothing, and that is the most."""
    return {key: -float(count) for key, count in held.values_list(column).annotate(count=Count("pk")).order_by()}


def _fewest_machines(request: Request, rows: Sequence[Host]) -> Mapping[int, float]:
    keys = [row.pk for row in rows]
    return _fewest(Reservation.objects.filter(host__in=keys, vm__owner=request.owner, vm__kind="User"), "host")


def _fewest_volumes(request: Request, rows: Sequence[StoragePool]) -> Mapping[int, float]:
    keys = [row.pk for row in rows]
    return _fewest(Volume.all_tenants.filter(pool__in=keys, owner=request.owner), "pool")


def _least_used_hosts(request: Request, rows: Sequence[Host]) -> Mapping[int, float]:
    cpu = {"CPU": 1.0, "RAM": 0.0}.get(COUNTS.value(), CPU_WEIGHT.value())
    return {
        row.pk: -cpu * row.cpu_mhz_used / (row.cpu_mhz_capacity or 1)
        - (1 - cpu) * row.memory_mib_used / (row.memory_mib_capacity or 1)
        for row in rows
    }


def _least_used_pools(request: Request, rows: Sequence[StoragePool]) -> Mapping[int, float]:
    return {row.pk: -row.used_bytes / (row.capacity_bytes or 1) for row in rows}


HOST_ALGORITHMS = dict(zip(NAMES, (_any, _as_they_come, _fewest_machines, _least_used_hosts), strict=True))
POOL_ALGORITHMS = dict(zip(NAMES, (_any, _as_they_come, _fewest_volumes, _least_used_pools), strict=True))


def of_hosts() -> tuple[HostWeigher, ...]:
    name = HOSTS.value().removeprefix("userconcentratedpod_")
    return (*added("host_weighers"), HostWeigher(name, HOST_ALGORITHMS[name]))


def of_pools() -> tuple[PoolWeigher, ...]:
    name = POOLS.value()
    return (*added("pool_weighers"), PoolWeigher(name, POOL_ALGORITHMS[name]))


def order(rows: Sequence[R], weighers: Sequence[Any], request: Request) -> tuple[list[R], Weights]:
    """The heaviest first; rows that no weigher tells apart keep their order."""
    if len(rows) < 2:
        return list(rows), {}
    weights: Weights = {each.name: each.weigh(request, rows) for each in weighers}
    place: Callable[[R], list[float]] = lambda row: [-given.get(row.pk, 0.0) for given in weights.values()]  # noqa: E731
    return sorted(rows, key=place), weights
