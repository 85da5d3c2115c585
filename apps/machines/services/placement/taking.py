"""Taking a place: capacity of one host and a promise of the pools, all or nothing. Who comes too late for one candidate
gets the next; a place is taken once, however often it is asked for.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from apps.core.errors import InsufficientCapacity
from apps.core.prepared import Prepared, Slot
from apps.core.retry import atomically
from apps.infrastructure.models import Host
from apps.jobs.flows import explain
from apps.machines.models import Reservation, VirtualMachine
from apps.machines.services.placement import explanations, host_filters, requests, storage
from apps.machines.services.placement.choosing import Found, Search
from apps.machines.services.placement.requests import Request
from apps.storage.models import StoragePool, Volume
from apps.storage.services import pools

ROUNDS = 20  # of ten candidates each that others were faster for
Bounds = Callable[[VirtualMachine], tuple[Collection[int] | None, Collection[int]]]


HELD = Prepared(lambda: Reservation.objects.filter(vm=Slot("vm")).select_related("host"))


@dataclass(frozen=True)
class Choice:
    host: Host
    pools: dict[int, StoragePool]
    found: Found


class _Missed(Exception):
    """Somebody was faster: for this pool, or for the host, or for the machine."""

    def __init__(self, pool: int | None = None):
        self.pool = pool


def reserve(
    vm: VirtualMachine,
    *,
    wish: Mapping[str, Any] | None = None,
    avoid: Collection[int] = (),
    bounds: Bounds | None = None,
) -> Host:
    """The host that holds capacity for the machine, with pools for its disks: the one it has already, or the best.

    ``bounds`` says which hosts it must be on (None: any) and which not. It is asked in the transaction that takes the
    place and may lock what it reads; without it nothing is locked while a place is looked for.
    """
    if host := held(vm):
        return host
    find = _found if bounds is None else atomically(_found)
    request, choice = find(vm, wish, avoid, bounds)
    if choice is None:
        refusal = explanations.of_refusal(request)
        explain(refusal.details)
        raise InsufficientCapacity(refusal.text, tenant=refusal.tenant)
    explain(explanations.of_choice(request, choice.found, choice.host, choice.pools))
    return choice.host


def held(vm: VirtualMachine) -> Host | None:
    reservation = HELD.first(vm=vm.pk)
    return reservation.host if reservation else None


def _found(
    vm: VirtualMachine, wish: Mapping[str, Any] | None, avoid: Collection[int], bounds: Bounds | None
) -> tuple[Request, Choice | None]:
    together, apart = bounds(vm) if bounds else (None, ())
    request = requests.of(vm, wish=wish, avoid=avoid, together=together, apart=apart)
    search, tried = Search(request), set[int]()
    for _ in range(ROUNDS):
        found = search.candidates(tried)
        for host in found.hosts:
            if (chosen := _taken(vm, request, host)) is not None:
                return request, Choice(host, chosen, found)
        if not found.hosts:
            break
        if place := held(vm):  # another worker was at the same machine
            return request, Choice(place, {}, found)
        tried |= {host.pk for host in found.hosts}
    return request, None


def _taken(vm: VirtualMachine, request: Request, host: Host) -> dict[int, StoragePool] | None:
    """The pools that were taken with the host; None if it had no room, or no storage that it reaches had."""
    full: set[int] = set()
    while (chosen := storage.choose(request, host, full)) is not None:
        missed = _take(vm, request, host, chosen)
        if missed is None:
            return chosen
        if missed.pool is None:
            return None
        full.add(missed.pool)
    return None


@atomically
def _take(vm: VirtualMachine, request: Request, host: Host, chosen: dict[int, StoragePool]) -> _Missed | None:
    """In a savepoint of its own: within a larger transaction a miss takes back nothing else. Pools in key order.

    First the host, then the row that points at it: to insert that locks the host for reading, and two who have it so
    would wait for each other to change it.
    """
    amounts = {"cpu_mhz": request.cpu_mhz, "memory_mib": request.memory_mib}
    try:
        with transaction.atomic():
            if not Host.all_tenants.filter(_room(request), pk=host.pk).kernel_update(**_change(amounts, 1)):
                raise _Missed
            Reservation.objects.create(vm=vm, host=host, **amounts)
            rows = Volume.all_tenants.in_bulk(chosen)
            for key, pool in sorted(chosen.items(), key=lambda pair: (pair[1].pk, pair[0])):
                if not pools.take(rows[key], pool, via=host):
                    raise _Missed(pool.pk)
    except IntegrityError:
        return _Missed()
    except _Missed as missed:
        return missed
    return None


def _room(request: Request) -> Q:
    """What may have changed since the host was found."""
    changing = (host_filters.status, host_filters.resource_state, host_filters.guests, host_filters.cpu)
    return Q(*(condition(request) for condition in (*changing, host_filters.memory)))


def reserve_pool(volume: Volume, host: Host) -> None:
    """A promise for a disk that got none when its machine was placed: from a pool that the host reaches."""
    if volume.pool_id:
        return
    vm = volume.attachment.vm
    request, disk = requests.of(vm), requests.disk_of(volume, vm)
    for pool in storage.candidates(request, disk, host)[: storage.CANDIDATES]:
        if pools.take(volume, pool, via=host):
            return
    text = f"no primary storage that host {host.name} reaches has room for volume {volume.uuid}"
    raise InsufficientCapacity(text, tenant=host_filters.NO_STORAGE.format(zone_name=request.zone_name))


@atomically
def unreserve(vm: VirtualMachine) -> None:
    """Give back the capacity, and what pools promised to disks that were never begun; once, however often called."""
    for reservation in Reservation.objects.filter(vm=vm):
        if Reservation.objects.filter(pk=reservation.pk).delete()[0]:
            back = {"cpu_mhz": reservation.cpu_mhz, "memory_mib": reservation.memory_mib}
            Host.including_removed.filter(pk=reservation.host_id).kernel_update(**_change(back, -1))
            for volume in Volume.all_tenants.filter(attachment__vm=vm, state=Volume.State.ALLOCATED).order_by("pool"):
                pools.leave_pool(volume)


def _change(amounts: dict[str, int], sign: int) -> dict[str, Any]:
    used = {f"{kind}_used": F(f"{kind}_used") + sign * amount for kind, amount in amounts.items()}
    return {"guests": F("guests") + sign, **used}
