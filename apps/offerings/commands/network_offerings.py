from typing import Any

from django.apps import apps
from django.db.models import Q

from apps.core.callers import ROOT, USER, Access
from apps.core.commands import Command, command
from apps.core.errors import InvalidParameter
from apps.core.refs import Ref, RefFilter
from apps.core.wire import Bool, Int, List, Map, Str
from apps.offerings.commands import params
from apps.offerings.commands.responses import NetworkOfferingResponse
from apps.offerings.models import NetworkOffering
from apps.offerings.services import network_offerings

AVAILABILITY = Str(choices=("Optional", "Required"), help_text="Optional or Required")
STATE = Str(choices=("Enabled", "Disabled"), help_text="Enabled or Disabled")
SERVICES = List(source="supported", help_text="the services, by name")
PROVIDERS = Map(keys=("service", "provider"), source="providers", help_text="who provides which of the services")
CAPABILITIES = Map(
    keys=("service", "capabilitytype", "capabilityvalue"), source="capabilities", help_text="what holds for a service"
)
ROUTER = Ref(
    "offerings.ServiceOffering", Access.USE, source="service_offering", help_text="what its virtual routers are made of"
)


@command("createNetworkOffering", roles=ROOT, event="NETWORK.OFFERING.CREATE", response=NetworkOfferingResponse)
class CreateNetworkOffering(Command):
    """Creates a network offering; it is Disabled until it is enabled."""

    name = params.NAME
    displaytext = params.DISPLAY_TEXT
    guestiptype = Str(
        source="guest_ip_type", required=True, choices=("Isolated", "Shared", "L2"), help_text="Isolated, Shared or L2"
    )
    traffictype = Str(
        source="traffic_type", required=True, choices=("Guest",), help_text="Guest: the other kinds exist"
    )
    availability = AVAILABILITY
    conservemode = Bool(source="conserve_mode", help_text="one public address may serve several services")
    details = Map(style="merged", help_text="free details")
    egressdefaultpolicy = Bool(
        source="egress_default_allow",
        default=False,
        help_text="true: outgoing traffic is allowed, until rules refuse it",
    )
    enable = Bool(help_text="make it Enabled at once")
    forvpc = Bool(source="for_vpc", help_text="for tiers of VPCs")
    ispersistent = Bool(source="is_persistent", help_text="the network exists before it has machines, and after")
    maxconnections = Int(source="max_connections", min_value=1, help_text="of its load balancers, at once")
    networkrate = Int(source="network_rate_mbps", min_value=0, help_text="Mbit/s; 0 for no limit")
    servicecapabilitylist = CAPABILITIES
    serviceofferingid = ROUTER
    serviceproviderlist = PROVIDERS
    specifyipranges = Bool(source="specify_ip_ranges", help_text="its addresses come from ranges of an operator")
    specifyvlan = Bool(source="specify_vlan", help_text="its VLAN is chosen by an operator")
    supportedservices = SERVICES
    tags = Str(length=4096, help_text="tags that the physical network must have, comma separated")
    domainid = params.domains()
    zoneid = params.zones()

    def run(self, details: Any = None, **given: Any) -> NetworkOffering:
        places = params.places_of(self.caller, given, new=True)
        return network_offerings.create(places=places, details=details or {}, **given)


@command("updateNetworkOffering", roles=ROOT, event="NETWORK.OFFERING.EDIT", response=NetworkOfferingResponse)
class UpdateNetworkOffering(Command):
    """Changes what a network offering is called, where it is offered, and whether it is."""

    id = Ref("offerings.NetworkOffering", Access.OPERATE, source="offering", help_text="the offering")
    name = Str(help_text="the name")
    displaytext = params.DISPLAY_TEXT
    availability = AVAILABILITY
    maxconnections = Int(source="max_connections", min_value=1, help_text="of its load balancers, at once")
    sortkey = Int(source="sort_key", help_text=params.SORT_KEY)
    state = STATE
    tags = Str(length=4096, help_text="tags that the physical network must have, comma separated")
    domainid = params.domains(params.Everywhere)
    zoneid = params.zones(params.Everywhere)

    def run(self, offering: NetworkOffering | None = None, **given: Any) -> NetworkOffering:
        if offering is None:
            raise InvalidParameter("id: say which offering")
        places = params.places_of(self.caller, given, new=False)
        return network_offerings.update(offering=offering, places=places, **given)


@command("deleteNetworkOffering", roles=ROOT, event="NETWORK.OFFERING.DELETE", response=None)
class DeleteNetworkOffering(Command):
    """Withdraws a network offering that no network uses."""

    id = Ref("offerings.NetworkOffering", Access.OPERATE, source="offering", required=True, help_text="the offering")

    def run(self, offering: NetworkOffering) -> None:
        network_offerings.remove(offering=offering)


class ServicesList(params.OfferingList):
    isdefault = Bool(lookup="is_default", help_text="list those that the installation made, or the others")
    supportedservices = List(help_text="list those with all these services")

    def narrow(self, rows: Any, given: dict[str, Any]) -> Any:
        for service in given.get("supportedservices", ()):
            rows = rows.filter(services__has_key=service)
        return super().narrow(rows, given)


@command("listNetworkOfferings", roles=USER, response=NetworkOfferingResponse)
class ListNetworkOfferings(ServicesList):
    """Lists network offerings."""

    model = "offerings.NetworkOffering"
    filters = {
        "availability": "availability",
        "displaytext": "display_text",
        "guestiptype": "guest_ip_type",
        "name": "name",
        "state": "state",
        "traffictype": "traffic_type",
    }
    forvpc = Bool(lookup="for_vpc", help_text="list those for tiers of VPCs, or the others")
    istagged = Bool(help_text="list those with tags, or those without")
    networkid = RefFilter("network.Network", "", help_text="list those that this network can change to")
    sourcenatsupported = Bool(help_text="list those with source NAT, or those without")
    specifyipranges = Bool(lookup="specify_ip_ranges", help_text="list those with ranges of an operator, or the others")
    specifyvlan = Bool(lookup="specify_vlan", help_text="list those with a VLAN of an operator, or the others")
    tags = Str(length=4096, lookup="tags", help_text="list those with these tags")

    def narrow(self, rows: Any, given: dict[str, Any]) -> Any:
        rows = super().narrow(rows, given)
        if "istagged" in given:
            untagged = Q(tags="")
            rows = rows.filter(~untagged if given["istagged"] else untagged)
        if "sourcenatsupported" in given:
            has = Q(services__has_key="SourceNat")
            rows = rows.filter(has if given["sourcenatsupported"] else ~has)
        return rows.filter(self._others(given["networkid"])) if "networkid" in given else rows

    def _others(self, network: int) -> Q:
        """Of the same kind: a network does not become a tier, nor a shared one isolated."""
        found = apps.get_model("network.Network").objects.visible_to(self.caller).filter(pk=network)
        offering = NetworkOffering.including_removed.filter(pk__in=found.values("offering")).first()
        if offering is None:
            return Q(pk__in=())
        same = {n: getattr(offering, n) for n in ("guest_ip_type", "traffic_type", "for_vpc", "specify_vlan")}
        return Q(state="Enabled", **same) & ~Q(pk=offering.pk)
