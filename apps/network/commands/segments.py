"""The VLANs of physical networks, and the numbers that rules speak of."""

from typing import Any

from django.db.models import QuerySet

from apps.core.callers import ROOT, USER
from apps.core.commands import command
from apps.core.errors import InvalidParameter
from apps.core.lists import ListCommand, MemoryListCommand
from apps.core.refs import RefFilter
from apps.core.responses import Computed, Field, Plain, Response
from apps.core.wire import Bool, Long, Str
from apps.network.commands.responses import if_account, if_project
from apps.network.models import Segment


def networks_of(uuid: str | None, name: str) -> list[dict[str, str]]:
    return [{"id": uuid, "name": name}] if uuid else []


class GuestVlanResponse(Response):
    """Its id on the wire is a number, no uuid."""

    wire_name = "guestvlan"
    model = "network.Segment"

    id = Field("pk", type="long")
    vlan = Computed(("number",), str)
    allocationstate = Computed(("network__uuid",), lambda uuid: "Allocated" if uuid else "Free", type="string")
    taken = Field()
    zoneid = Field("physical_network__zone__uuid")
    zonename = Field("physical_network__zone__name")
    physicalnetworkid = Field("physical_network__uuid")
    physicalnetworkname = Field("physical_network__name")
    isdedicated = Computed((), bool, type="boolean")
    account = Computed(("network__owner__name", "network__owner__type"), if_account)
    project = Computed(("network__owner__name", "network__owner__type"), if_project)
    projectid = Computed(("network__owner__uuid", "network__owner__type"), if_project)
    domainid = Field("network__owner__domain__uuid")
    domain = Field("network__owner__domain__name")
    domainpath = Field("network__owner__domain__wire_path")
    network = Computed(("network__uuid", "network__name"), networks_of)


@command("listGuestVlans", roles=ROOT, response=GuestVlanResponse)
class ListGuestVlans(ListCommand):
    """Lists the VLANs of physical networks, and which networks have them."""

    model = "network.Segment"
    keyword_in = ("number",)
    ordering = ("physical_network", "number")
    id = Long(lookup="pk", help_text="only the one with this number")
    filters = {
        "physicalnetworkid": RefFilter("infrastructure.PhysicalNetwork", "physical_network"),
        "zoneid": RefFilter("infrastructure.Zone", "physical_network__zone"),
        "vnet": Str(lookup="number", help_text="only this VLAN"),
        "allocatedonly": Bool(default=True, help_text="true: those that networks have; false: free ones too"),
    }

    def visible(self, given: dict[str, Any]) -> QuerySet:
        rows = Segment.objects.filter(physical_network__removed=None)
        return rows.exclude(network=None) if given["allocatedonly"] else rows

    def rows(self, keyword: str, given: dict[str, Any]) -> QuerySet:
        if "vnet" in given and not given["vnet"].isdecimal():
            raise InvalidParameter(f"vnet: {given['vnet']!r} is no VLAN id")
        return super().rows(keyword, given)


class ProtocolResponse(Plain):
    wire_name = "networkprotocol"
    fields = {"index": "integer", "name": "string", "description": "string", "details": "map"}


# IANA: the protocols that rules can name by number, and what ICMP says.
PROTOCOLS = {
    1: ("icmp", "Internet Control Message"),
    4: ("ipencap", "IPv4 encapsulation"),
    6: ("tcp", "Transmission Control"),
    17: ("udp", "User Datagram"),
    41: ("ipv6", "IPv6 encapsulation"),
    47: ("gre", "Generic Routing Encapsulation"),
    50: ("esp", "Encap Security Payload"),
    51: ("ah", "Authentication Header"),
    58: ("ipv6-icmp", "ICMP for IPv6"),
    132: ("sctp", "Stream Control Transmission Protocol"),
}
ICMP = {
    0: ("Echo Reply", {0: "Echo reply"}),
    3: (
        "Destination Unreachable",
        {
            0: "Destination network unreachable",
            1: "Destination host unreachable",
            2: "Destination protocol unreachable",
            3: "Destination port unreachable",
            4: "Fragmentation is needed and don't fragment was set",
            5: "Source route failed",
            6: "Destination network unknown",
            7: "Destination host unknown",
            9: "Network administratively prohibited",
            10: "Host administratively prohibited",
            13: "Communication administratively prohibited",
        },
    ),
    5: ("Redirect Message", {0: "Redirect datagram for the network", 1: "Redirect datagram for the host"}),
    8: ("Echo Request", {0: "Echo request"}),
    9: ("Router Advertisement", {0: "Router advertisement"}),
    10: ("Router Solicitation", {0: "Router discovery, selection or solicitation"}),
    11: ("Time Exceeded", {0: "TTL expired in transit", 1: "Fragment reassembly time exceeded"}),
    12: ("Parameter Problem: Bad IP header", {0: "Pointer indicates the error", 1: "Missing a required option"}),
    13: ("Timestamp", {0: "Timestamp"}),
    14: ("Timestamp Reply", {0: "Timestamp reply"}),
}


@command("listNetworkProtocols", roles=USER, response=ProtocolResponse)
class ListNetworkProtocols(MemoryListCommand):
    """Lists protocols by number, or types of ICMP messages with their codes."""

    option = Str(required=True, choices=("protocolnumber", "icmptype"), help_text="protocolnumber or icmptype")
    keyword = page = pagesize = None

    def entries(self, option: str, **given: Any) -> list[dict[str, Any]]:
        if option == "protocolnumber":
            return [{"index": n, "name": name, "description": text} for n, (name, text) in PROTOCOLS.items()]
        return [
            {"index": n, "description": text, "details": {str(code): said for code, said in codes.items()}}
            for n, (text, codes) in ICMP.items()
        ]
