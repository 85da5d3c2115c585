from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db.models import Q, QuerySet

from apps.core import scope
from apps.core.callers import ROOT, USER, Access, Caller
from apps.core.commands import AsyncCommand, Command, command
from apps.core.errors import InvalidParameter, PermissionDenied
from apps.core.lists import OwnedListCommand, scope_of
from apps.core.reach import NOBODY, keys_of, under
from apps.core.refs import Compound, Owner, Ref, RefFilter
from apps.core.scope import named_account, owner_of_new, reachable_domain, reachable_project
from apps.core.wire import Bool, Field, List, Str
from apps.infrastructure.models import Zone
from apps.jobs.flows import begin
from apps.network.commands.responses import NetworkResponse
from apps.network.flows import implement
from apps.network.flows.restart import RESTART, Restart
from apps.network.flows.shutdown import SHUTDOWN, Shutdown
from apps.network.models import Network
from apps.network.services import devices, networks, public
from apps.offerings.models import NetworkOffering

RANGE = ("gateway", "netmask", "startip", "endip")
DNS = "name server of its machines; the zone's if absent"


@dataclass(frozen=True)
class Holder:
    """Whose the network will be; ``domain`` where a domain was named without an account."""

    owner: Any
    domain: Any = None


class ForWhom(Compound):
    """As ``Owner``; a domain alone means all of its accounts, of a shared network."""

    parts: ClassVar[dict[str, Field]] = Owner.parts

    def read(self, name: str, given: Mapping[str, Any], caller: Caller) -> Any:
        values = self.given_parts(given, caller)
        if values["domainid"] and not (values["account"] or values["projectid"]):
            return Holder(caller.account, reachable_domain(caller, values["domainid"]))
        return Holder(owner_of_new(caller, **values))


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
    bypassvlanoverlapcheck = Bool(
        source="may_overlap", allowed=ROOT, help_text="take the VLAN also where another network of the zone has it"
    )
    sourcenatipaddress = Str(length=64, source="source_nat_ip", help_text="the public address of an isolated network")
    holder = ForWhom()

    def run(self, offering: NetworkOffering, zone: Zone, holder: Holder, **values: Any) -> Network:
        values["owner"] = holder.owner
        if offering.guest_ip_type == "Shared":
            return self.shared(offering, zone, holder, values)
        for name in ("startip", "endip"):
            if values.pop(name, None):
                raise InvalidParameter(f"{name}: an isolated network gives all addresses of its CIDR")
        if values.pop("acl_type", "Account") != "Account":
            raise InvalidParameter("acltype: an isolated network is of an account")
        values.pop("subdomain_access", None)
        row = networks.create_isolated(offering=offering, zone=zone, **values)
        if offering.is_persistent:
            implement.soon(row.pk)
        return row

    def shared(self, offering: NetworkOffering, zone: Zone, holder: Holder, values: dict[str, Any]) -> Network:
        if not self.caller.is_root:
            raise PermissionDenied("networkofferingid: shared networks are made by administrators")
        if values.pop("source_nat_ip", ""):
            raise InvalidParameter("sourcenatipaddress: a shared network has no public address")
        given = {name: values.pop(name) for name in RANGE if values.get(name)}
        span = None
        if given:
            if missing := [name for name in RANGE[:3] if name not in given]:
                raise InvalidParameter(f"{missing[0]}: the range of a shared network needs it")
            span = {"gateway": given["gateway"], "netmask": given["netmask"], "start_ip": given["startip"]}
            span["end_ip"] = given.get("endip", given["startip"])
        if holder.domain is not None and values.get("acl_type") == "Account":
            raise InvalidParameter("account: a network for an account needs one, with domainid")
        return networks.create_shared(offering=offering, zone=zone, span=span, domain=holder.domain, **values)


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
    networkofferingid = Ref(
        "offerings.NetworkOffering", Access.USE, source="offering", help_text="its offering from now on"
    )
    changecidr = Bool(help_text="may the new offering change its addresses; none of ours does")
    forced = Bool(allowed=ROOT, help_text="without effect: services that are in use are never taken away")
    sourcenatipaddress = Str(length=64, source="source_nat_ip", help_text="another one of its addresses as source NAT")

    def run(
        self, network: Network, offering: NetworkOffering | None = None, source_nat_ip: str = "", **values: Any
    ) -> Any:
        for name in ("changecidr", "forced"):
            values.pop(name, None)
        if source_nat_ip:
            public.change_source_nat(network=network, wanted=public.read(source_nat_ip))
        networks.update(network=network, **values)
        if offering is None or offering.pk == network.offering_id:
            devices.tell(network.pk)
            return network
        networks.change_offering(network=network, offering=offering)
        return begin(RESTART, Restart(network_id=network.pk)) if network.state in devices.UP else network


@command("deleteNetwork", roles=USER, event="NETWORK.DELETE", response=None, locks=("network",))
class DeleteNetwork(AsyncCommand):
    """Deletes a network in which no machine is left, with its addresses and rules."""

    id = network_ref()
    forced = Bool(allowed=ROOT, help_text="also if its devices do not answer; they are removed when they do")

    def run(self, network: Network, forced: bool = False) -> Any:
        networks.check_deletable(network)
        return begin(SHUTDOWN, Shutdown(network_id=network.pk, delete=True, forced=forced))


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
    tells_count = True
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
        "networkfilter": Str(
            choices=("account", "domain", "accountdomain", "shared", "all"),
            help_text="account, domain, accountdomain, shared (by other accounts) or all",
        ),
    }

    def visible(self, given: dict[str, Any]) -> QuerySet:
        word = given.pop("networkfilter", "all")
        if "id" in given:
            return super().visible(given) if self.caller.is_root else Network.objects.visible_to(self.caller)
        accounts, path = self.for_whom(given)
        ways = Network.reach.ways_to(accounts, path)
        below = given.get("isrecursive") or (given.get("listall") and not given.get("account"))
        if below and (self.caller.is_root or self.caller.is_domain_admin):
            # NULL is said to the database too: else it reads all networks, for which of few it could look at alone.
            ways.append(Q(domain__isnull=False) & under(path, "domain__path"))
        whose = Q(pk__among=keys_of(Network.all_tenants.filter(SHARED[word]), ways))
        if word in ("all", "account", "accountdomain"):
            whose |= scope.resolve(self.caller, scope_of(given))
        return Network.all_tenants.filter(whose)

    def for_whom(self, given: dict[str, Any]) -> tuple[frozenset[int], str]:
        """The accounts, and the path of the domain, that networks of others may be there for."""
        project, name, domain = (given.get(word) for word in ("projectid", "account", "domainid"))
        if project == "-1":
            return self.caller.projects, self.caller.path
        if project or name:
            found = named_account(self.caller, name, domain) if name else reachable_project(self.caller, project)
            return frozenset({found.pk}), found.domain.path
        if domain:
            return frozenset(), reachable_domain(self.caller, domain).path
        return self.caller.accounts, self.caller.path

    def narrow(self, rows: QuerySet, given: dict[str, Any]) -> QuerySet:
        if given.get("forvpc") or given.get("issystem"):
            return rows.none()
        if given.get("canusefordeploy") is False:
            return rows.none()
        for service in given.get("supportedservices") or ():
            rows = rows.filter(offering__services__has_key=service)
        return rows


# By networkfilter: which networks of others.
FOR_DOMAINS, OF_ACCOUNTS = Q(acl_type="Domain"), Q(acl_type="Account")
SHARED = {
    "account": NOBODY,
    "domain": FOR_DOMAINS,
    "accountdomain": FOR_DOMAINS,
    "shared": OF_ACCOUNTS,
    "all": FOR_DOMAINS | OF_ACCOUNTS,
}
