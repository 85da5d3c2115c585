from ipaddress import AddressValueError, IPv4Address
from typing import Any

from django.db.models import QuerySet

from apps.core.callers import ROOT, USER, Access
from apps.core.commands import AsyncCommand, CreateCommand, command
from apps.core.errors import InvalidParameter
from apps.core.lists import OwnedListCommand
from apps.core.refs import Owner, Ref, RefFilter
from apps.core.wire import Bool, Str
from apps.infrastructure.models import Zone
from apps.network.commands.responses import AcquiredAddressResponse, AddressResponse
from apps.network.models import Network, PublicAddress
from apps.network.services import networks, public


@command("associateIpAddress", roles=USER, event="NET.IPASSIGN", response=AcquiredAddressResponse, locks=("network",))
class AssociateIpAddress(CreateCommand):
    """Acquires a public address, for a network or to be used later."""

    networkid = Ref("network.Network", Access.OPERATE, source="network", help_text="the network that it is for")
    zoneid = Ref("infrastructure.Zone", Access.USE, source="zone", help_text="the zone, where no network is given")
    ipaddress = Str(length=64, source="wanted", help_text="this one; any free one if absent")
    fordisplay = Bool(source="is_displayed", allowed=ROOT, help_text="is it shown to its user")
    owner = Owner()

    def create(
        self, owner: Any, network: Network | None = None, zone: Zone | None = None, wanted: str = "", **values: Any
    ) -> PublicAddress:
        zone = network.zone if network else zone
        if zone is None:
            raise InvalidParameter("networkid or zoneid must say where the address is needed")
        if network is None:
            network = self.only_network(owner, zone)
        if network is not None and network.guest_type != "Isolated":
            raise InvalidParameter("networkid: only isolated networks have public addresses")
        if wanted:
            wanted = self.read(wanted)
        holder = network.owner if network else owner
        return public.acquire(owner=holder, zone=zone, network=network, wanted=wanted or None, **values)

    @staticmethod
    def read(text: str) -> str:
        try:
            return str(IPv4Address(text))
        except AddressValueError:
            raise InvalidParameter(f"ipaddress: {text!r} is no IPv4 address") from None

    @staticmethod
    def only_network(owner: Any, zone: Zone) -> Network | None:
        rows = list(Network.objects.owned_by(owner).filter(zone=zone, guest_type="Isolated")[:2])
        return rows[0] if len(rows) == 1 else None

    def run(self, row: PublicAddress, **values: Any) -> PublicAddress:
        if row.network_id:
            networks.ensure_applied(row.network_id)
        return row

    def failed(self, row: PublicAddress) -> None:
        public.let_go(row)


@command(
    "disassociateIpAddress", roles=USER, event="NET.IPRELEASE", response=None, locks=("address", "address.network")
)
class DisassociateIpAddress(AsyncCommand):
    """Gives a public address back, with its rules."""

    id = Ref("network.PublicAddress", Access.OPERATE, source="address", help_text="the address")
    ipaddress = Str(length=64, source="text", help_text="the address by its digits, in place of id")

    def run(self, address: PublicAddress | None = None, text: str = "") -> dict[str, Any]:
        row = address or self.found(text)
        public.check_releasable(row)
        public.let_go(row)
        if row.network_id:
            networks.ensure_applied(row.network_id)
        return {"success": True}

    def found(self, text: str) -> PublicAddress:
        row = PublicAddress.objects.operable_by(self.caller).filter(ip=text).first() if text else None
        if row is None:
            raise InvalidParameter("id or ipaddress must name an address of the caller's")
        return row


@command("listPublicIpAddresses", roles=USER, response=AddressResponse)
class ListPublicIpAddresses(OwnedListCommand):
    """Lists public addresses that accounts hold."""

    model = "network.PublicAddress"
    keyword_in = ("ip",)
    filters = {
        "ipaddress": "ip",
        "state": "state",
        "issourcenat": Bool(lookup="is_source_nat", help_text="source NAT addresses, or others"),
        "fordisplay": Bool(lookup="is_displayed", allowed=ROOT, help_text="those that are shown, or not"),
        "associatednetworkid": RefFilter("network.Network", "network"),
        "networkid": RefFilter("network.Network", "network", source="of_network"),
        "physicalnetworkid": RefFilter("infrastructure.PhysicalNetwork", "address__range__physical_network"),
        "vlanid": RefFilter("network.IpRange", "address__range"),
        "zoneid": RefFilter("infrastructure.Zone", "zone"),
        "allocatedonly": Bool(
            default=True, help_text="true: those that accounts hold; others are counted by listCapacity"
        ),
        "forvirtualnetwork": Bool(default=True, help_text="true: addresses of virtual networks, which all of them are"),
        "forloadbalancing": Bool(help_text="those with rules of balancers; there are none yet"),
        "isstaticnat": Bool(help_text="those that are mapped to one machine, or others"),
    }

    def narrow(self, rows: QuerySet, given: dict[str, Any]) -> QuerySet:
        if given.get("forloadbalancing") or not given["forvirtualnetwork"]:
            return rows.none()
        if not given["allocatedonly"]:
            raise InvalidParameter("allocatedonly: free addresses are counted by listCapacity, not listed")
        if "isstaticnat" in given:
            mapped = {"static_nat__isnull": not given["isstaticnat"]}
            rows = rows.filter(**mapped)
        return rows
