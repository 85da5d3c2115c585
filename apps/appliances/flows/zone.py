"""The system machines of a zone come with its being enabled, and others come for those that are destroyed.

They stay while a zone is disabled, as it has them: an operator who takes a zone apart destroys them.
"""

from dataclasses import dataclass, field

from django.db.models import Count, Q

from apps.appliances.flows.power import DESTROY, MOVE, START, Power
from apps.appliances.models import Router, SystemMachine
from apps.appliances.services import system
from apps.infrastructure.models import Host, Zone
from apps.jobs.flows import Flow, Step, begin, join
from apps.jobs.models import FlowRun
from apps.jobs.schedule import scheduled
from apps.machines.models import VirtualMachine

S = VirtualMachine.State
BATCH = 100


@dataclass
class OfZone:
    zone_id: int
    children: dict[str, int] = field(default_factory=dict)


def zone_of(ctx: OfZone) -> Zone:
    return Zone.including_removed.get(pk=ctx.zone_id)


def is_enabled(zone: Zone) -> bool:
    return system.zones_with_machines().filter(pk=zone.pk).exists()


def make(ctx: OfZone) -> None:
    zone = zone_of(ctx)
    if is_enabled(zone):
        system.make_missing(zone)


def start(ctx: OfZone) -> None:
    zone = zone_of(ctx)
    for vm in system.of_zone(zone) if is_enabled(zone) else ():
        key = f"appliances.start:{vm.pk}"
        if key in ctx.children or system.is_unstarted(vm):
            join(ctx.children, START, Power(vm.pk), key=key)


def nothing(ctx: OfZone) -> None:
    """The schedule looks again."""


FLOW = Flow("appliances.zone", OfZone, (Step(make), Step(start)), nothing, nothing)


def look_at(zone: Zone) -> None:
    key = f"appliances.zone:{zone.pk}"
    if not FlowRun.objects.filter(key=key).exists():
        begin(FLOW, OfZone(zone_id=zone.pk), key=key, child=True)


@scheduled("appliances.zones", every=10)
def look_at_all() -> None:
    """Enabled zones that lack a machine, or have one that has not come up yet."""
    rows = SystemMachine.all_tenants.filter(SystemMachine.named)
    settled = rows.exclude(state=S.STARTING).exclude(state=S.STOPPED, last_host=None)
    have = dict(settled.values_list("zone").annotate(n=Count("pk")))
    for zone in system.zones_with_machines():
        if have.get(zone.pk, 0) < len(system.KINDS):
            look_at(zone)


@scheduled("appliances.abandoned", every=30)
def retire_abandoned() -> None:
    """Routers whose network went although their host did not answer."""
    left = Router.objects.filter(Q(network=None), vm__removed=None).order_by("?")
    for key in left.values_list("vm", flat=True)[:BATCH]:
        name = f"appliances.destroy:{key}"
        if not FlowRun.objects.filter(key=name).exists():
            begin(DESTROY, Power(key), key=name, child=True)


def evacuate(host: Host, children: dict[str, int]) -> None:
    """Answers ``infrastructure.evacuate``: machines of the system come up elsewhere."""
    there = VirtualMachine.all_tenants.filter(host=host).exclude(kind=VirtualMachine.Kind.USER).order_by("pk")
    for key in there.values_list("pk", flat=True):
        join(children, MOVE, Power(key), key=f"appliances.move:{key}")
