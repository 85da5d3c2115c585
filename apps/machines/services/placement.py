"""Where a machine runs. Looking is pure, so a dry run stops before ``reserve``; taking is one conditional UPDATE."""

from collections.abc import Iterable

from django.db.models import F, Q, QuerySet

from apps.core.errors import InsufficientCapacity
from apps.core.retry import atomically
from apps.infrastructure.models import Host
from apps.machines.models import Reservation, VirtualMachine

CANDIDATES = 10


def candidates(vm: VirtualMachine, avoid: Iterable[int] = ()) -> QuerySet[Host]:
    """The emptiest hosts that could take it: one indexed query, however many hosts there are."""
    room = Host.all_tenants.filter(_room(vm), zone=vm.zone_id, status="Up", resource_state="Enabled")
    return room.exclude(pk__in=list(avoid)).order_by("memory_mib_used", "pk")[:CANDIDATES]


def _room(vm: VirtualMachine) -> Q:
    return Q(
        memory_mib_used__lte=F("memory_mib_capacity") - vm.memory_mib,
        cpu_mhz_used__lte=F("cpu_mhz_capacity") - vm.cpus * vm.speed_mhz,
        guests__lt=F("max_guests"),
    )


def reserve(vm: VirtualMachine, avoid: Iterable[int] = ()) -> Host:
    """The host that holds capacity for the machine: the one it has already, or the first candidate with room."""
    if held := Reservation.objects.filter(vm=vm).select_related("host").first():
        return held.host
    for host in candidates(vm, avoid):
        if _take(vm, host):
            return host
    raise InsufficientCapacity("no host has room for the instance")


@atomically
def _take(vm: VirtualMachine, host: Host) -> bool:
    held = {"cpu_mhz": vm.cpus * vm.speed_mhz, "memory_mib": vm.memory_mib}
    if not Host.all_tenants.filter(_room(vm), pk=host.pk).kernel_update(**_change(held, 1)):
        return False
    Reservation.objects.create(vm=vm, host=host, **held)
    return True


@atomically
def unreserve(vm: VirtualMachine) -> None:
    for held in Reservation.objects.filter(vm=vm):
        if Reservation.objects.filter(pk=held.pk).delete()[0]:
            back = {"cpu_mhz": held.cpu_mhz, "memory_mib": held.memory_mib}
            Host.including_removed.filter(pk=held.host_id).kernel_update(**_change(back, -1))


def _change(held: dict[str, int], sign: int) -> dict[str, F]:
    return {"guests": F("guests") + sign} | {f"{kind}_used": F(f"{kind}_used") + sign * n for kind, n in held.items()}
