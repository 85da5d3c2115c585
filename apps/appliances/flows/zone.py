"""The system machines of a zone come with its being enabled and go with its being disabled."""

from dataclasses import dataclass

from apps.appliances.models import SystemMachine
from apps.appliances.services import system
from apps.infrastructure.models import Allocation, Zone
from apps.jobs.flows import Flow, Step, begin
from apps.jobs.models import FlowRun
from apps.jobs.schedule import scheduled


@dataclass
class OfZone:
    zone_id: int


def match(ctx: OfZone) -> None:
    zone = Zone.including_removed.get(pk=ctx.zone_id)
    if zone.removed is None and zone.allocation_state == Allocation.ENABLED:
        system.ensure(zone)
        return
    for vm in system.of_zone(zone):
        system.remove(vm)


def nothing(ctx: OfZone) -> None:
    """The schedule looks again."""


FLOW = Flow("appliances.zone", OfZone, (Step(match, tries=2),), nothing, nothing)


def look_at(zone: Zone) -> None:
    key = f"appliances.zone:{zone.pk}"
    if not FlowRun.objects.filter(key=key).exists():
        begin(FLOW, OfZone(zone_id=zone.pk), key=key, child=True)


@scheduled("appliances.zones", every=10)
def look_at_all() -> None:
    """Zones that lack a machine, or have one that they should not have."""
    living = SystemMachine.all_tenants.filter(SystemMachine.named).exclude(state="Starting")
    have: dict[int, int] = {}
    for zone in living.values_list("zone", flat=True):
        have[zone] = have.get(zone, 0) + 1
    for zone in Zone.including_removed.filter(removed=None):
        wanted = len(system.KINDS) if zone.allocation_state == Allocation.ENABLED else 0
        if have.get(zone.pk, 0) != wanted:
            look_at(zone)
