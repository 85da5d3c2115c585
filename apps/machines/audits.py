"""Books of places: what hosts have promised, and to whom."""

from collections.abc import Iterator

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce

from apps.core.audit import audit
from apps.infrastructure.models import Host
from apps.machines.models import Reservation, VirtualMachine

S = VirtualMachine.State
HELD = ("guests", "cpu_mhz_used", "memory_mib_used")
IDLE = (S.STOPPED, S.DESTROYED, S.EXPUNGING, S.RESTORING, S.ERROR)


@audit("hosts: what is promised is what machines hold there")
def held() -> Iterator[str]:
    sums = Host.including_removed.annotate(
        number=Count("reservations"),
        cpu=Coalesce(Sum("reservations__cpu_mhz"), 0),
        memory=Coalesce(Sum("reservations__memory_mib"), 0),
    )
    wrong = sums.exclude(guests=F("number"), cpu_mhz_used=F("cpu"), memory_mib_used=F("memory"))
    for name, *figures in wrong.order_by("pk").values_list("name", *HELD, "number", "cpu", "memory"):
        promised, due = ("{} machines, {} MHz, {} MiB".format(*each) for each in (figures[:3], figures[3:]))
        yield f"host {name} has promised {promised}; machines hold {due}"


@audit("machines: one that runs holds a place on its host")
def placed() -> Iterator[str]:
    up = VirtualMachine.including_removed.filter(state__in=(S.RUNNING, S.STOPPING))
    wrong = up.filter(Q(reservation=None) | Q(host=None) | ~Q(reservation__host=F("host")))
    for uuid, state, host in wrong.order_by("pk").values_list("uuid", "state", "reservation__host__name"):
        yield f"machine {uuid} is {state} and holds {f'a place on {host} instead' if host else 'no place'}"


@audit("machines: one that does not run holds no place")
def idle() -> Iterator[str]:
    wrong = Reservation.objects.filter(vm__state__in=IDLE)
    for uuid, state, host in wrong.order_by("pk").values_list("vm__uuid", "vm__state", "host__name"):
        yield f"machine {uuid} is {state} and holds a place on {host}"
