"""Physical networks: what traffic they carry, who serves it, which addresses are theirs."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from apps.portal.events.tabs import events_of
from apps.portal.frame.columns import LISTED, MONO, Look
from apps.portal.frame.detail import DetailPage, FactsCard, RowsCard, Tab
from apps.portal.frame.forms import Form
from apps.portal.frame.listing import ListPage
from apps.portal.infrastructure.kinds import ADDRESS_RANGE, PHYSICAL_NETWORK, PROVIDER, TRAFFIC_TYPE, ZONE
from apps.portal.infrastructure.looks import TRAFFIC
from apps.portal.infrastructure.zones import ID, Changes, above

Text = str | Promise
KIND_OF_TRAFFIC = Look(lambda value: str(TRAFFIC.get(value, value)))


VLAN = Look(lambda value: str(value).removeprefix("vlan://"), "mono")


class PhysicalNetworkList(ListPage):
    at = "physical-networks"
    nav = "/zones"
    kind = PHYSICAL_NETWORK
    columns = ("name", "state", "zonename", "vlan", "isolationmethods")
    filters = ("zoneid",)
    dressing = {"vlan": MONO}
    searching = gettext_lazy("Name")
    hint = gettext_lazy("A physical network carries one or more kinds of traffic of a zone.")


class PhysicalNetworkFacts(FactsCard):
    title = gettext_lazy("Facts")
    facts = ("zonename", "vlan", "isolationmethods", "networkspeed", "broadcastdomainrange", "tags", ID)


class Traffic(RowsCard):
    tab = "traffic-types"


class Providers(RowsCard):
    tab = "service-providers"


class Ranges(RowsCard):
    tab = "address-ranges"


class PhysicalNetworkPage(DetailPage):
    at = "physical-networks/<uuid:key>"
    also_at = ("physical-networks/<uuid:key>/<slug:tab>",)
    nav = "/zones"
    kind = PHYSICAL_NETWORK
    buttons = ("updatePhysicalNetwork",)
    main = (Traffic, Providers, Ranges)
    side = (PhysicalNetworkFacts,)
    tabs = (
        Tab(
            TRAFFIC_TYPE,
            "physicalnetworkid",
            ("traffictype", "kvmnetworklabel", "xennetworklabel", "vmwarenetworklabel"),
            looks={"traffictype": KIND_OF_TRAFFIC},
            creating=("addTrafficType",),
        ),
        Tab(
            PROVIDER,
            "physicalnetworkid",
            ("name", "state", "servicelist"),
            looks={"servicelist": LISTED},
            creating=("addNetworkServiceProvider",),
        ),
        Tab(
            ADDRESS_RANGE,
            "physicalnetworkid",
            ("startip", "endip", "gateway", "netmask", "vlan", "account"),
            looks={"vlan": VLAN},
            creating=("createVlanIpRange",),
        ),
        events_of("PhysicalNetwork"),
    )

    @property
    def crumbs(self) -> list[tuple[Text, str]]:
        return above(self.row, ZONE)


class NewPhysicalNetwork(Form):
    command = "createPhysicalNetwork"
    first = ("name", "zoneid", "vlan", "isolationmethods")
    folded = ("networkspeed", "broadcastdomainrange", "tags")
    hints = {
        "vlan": gettext_lazy("Numbers of VLANs for guest networks: 100-200,300"),
        "isolationmethods": gettext_lazy("How guest networks are kept apart: VLAN"),
    }


class ChangePhysicalNetwork(Changes):
    command = "updatePhysicalNetwork"
    first = ("state", "vlan")
    folded = ("networkspeed", "tags")
    hints = {"vlan": gettext_lazy("Numbers of VLANs for guest networks: 100-200,300")}


class RemovePhysicalNetwork(Form):
    command = "deletePhysicalNetwork"
    danger = True
    types_name = True
    folded = ()
    lost = (gettext_lazy("The physical network with its traffic types and address ranges"),)


class NewTraffic(Form):
    command = "addTrafficType"
    first = ("physicalnetworkid", "traffictype", "kvmnetworklabel")
    about = (PHYSICAL_NETWORK.label, "physicalnetworkid")
    is_loose = True


class ChangeTraffic(Changes):
    command = "updateTrafficType"
    first = ("kvmnetworklabel",)


class ChangeProvider(Changes):
    command = "updateNetworkServiceProvider"
    first = ("state",)
    folded = ()


class NewRange(Form):
    command = "createVlanIpRange"
    first = ("zoneid", "physicalnetworkid", "gateway", "netmask", "startip", "endip", "vlan", "forvirtualnetwork")
    folded = ("podid", "networkid", "forsystemvms")
    labels = {"forvirtualnetwork": gettext_lazy("Public addresses"), "vlan": gettext_lazy("VLAN")}
    hints = {
        "vlan": gettext_lazy("untagged if you leave this empty"),
        "forvirtualnetwork": gettext_lazy("Of the internet; else addresses of a shared network"),
        "gateway": gettext_lazy("Of the range"),
    }

    def narrow(self, name: str) -> dict[str, Any]:
        return (
            {"zoneid": self.given["zoneid"]}
            if name in ("physicalnetworkid", "podid") and self.given.get("zoneid")
            else {}
        )


class RemoveRange(Form):
    command = "deleteVlanIpRange"
    danger = True
    lost = (gettext_lazy("The range; none of its addresses may be taken"),)
