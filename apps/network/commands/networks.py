from typing import Any

from django.db.models import Q, QuerySet

from apps.core import scope
from apps.core.callers import ROOT, USER, Access
from apps.core.commands import AsyncCommand, Command, command
from apps.core.errors import InvalidParameter, PermissionDenied
from apps.core.lists import OwnedListCommand, scope_of
from apps.core.reach import NOBODY
from apps.core.refs import Owner, Ref, RefFilter
from apps.core.wire import Bool, List, Str
from apps.infrastructure.models import Zone
from apps.jobs.flows import begin
from apps.network.commands.responses import NetworkResponse
from apps.network.flows.shutdown import RESTART, SHUTDOWN, Restart, Shutdown
from apps.network.models import Network
from apps.network.services import networks
from apps.offerings.models import NetworkOffering

RANGE = ("gateway", "netmask", "startip", "endip")
DNS = "name server of its machines; the zone's if absent"


@command("createNetwork", roles=USER, event="NETWORK.CREATE", response=NetworkResponse)
class CreateNetwork(Command):
    """Creates a network: isolated for its owner, or shared, which administrators make."""

    name = Str(required=True, help_text="the name")
    displaytext = Str(source="display_text", help_text="more about it")
    networkofferingid = Ref(
        "offerings.NetworkOffering", Access.USE, source="offering", required=True, help_text="its offering"
    )
    zoneid = Ref("infrastructure.Zone", Access.USE, source="zone", required=True, help_text="its zone")
    physicalnetworkid = Ref(
        "infrastructure.PhysicalNetwork",
        Access.OPERATE,
        source="physical_network",
        allowed=ROOT,
        help_text="the physical network that carries it",
    )
    gateway = Str(length=64, help_text="its gateway, with netmask")
    netmask = Str(length=64, help_text="its netmask, with gateway")
    startip = Str(length=64, help_text="first address for machines, of a shared network")
    endip = Str(length=64, help_text="last address for machines, of a shared network")
    vlan = Str(length=64, allowed=ROOT, help_text="its VLAN, where the offering asks for one")
    acltype = Str(choices=("Account", "Domain"), source="acl_type", help_text="who may use it: an account or a domain")
    subdomainaccess = Bool(source="subdomain_access", help_text="may domains below its domain use it")
    networkdomain = Str(source="network_domain", help_text="domain name of its machines")
    dns1 = Str(length=64, help_text=f"first {DNS}")
    dns2 = Str(length=64, help_text=f"second {DNS}")
    displaynetwork = Bool(source="is_displayed", allowed=ROOT, help_text="is it shown to its users")
    owner = Owner()

    def run(self, offering: NetworkOffering, zone: Zone, **values: Any) -> Network:
        if offering.guest_ip_type == "Shared":
            return self.shared(offering, zone, values)
        for name in ("startip", "endip"):
            if values.pop(name, None):
                raise InvalidParameter(f"{name}: an isolated network gives all addresses of its CIDR")
        if values.pop("acl_type", "Account") != "Account":
            raise InvalidParameter("acltype: an isolated network is of an account")
        values.pop("subdomain_access", None)
        return networks.create_isolated(offering=offering, zone=zone, **values)

    def shared(self, offering: NetworkOffering, zone: Zone, values: dict[str, Any]) -> Network:
        if not self.caller.is_root:
            raise PermissionDenied("networkofferingid: shared networks are made by administrators")
        given = {name: values.pop(name) for name in RANGE if values.get(name)}
        span = None
        if given:
            if missing := [name for name in RANGE[:3] if name not in given]:
                raise InvalidParameter(f"{missing[0]}: the range of a shared network needs it")
            span = {"gateway": given["gateway"], "netmask": given["netmask"], "start_ip": given["startip"]}
            span["end_ip"] = given.get("endip", given["startip"])
        owner = values["owner"]
        domain = owner.domain if values.get("acl_type") == "Domain" and owner.domain.parent_id else None
        return networks.create_shared(offering=offering, zone=zone, span=span, domain=domain, **values)


def network_ref() -> Ref:
    return Ref("network.Network", Access.OPERATE, source="network", required=True, help_text="the network")


@command("updateNetwork", roles=USER, event="NETWORK.UPDATE", response=NetworkResponse, locks=("network",))
class UpdateNetwork(AsyncCommand):
    """Changes names and name servers of a network; its devices follow."""

    id = network_ref()
    name = Str(help_text="the new name")
    displaytext = Str(source="display_text", help_text="more about it")
    networkdomain = Str(source="network_domain", help_text="domain name of its machines")
    dns1 = Str(length=64, help_text=f"first {DNS}")
    dns2 = Str(length=64, help_text=f"second {DNS}")
    displaynetwork = Bool(source="is_displayed", allowed=ROOT, help_text="is it shown to its users")

    def run(self, network: Network, **values: Any) -> Network:
        networks.update(network=network, **values)
        networks.ensure_applied(network.pk)
        return network


@command("deleteNetwork", roles=USER, event="NETWORK.DELETE", response=None, locks=("network",))
class DeleteNetwork(AsyncCommand):
    """Deletes a network in which no machine is left, with its addresses and rules."""

    id = network_ref()
    forced = Bool(default=False, allowed=ROOT, help_text="without effect yet: what uses the network must go first")

    def run(self, network: Network, forced: bool = False) -> Any:
        networks.check_deletable(network)
        return begin(SHUTDOWN, Shutdown(network_id=network.pk, delete=True))


@command("restartNetwork", roles=USER, event="NETWORK.RESTART", response=None, locks=("network",))
class RestartNetwork(AsyncCommand):
    """Gives the devices of a network its whole document again; with cleanup on new devices."""

    id = network_ref()
    cleanup = Bool(default=False, help_text="make the devices anew")

    def run(self, network: Network, cleanup: bool) -> Any:
        if network.state not in ("Implemented", "Setup"):
            raise InvalidParameter(f"id: network {network.name} is {network.state}: there is nothing to restart")
        return begin(RESTART, Restart(network_id=network.pk, cleanup=cleanup))


@command("listNetworks", roles=USER, response=NetworkResponse)
class ListNetworks(OwnedListCommand):
    """Lists networks: the own ones, and those that may be used."""

    model = "network.Network"
    keyword_in = ("name", "display_text")
    filters = {
        "name": "name",
        "type": "guest_type",
        "traffictype": "traffic_type",
        "acltype": "acl_type",
        "vlan": "vlan",
        "zoneid": RefFilter("infrastructure.Zone", "zone"),
        "physicalnetworkid": RefFilter("infrastructure.PhysicalNetwork", "physical_network"),
        "networkofferingid": RefFilter("offerings.NetworkOffering", "offering"),
        "restartrequired": Bool(lookup="restart_required", help_text="those that need a restart"),
        "specifyipranges": Bool(lookup="specify_ip_ranges", help_text="those with ranges of the operator's"),
        "displaynetwork": Bool(lookup="is_displayed", allowed=ROOT, help_text="those that are shown, or not"),
        "canusefordeploy": Bool(help_text="those that machines can be put into"),
        "forvpc": Bool(help_text="tiers of VPCs, or what is none"),
        "issystem": Bool(help_text="networks of the system; there are none to list"),
        "supportedservices": List(help_text="those with all these services"),
    }

    def visible(self, given: dict[str, Any]) -> QuerySet:
        rows = super().visible(given)
        if given.keys() & {"account", "domainid", "projectid"}:
            return rows
        mine = scope.resolve(self.caller, scope_of(given))
        shared = shared_with(self.caller)
        return (
            Network.all_tenants.filter(mine | shared)
            if "id" not in given
            else rows | Network.all_tenants.filter(shared)
        )

    def narrow(self, rows: QuerySet, given: dict[str, Any]) -> QuerySet:
        if given.get("forvpc") or given.get("issystem"):
            return rows.none()
        for service in given.get("supportedservices") or ():
            rows = rows.filter(offering__services__has_key=service)
        return rows


def shared_with(caller: Any) -> Q:
    """Shared networks that the caller may use: public ones, those of its domain or, with access, of one above."""
    above = [int(key) for key in caller.path.strip("/").split("/")]
    if not above:
        return NOBODY
    inherited = Q(domain__in=above[:-1], subdomain_access=True)
    return Q(guest_type="Shared") & (Q(is_public=True) | Q(domain=above[-1]) | inherited)
