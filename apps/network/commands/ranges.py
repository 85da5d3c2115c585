from typing import Any

from django.db.models import QuerySet

from apps.core.callers import ROOT, Access
from apps.core.commands import Command, command
from apps.core.errors import InvalidParameter
from apps.core.lists import ListCommand
from apps.core.refs import Ref, RefFilter
from apps.core.scope import named_account, reachable_domain, reachable_project
from apps.core.wire import Bool, Str, Uuid
from apps.infrastructure.models import PhysicalNetwork, Zone
from apps.network.commands.responses import VlanIpRangeResponse, VlanResponse
from apps.network.models import IpRange, Network
from apps.network.services import networks, ranges, segments


def holder(caller: Any, account: str | None, domainid: str | None, projectid: str | None) -> dict[str, Any]:
    """Who alone takes the addresses: an account, a domain, or all."""
    if projectid:
        return {"owner": reachable_project(caller, projectid)}
    if account:
        return {"owner": named_account(caller, account, domainid)}
    return {"domain": reachable_domain(caller, domainid)} if domainid else {}


@command("createVlanIpRange", roles=ROOT, event="VLAN.IP.RANGE.CREATE", response=VlanResponse)
class CreateVlanIpRange(Command):
    """Adds a range of addresses: public ones of a zone, or those of a shared network."""

    zoneid = Ref("infrastructure.Zone", Access.OPERATE, source="zone", help_text="the zone, of public addresses")
    physicalnetworkid = Ref(
        "infrastructure.PhysicalNetwork", Access.OPERATE, source="physical_network", help_text="the physical network"
    )
    podid = Ref("infrastructure.Pod", Access.OPERATE, source="pod", help_text="the pod, in a Basic zone")
    networkid = Ref("network.Network", Access.OPERATE, source="network", help_text="the shared network")
    forvirtualnetwork = Bool(default=False, source="public", help_text="true: public addresses")
    forsystemvms = Bool(source="for_system_vms", help_text="for system machines only")
    vlan = Str(length=64, help_text="its VLAN; untagged if absent")
    gateway = Str(length=64, help_text="its gateway")
    netmask = Str(length=64, help_text="its netmask")
    startip = Str(length=64, source="start_ip", help_text="first address")
    endip = Str(length=64, source="end_ip", help_text="last address; the first if absent")
    account = Str(length=100, help_text="only this account takes them, with domainid")
    domainid = Uuid(help_text="only this domain takes them, or the account in it")
    projectid = Uuid(help_text="only this project takes them")

    def run(self, public: bool, **values: Any) -> IpRange:
        for name, wire in (("gateway", "gateway"), ("netmask", "netmask"), ("start_ip", "startip")):
            if not values.get(name):
                raise InvalidParameter(f"{wire}: a range needs it")
        values["end_ip"] = values.get("end_ip") or values["start_ip"]
        named = {name: values.pop(name, None) for name in ("account", "domainid", "projectid")}
        values |= holder(self.caller, **named)
        network = values.pop("network", None)
        return self.public(**values) if public else self.guest(network, values)

    @staticmethod
    def public(zone: Zone | None = None, physical_network: PhysicalNetwork | None = None, **values: Any) -> IpRange:
        if zone is None and physical_network is not None:
            zone = physical_network.zone
        if zone is None:
            raise InvalidParameter("zoneid: public addresses belong to a zone")
        if zone.network_type == Zone.NetworkType.BASIC:
            raise InvalidParameter("forvirtualnetwork: a Basic zone has no public addresses of its own")
        carriers = PhysicalNetwork.all_tenants.filter(zone=zone, traffic_types__kind="Public")
        physical_network = physical_network or carriers.order_by("pk").first()
        if physical_network is None:
            raise InvalidParameter("zoneid: the zone has no physical network that carries public traffic yet")
        number = segments.number_of(values.get("vlan", ""))
        values["vlan"] = str(number) if number else "untagged"
        values.pop("pod", None)
        return ranges.create(zone=zone, physical_network=physical_network, for_virtual_network=True, **values)

    @staticmethod
    def guest(network: Network | None, values: dict[str, Any]) -> IpRange:
        zone = values.pop("zone", None)
        if network is None and zone is not None:
            shared = list(Network.all_tenants.filter(zone=zone, guest_type="Shared").order_by("pk")[:2])
            network = shared[0] if len(shared) == 1 else None
        if network is None or network.guest_type != "Shared":
            raise InvalidParameter("networkid: ranges of guest addresses belong to a shared network")
        pod = values.pop("pod", None)
        if network.zone.network_type == Zone.NetworkType.BASIC and pod is None:
            raise InvalidParameter("podid: addresses of a Basic zone belong to a pod")
        if values.pop("vlan", "") not in ("", "untagged", network.vlan, f"vlan://{network.vlan}"):
            raise InvalidParameter("vlan: it is that of the network")
        for name in ("owner", "domain"):
            if values.pop(name, None):
                raise InvalidParameter("account or domainid: addresses of a shared network are for all who may use it")
        return networks.add_range(network=network, pod=pod, **values)


@command("deleteVlanIpRange", roles=ROOT, event="VLAN.IP.RANGE.DELETE", response=None)
class DeleteVlanIpRange(Command):
    """Deletes a range of which no address is in use."""

    id = Ref("network.IpRange", Access.OPERATE, source="row", required=True, help_text="the range")

    def run(self, row: IpRange) -> None:
        ranges.delete(row=row)


@command("updateVlanIpRange", roles=ROOT, event="VLAN.IP.RANGE.UPDATE", response=VlanResponse)
class UpdateVlanIpRange(Command):
    """Gives a range other ends; addresses in use stay in it."""

    id = Ref("network.IpRange", Access.OPERATE, source="row", required=True, help_text="the range")
    gateway = Str(length=64, help_text="its gateway")
    netmask = Str(length=64, help_text="its netmask")
    startip = Str(length=64, source="start_ip", help_text="first address")
    endip = Str(length=64, source="end_ip", help_text="last address")
    forsystemvms = Bool(source="for_system_vms", help_text="for system machines only")

    def run(self, row: IpRange, **values: Any) -> IpRange:
        return ranges.update(row=row, **values)


@command("dedicatePublicIpRange", roles=ROOT, event="VLAN.IP.RANGE.DEDICATE", response=VlanResponse)
class DedicatePublicIpRange(Command):
    """Gives the addresses of a public range to one account, or to one domain and those below it."""

    id = Ref("network.IpRange", Access.OPERATE, source="row", required=True, help_text="the range")
    domainid = Uuid(required=True, help_text="the domain, or that of the account")
    account = Str(length=100, help_text="the account")
    projectid = Uuid(help_text="the project, in place of an account")

    def run(self, row: IpRange, domainid: str, account: str | None = None, projectid: str | None = None) -> IpRange:
        if account and projectid:
            raise InvalidParameter("account and projectid cannot be given together")
        return ranges.dedicate(row=row, **holder(self.caller, account, domainid, projectid))


@command("releasePublicIpRange", roles=ROOT, event="VLAN.IP.RANGE.RELEASE", response=None)
class ReleasePublicIpRange(Command):
    """Gives the free addresses of a range to everybody again."""

    id = Ref("network.IpRange", Access.OPERATE, source="row", required=True, help_text="the range")

    def run(self, row: IpRange) -> None:
        ranges.undedicate(row=row)


@command("listVlanIpRanges", roles=ROOT, response=VlanIpRangeResponse)
class ListVlanIpRanges(ListCommand):
    """Lists ranges of addresses."""

    model = "network.IpRange"
    keyword_in = ("vlan", "start_ip", "end_ip")
    filters = {
        "vlan": "vlan",
        "forvirtualnetwork": Bool(lookup="for_virtual_network", help_text="true: ranges of public addresses"),
        "networkid": RefFilter("network.Network", "network"),
        "physicalnetworkid": RefFilter("infrastructure.PhysicalNetwork", "physical_network"),
        "podid": RefFilter("infrastructure.Pod", "pod"),
        "zoneid": RefFilter("infrastructure.Zone", "zone"),
        "account": Str(length=100, help_text="those of this account, with domainid"),
        "domainid": Uuid(help_text="those of this domain, or of the account in it"),
        "projectid": Uuid(help_text="those of this project"),
    }

    def visible(self, given: dict[str, Any]) -> QuerySet:
        return super().visible(given).filter(is_lazy=False)

    def narrow(self, rows: QuerySet, given: dict[str, Any]) -> QuerySet:
        if given.get("projectid"):
            return rows.filter(owner=reachable_project(self.caller, given["projectid"]))
        if given.get("account"):
            return rows.filter(owner=named_account(self.caller, given["account"], given.get("domainid")))
        return rows.filter(domain=reachable_domain(self.caller, given["domainid"])) if given.get("domainid") else rows
