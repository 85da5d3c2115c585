from typing import Any

from django.apps import apps
from django.db.models import Q

from apps.core.callers import DOMAIN, ROOT, USER, Access
from apps.core.commands import Command, command
from apps.core.refs import Ref, RefFilter
from apps.core.wire import Bool, Int, Long, Map, Str
from apps.offerings.commands import params
from apps.offerings.commands.responses import GIB, ServiceOfferingResponse
from apps.offerings.models import ServiceOffering
from apps.offerings.services import service_offerings

PLANNERS = ("FirstFitPlanner", "UserDispersingPlanner", "UserConcentratedPodPlanner")
SYSTEM_VMS = ("domainrouter", "consoleproxy", "secondarystoragevm", "internalloadbalancervm")
STORAGE = Str(source="storage_type", choices=("shared", "local"), help_text="where the disks lie: shared or local")
PROVISIONING = Str(
    source="provisioning_type",
    choices=("thin", "sparse", "fat"),
    help_text="how disks are allocated: thin, sparse, fat",
)


def positive(source: str, help_text: str) -> Int:
    return Int(source=source, min_value=1, help_text=help_text)


def key_value_details(given: dict[str, str]) -> dict[str, str]:
    """``details[0].key=x&details[0].value=y`` and ``details[0].x=y`` say the same."""
    return {given["key"]: given["value"]} if given.keys() == {"key", "value"} else given


class Details(Map):
    """Records of ``key`` and ``value``, or entries that are the details themselves."""

    def read(self, name: str, given: Any, caller: Any) -> Any:
        found = super().read(name, given, caller)
        if not isinstance(found, list):
            return found
        return {key: value for record in found for key, value in key_value_details(record).items()}


@command("createServiceOffering", roles=DOMAIN, event="SERVICE.OFFERING.CREATE", response=ServiceOfferingResponse)
class CreateServiceOffering(Command):
    """Creates a compute offering, of a fixed size or with bounds for the customer's choice."""

    name = params.NAME
    displaytext = params.DISPLAY_TEXT
    cpunumber = positive("cpus", "CPUs; the customer's choice if absent")
    cpuspeed = positive("speed_mhz", "MHz of each CPU")
    memory = Int(source="memory_mib", min_value=32, help_text="MiB; the customer's choice if absent")
    customized = Bool(help_text="whether the customer chooses CPUs and memory")
    mincpunumber = positive("min_cpus", "of a customized offering: fewest CPUs")
    maxcpunumber = positive("max_cpus", "of a customized offering: most CPUs")
    minmemory = Int(source="min_memory_mib", min_value=32, help_text="of a customized offering: least MiB")
    maxmemory = Int(source="max_memory_mib", min_value=32, help_text="of a customized offering: most MiB")
    deploymentplanner = Str(source="planner", choices=PLANNERS, allowed=ROOT, help_text="how places are chosen")
    dynamicscalingenabled = Bool(source="dynamic_scaling", help_text="machines may grow while they run")
    hosttags = Str(source="host_tags", allowed=ROOT, help_text="tags that a host must have, comma separated")
    tags = Str(source="storage_tags", allowed=ROOT, help_text="tags that primary storage must have, comma separated")
    issystem = Bool(source="is_system", allowed=ROOT, help_text="for machines of the system")
    systemvmtype = Str(source="system_vm_type", choices=SYSTEM_VMS, allowed=ROOT, help_text="for which of them")
    isvolatile = Bool(source="is_volatile", help_text="the root disk is made anew at each start")
    limitcpuuse = Bool(source="limit_cpu_use", help_text="never more CPU than ordered, even where there is room")
    networkrate = Int(source="network_rate_mbps", min_value=0, help_text="Mbit/s; 0 for no limit")
    offerha = Bool(source="offer_ha", help_text="machines are started again when their host dies")
    provisioningtype = PROVISIONING
    rootdisksize = Long(
        source="root_disk_gib",
        min_value=1,
        max_value=params.MOST_GIB,
        help_text="GiB of the root disk; the template's if absent",
    )
    serviceofferingdetails = Details(source="details", help_text="free details, key and value")
    storagetype = STORAGE
    domainid = params.domains()
    zoneid = params.zones()

    def run(self, root_disk_gib: int | None = None, details: Any = None, **given: Any) -> ServiceOffering:
        places = params.places_of(self.caller, given, new=True)
        size = root_disk_gib * GIB if root_disk_gib else None
        return service_offerings.create(places=places, details=details or {}, root_disk_bytes=size, **given)


@command("updateServiceOffering", roles=DOMAIN, event="SERVICE.OFFERING.EDIT", response=ServiceOfferingResponse)
class UpdateServiceOffering(Command):
    """Changes what a compute offering is called, where it is offered and which tags it wants."""

    id = Ref("offerings.ServiceOffering", Access.OPERATE, source="offering", required=True, help_text="the offering")
    name = Str(help_text="the name")
    displaytext = params.DISPLAY_TEXT
    sortkey = Int(source="sort_key", help_text=params.SORT_KEY)
    state = Str(choices=params.STATES, help_text="Active or Inactive")
    hosttags = Str(source="host_tags", allowed=ROOT, help_text="tags that a host must have, comma separated")
    storagetags = Str(source="storage_tags", allowed=ROOT, help_text="tags that primary storage must have")
    domainid = params.domains(params.Everywhere)
    zoneid = params.zones(params.Everywhere)

    def run(self, offering: ServiceOffering, **given: Any) -> ServiceOffering:
        places = params.places_of(self.caller, given, new=False)
        return service_offerings.update(offering=offering, places=places, **given)


@command("deleteServiceOffering", roles=DOMAIN, event="SERVICE.OFFERING.DELETE", response=None)
class DeleteServiceOffering(Command):
    """Withdraws a compute offering; machines that have it keep it."""

    id = Ref("offerings.ServiceOffering", Access.OPERATE, source="offering", required=True, help_text="the offering")

    def run(self, offering: ServiceOffering) -> None:
        service_offerings.remove(offering=offering)


@command("listServiceOfferings", roles=USER, response=ServiceOfferingResponse)
class ListServiceOfferings(params.SizedList):
    """Lists compute offerings; those for machines of the system only when they are asked for."""

    model = "offerings.ServiceOffering"
    filters = {"name": "name"}
    issystem = Bool(allowed=ROOT, help_text="list those for machines of the system instead")
    systemvmtype = Str(lookup="system_vm_type__iexact", allowed=ROOT, help_text="list those for this type of them")
    cpunumber = Int(min_value=1, help_text="list those that offer so many CPUs")
    cpuspeed = Int(min_value=1, lookup="speed_mhz", help_text="list those with this speed in MHz")
    memory = Int(min_value=1, help_text="list those that offer so many MiB")
    virtualmachineid = RefFilter("machines.VirtualMachine", "", help_text="list those this instance can change to")

    def narrow(self, rows: Any, given: dict[str, Any]) -> Any:
        rows = super().narrow(rows.filter(is_system=given.get("issystem", False)), given)
        for wire, column in (("cpunumber", "cpus"), ("memory", "memory_mib")):
            if wire in given:
                rows = rows.filter(_offers(column, given[wire]))
        return rows.filter(self._others(given["virtualmachineid"])) if "virtualmachineid" in given else rows

    def _others(self, vm: int) -> Q:
        machines = apps.get_model("machines.VirtualMachine").objects.visible_to(self.caller).filter(pk=vm)
        found = machines.values_list("offering", "offering__storage_type").first()
        return Q(storage_type=found[1]) & ~Q(pk=found[0]) if found else Q(pk__in=())


def _offers(column: str, amount: int) -> Q:
    free = Q(customized=True, **{f"min_{column}": None})
    within = Q(customized=True, **{f"min_{column}__lte": amount, f"max_{column}__gte": amount})
    return Q(**{column: amount}) | free | within
