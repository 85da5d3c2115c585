"""Books of machines of the system."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Count, F

from apps.appliances.models import Router, SystemAddress
from apps.appliances.services.system import KINDS
from apps.core.audit import audit
from apps.infrastructure.models import PodAddress
from apps.machines.models import Nic, VirtualMachine
from apps.network.models import RangeAddress

S = VirtualMachine.State


@audit("routers: each belongs to a network that lives, and knows no later document than there is")
def routers() -> Iterator[str]:
    rows = Router.objects.select_related("vm", "network").exclude(network=None)
    for name in rows.exclude(network__removed=None).values_list("vm__instance_name", flat=True):
        yield f"router {name} is of a network that was deleted"
    for name in rows.exclude(vm__removed=None).values_list("vm__instance_name", flat=True):
        yield f"router {name} is gone and still the router of a network"
    for name in rows.filter(applied__gt=F("network__generation")).values_list("vm__instance_name", flat=True):
        yield f"router {name} has a later document than its network"
    machines = VirtualMachine.all_tenants.filter(kind=VirtualMachine.Kind.ROUTER, router=None)
    for name in machines.values_list("instance_name", flat=True):
        yield f"router {name} is of no network and never was"


@audit("pods: management addresses are held by machines that live")
def pod_addresses() -> Iterator[str]:
    held = SystemAddress.objects.filter(vm__removed=None).exclude(private=None)
    for ip, holder in held.values_list("private__ip", "private__taken_by"):
        if not holder:
            yield f"address {ip} is a system machine's and marked as free"
    known = held.values("private")
    for ip, holder in PodAddress.objects.exclude(taken_by="").exclude(pk__in=known).values_list("ip", "taken_by"):
        if holder.startswith("machines."):
            yield f"address {ip} is held by {holder}, which does not have it"


@audit("system machines: a zone has at most one of each kind, with a row for its addresses")
def system_machines() -> Iterator[str]:
    rows = VirtualMachine.all_tenants.filter(kind__in=KINDS)
    for zone, kind, n in rows.values_list("zone__name", "kind").annotate(n=Count("pk")).filter(n__gt=1):
        yield f"zone {zone} has {n} machines of the kind {kind}"
    for name in rows.filter(system_address=None).values_list("instance_name", flat=True):
        yield f"system machine {name} has no addresses"


@audit("cards: each has its address in its network, and no machine holds an address without a card")
def cards() -> Iterator[str]:
    living = Nic.all_tenants.filter(vm__removed=None)
    for mac in living.exclude(network__guest_type="L2").filter(address=None).values_list("mac", flat=True):
        yield f"card {mac} has no address"
    for mac in living.exclude(network__removed=None).values_list("mac", flat=True):
        yield f"card {mac} is in a network that was deleted"
    wrong = living.exclude(address=None).exclude(address__range__network=F("network"), address__ip=F("ip"))
    for mac in wrong.values_list("mac", flat=True):
        yield f"card {mac} has the address of another network, or another one than it says"
    for mac in Nic.all_tenants.exclude(vm__removed=None).values_list("mac", flat=True):
        yield f"card {mac} is of an instance that is gone"
    known: set[Any] = set(living.exclude(address=None).values_list("address", flat=True))
    known |= set(Router.objects.exclude(address=None).values_list("address", flat=True))
    known |= set(SystemAddress.objects.exclude(public=None).values_list("public", flat=True))
    taken = dict(RangeAddress.objects.filter(taken_by__startswith="machines.").values_list("pk", "ip"))
    for key in taken.keys() - known:
        yield f"address {taken[key]} is taken by a machine that has no card there"
