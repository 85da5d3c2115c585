from typing import Any

from django.db.models import Q, QuerySet

from apps.core.callers import ROOT, USER, Access, Kind
from apps.core.commands import Command, command
from apps.core.errors import InvalidParameter
from apps.core.lists import ListCommand
from apps.core.refs import Ref, RefFilter
from apps.core.wire import Bool, Int, Map, Str
from apps.infrastructure import ports
from apps.infrastructure.commands.responses import PodResponse, ZoneResponse
from apps.infrastructure.models import Allocation, Pod, Zone
from apps.infrastructure.services import zones

STATES = (Allocation.ENABLED.value, Allocation.DISABLED.value)
ADMIN = ROOT | Kind.RESOURCE_ADMIN
ADDRESS = "address of a name server"


def allocation() -> Str:
    return Str(choices=STATES, source="allocation_state", help_text="Enabled or Disabled: may anything new go there")


class WithCapacities(ListCommand):
    """A list that can tell what its places have and hold."""

    showcapacities = Bool(help_text="tell what each has and what of it is promised")

    def run(self, showcapacities: bool = False, **given: Any) -> Any:
        self.with_capacities = showcapacities
        return super().run(**given)

    def answers(self, keys: Any, details: Any) -> list[dict[str, Any]]:
        return super().answers(keys, None if self.with_capacities else [])


@command("createZone", roles=ROOT, event="ZONE.CREATE", response=ZoneResponse)
class CreateZone(Command):
    """Creates a zone, Disabled until its parts are there."""

    name = Str(required=True, help_text="the name, unique")
    networktype = Str(
        required=True, choices=("Basic", "Advanced"), source="network_type", help_text="Basic or Advanced"
    )
    dns1 = Str(required=True, length=64, help_text=f"{ADDRESS} for machines")
    internaldns1 = Str(required=True, length=64, source="internal_dns1", help_text=f"{ADDRESS} for system machines")
    dns2 = Str(length=64, help_text=f"second {ADDRESS} for machines")
    internaldns2 = Str(length=64, source="internal_dns2", help_text=f"second {ADDRESS} for system machines")
    ip6dns1 = Str(length=64, source="ip6_dns1", help_text=f"IPv6 {ADDRESS}")
    ip6dns2 = Str(length=64, source="ip6_dns2", help_text=f"second IPv6 {ADDRESS}")
    domain = Str(source="network_domain", help_text="domain name of the networks")
    domainid = Ref(
        "domains.Domain", Access.USE, source="of_domain", help_text="only this domain and those below use it"
    )
    guestcidraddress = Str(length=64, source="guest_cidr", help_text="addresses that guest networks take")
    localstorageenabled = Bool(source="local_storage_enabled", help_text="may disks lie on the hosts' own storage")
    securitygroupenabled = Bool(
        source="security_groups_enabled", help_text="are machines kept apart by security groups"
    )
    allocationstate = allocation()

    def run(self, of_domain: Any = None, **values: Any) -> Zone:
        return zones.create(domain=of_domain, **values)


@command("updateZone", roles=ROOT, event="ZONE.EDIT", response=ZoneResponse)
class UpdateZone(Command):
    """Changes a zone; enabling it starts its system machines."""

    id = Ref("infrastructure.Zone", Access.OPERATE, source="zone", required=True, help_text="the zone")
    name = Str(help_text="the new name")
    allocationstate = allocation()
    dns1 = Str(length=64, help_text=f"{ADDRESS} for machines")
    dns2 = Str(length=64, help_text=f"second {ADDRESS} for machines")
    internaldns1 = Str(length=64, source="internal_dns1", help_text=f"{ADDRESS} for system machines")
    internaldns2 = Str(length=64, source="internal_dns2", help_text=f"second {ADDRESS} for system machines")
    ip6dns1 = Str(length=64, source="ip6_dns1", help_text=f"IPv6 {ADDRESS}")
    ip6dns2 = Str(length=64, source="ip6_dns2", help_text=f"second IPv6 {ADDRESS}")
    domain = Str(source="network_domain", help_text="domain name of the networks")
    dhcpprovider = Str(length=64, source="dhcp_provider", help_text="who serves DHCP")
    guestcidraddress = Str(length=64, source="guest_cidr", help_text="addresses that guest networks take")
    localstorageenabled = Bool(source="local_storage_enabled", help_text="may disks lie on the hosts' own storage")
    sortkey = Int(source="sort_key", help_text="place in lists; larger ones come first")
    details = Map(keys=("key", "value"), help_text="details of the zone")
    ispublic = Bool(source="is_public", help_text="true: a zone of one domain is for all from now on")

    def run(self, zone: Zone, **values: Any) -> Zone:
        return zones.update(zone=zone, **values)


@command("deleteZone", roles=ROOT, event="ZONE.DELETE", response=None)
class DeleteZone(Command):
    """Deletes a zone that has nothing in it."""

    id = Ref("infrastructure.Zone", Access.OPERATE, source="zone", required=True, help_text="the zone")

    def run(self, zone: Zone) -> None:
        zones.delete(zone=zone)


@command("listZones", roles=USER, response=ZoneResponse)
class ListZones(WithCapacities):
    """Lists zones; those that are not administrators see the enabled ones."""

    model = "infrastructure.Zone"
    keyword_in = ("name", "description")
    has_ids = True
    taggable = True
    ordering = ("-sort_key", "pk")
    filters = {"name": "name", "networktype": "network_type"}
    available = Bool(help_text="true: those that the caller can deploy in; false: those with machines of the caller")
    domainid = Ref("domains.Domain", Access.LIST, source="of_domain", help_text="those that this domain may use")

    def visible(self, given: dict[str, Any]) -> QuerySet:
        rows = super().visible(given)
        if not self.caller.is_root:
            rows = rows.filter(allocation_state=Allocation.ENABLED)
        return rows

    def narrow(self, rows: QuerySet, given: dict[str, Any]) -> QuerySet:
        if domain := given.get("of_domain"):
            above = [int(key) for key in domain.path.strip("/").split("/")]
            rows = rows.filter(Q(domain=None) | Q(domain_id__in=above))
        if given.get("available") is False:
            for answer in ports.zones_of.all():
                rows = rows.filter(pk__in=answer(self.caller.account))
        return rows.filter(allocation_state=Allocation.ENABLED) if given.get("available") else rows


POD_RANGE = {"gateway": "gateway", "netmask": "netmask", "start_ip": "startip"}


@command("createPod", roles=ROOT, event="POD.CREATE", response=PodResponse)
class CreatePod(Command):
    """Creates a pod with its range of management addresses."""

    name = Str(required=True, help_text="the name, unique in its zone")
    zoneid = Ref("infrastructure.Zone", Access.OPERATE, source="zone", required=True, help_text="the zone")
    gateway = Str(length=64, help_text="gateway of the management network")
    netmask = Str(length=64, help_text="netmask of the management network")
    startip = Str(length=64, source="start_ip", help_text="first address for system machines")
    endip = Str(length=64, source="end_ip", help_text="last address; the first if absent")
    allocationstate = allocation()

    def run(self, zone: Zone, name: str, end_ip: str = "", **values: Any) -> Pod:
        for source, wire in POD_RANGE.items():
            if not values.get(source):
                raise InvalidParameter(f"{wire}: a pod needs it")
        return zones.create_pod(zone=zone, name=name, end_ip=end_ip or values["start_ip"], **values)


@command("updatePod", roles=ROOT, event="POD.EDIT", response=PodResponse)
class UpdatePod(Command):
    """Changes a pod; addresses in use stay in its range."""

    id = Ref("infrastructure.Pod", Access.OPERATE, source="pod", required=True, help_text="the pod")
    name = Str(help_text="the new name")
    gateway = Str(length=64, help_text="gateway of the management network")
    netmask = Str(length=64, help_text="netmask of the management network")
    startip = Str(length=64, source="start_ip", help_text="first address for system machines")
    endip = Str(length=64, source="end_ip", help_text="last address for system machines")
    allocationstate = allocation()

    def run(self, pod: Pod, **values: Any) -> Pod:
        return zones.update_pod(pod=pod, **values)


@command("deletePod", roles=ROOT, event="POD.DELETE", response=None)
class DeletePod(Command):
    """Deletes a pod that has nothing in it."""

    id = Ref("infrastructure.Pod", Access.OPERATE, source="pod", required=True, help_text="the pod")

    def run(self, pod: Pod) -> None:
        zones.delete_pod(pod=pod)


@command("listPods", roles=ADMIN, response=PodResponse)
class ListPods(WithCapacities):
    """Lists pods."""

    model = "infrastructure.Pod"
    keyword_in = ("name",)
    filters = {
        "name": "name",
        "allocationstate": "allocation_state",
        "zoneid": RefFilter("infrastructure.Zone", "zone"),
    }
