"""Zones, pods and clusters: lists, pages and forms."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal.components import Copy
from apps.portal.events.tabs import events_of
from apps.portal.frame.columns import NUMBER
from apps.portal.frame.detail import Card, DetailPage, FactsCard, RowsCard, Tab
from apps.portal.frame.forms import Form
from apps.portal.frame.listing import ListPage
from apps.portal.infrastructure import capacity
from apps.portal.infrastructure.kinds import CLUSTER, HOST, IMAGE_STORE, PHYSICAL_NETWORK, POD, POOL, ZONE
from apps.portal.infrastructure.looks import CPU_USE, DISK_USE, MEMORY_USE, NETWORK_TYPE, STORE_USE
from apps.portal.visits import Row

Text = str | Promise
ID = (gettext_lazy("Id"), lambda row: Copy(text=row["id"], what=_("the id")).html())


class CapacityCard(Card):
    """Written by hand: bars say at a glance what figures in a table do not."""

    template = "portal/infrastructure/capacity.html"
    title = gettext_lazy("Capacity")
    by: str = "zoneid"

    @property
    def is_shown(self) -> bool:
        return self.visit.may("listCapacity")

    @cached_property
    def uses(self) -> list[dict[str, Any]]:
        rows = self.visit.call("listCapacity", **{self.by: self.row["id"]}).get("capacity", [])
        return capacity.uses(rows, capacity.thresholds(self.visit))


class Placed(DetailPage):
    """Of zones, pods and clusters: whether anything new may go there is their state."""

    @property
    def state(self) -> str:
        return str(self.row.get("allocationstate", ""))


POD_TAB = Tab(POD, "zoneid", ("name", "allocationstate", "gateway", "netmask"), creating=("createPod",), counted=True)
HOST_COLUMNS = ("name", "state", "resourcestate", "ipaddress", "cpuallocated", "memoryuse")
HOST_OWN = {"memoryuse": MEMORY_USE, "cpuallocated": CPU_USE}
POOL_COLUMNS = ("name", "state", "scope", "type", "diskuse", "clustername")


def host_tab(by: str) -> Tab:
    return Tab(HOST, by, HOST_COLUMNS, own=HOST_OWN, creating=("addHost",), counted=True)


def pool_tab(by: str) -> Tab:
    return Tab(POOL, by, POOL_COLUMNS, own={"diskuse": DISK_USE}, creating=("createStoragePool",), counted=True)


class ZoneList(ListPage):
    at = "zones"
    nav = "/zones"
    kind = ZONE
    columns = ("name", "allocationstate", "networktype", "guestcidraddress", "dns1", "internaldns1")
    filters = ("networktype",)
    dressing = {"networktype": NETWORK_TYPE}
    creating = "/zones/new"
    searching = gettext_lazy("Name")
    hint = gettext_lazy(
        "A zone is a place with networks, hosts and storage of its own. The wizard asks for what one needs, checks it, "
        "and can be left and taken up again."
    )


class ZoneCapacity(CapacityCard):
    by = "zoneid"


class ZoneHosts(RowsCard):
    tab = "hosts"


class ZoneFacts(FactsCard):
    title = gettext_lazy("Facts")
    facts = (
        (gettext_lazy("Kind"), lambda row: NETWORK_TYPE.cell(row.get("networktype"))),
        "guestcidraddress",
        "dns1",
        "dns2",
        "internaldns1",
        "internaldns2",
        "domain",
        "securitygroupsenabled",
        "localstorageenabled",
        ID,
    )


class ZonePage(Placed):
    at = "zones/<uuid:key>"
    also_at = ("zones/<uuid:key>/<slug:tab>",)
    nav = "/zones"
    kind = ZONE
    buttons = ("updateZone",)
    main = (ZoneCapacity, ZoneHosts)
    side = (ZoneFacts,)
    with_tags = True
    tabs = (
        POD_TAB,
        Tab(
            CLUSTER,
            "zoneid",
            ("name", "allocationstate", "podname", "hypervisortype", "cpuovercommitratio", "memoryovercommitratio"),
            creating=("addCluster",),
            counted=True,
        ),
        host_tab("zoneid"),
        pool_tab("zoneid"),
        Tab(
            IMAGE_STORE,
            "zoneid",
            ("name", "protocol", "url", "storeuse"),
            own={"storeuse": STORE_USE},
            creating=("addImageStore",),
            counted=True,
        ),
        Tab(
            PHYSICAL_NETWORK,
            "zoneid",
            ("name", "state", "vlan", "isolationmethods"),
            creating=("createPhysicalNetwork",),
            counted=True,
        ),
        events_of("Zone"),
    )

    @property
    def sub(self) -> Text:
        return NETWORK_TYPE.cell(self.row.get("networktype"))


class PodList(ListPage):
    at = "pods"
    nav = "/zones"
    kind = POD
    columns = ("name", "allocationstate", "zonename", "gateway", "netmask")
    filters = ("zoneid", "allocationstate")
    searching = gettext_lazy("Name")
    hint = gettext_lazy("A pod is a part of a zone with a management network of its own, mostly a rack.")


class PodCapacity(CapacityCard):
    by = "podid"


class PodFacts(FactsCard):
    title = gettext_lazy("Facts")
    facts = (
        "zonename",
        "gateway",
        "netmask",
        (gettext_lazy("Addresses of system machines"), lambda row: ranges_of(row)),
        ID,
    )


def ranges_of(row: Row) -> str:
    return ", ".join(f"{each.get('startip', '')}–{each.get('endip', '')}" for each in row.get("ipranges", []))


class PodPage(Placed):
    at = "pods/<uuid:key>"
    also_at = ("pods/<uuid:key>/<slug:tab>",)
    nav = "/zones"
    kind = POD
    buttons = ("updatePod",)
    main = (PodCapacity,)
    side = (PodFacts,)
    tabs = (
        Tab(
            CLUSTER,
            "podid",
            ("name", "allocationstate", "hypervisortype", "arch"),
            creating=("addCluster",),
            counted=True,
        ),
        host_tab("podid"),
        events_of("Pod"),
    )

    @property
    def crumbs(self) -> list[tuple[Text, str]]:
        return above(self.row, ZONE)


def above(row: Row, *kinds: Any) -> list[tuple[Text, str]]:
    """The path of a row: zone, pod, cluster."""
    found: list[tuple[Text, str]] = [(ZONE.many, ZONE.url())]
    for kind, word in ((ZONE, "zone"), (POD, "pod"), (CLUSTER, "cluster")):
        if kind in kinds and row.get(f"{word}id"):
            found.append((row.get(f"{word}name", ""), kind.url(row[f"{word}id"])))
    return found


class ClusterList(ListPage):
    at = "clusters"
    nav = "/zones"
    kind = CLUSTER
    columns = (
        "name",
        "allocationstate",
        "hypervisortype",
        "podname",
        "zonename",
        "cpuovercommitratio",
        "memoryovercommitratio",
    )
    filters = ("zoneid", "podid", "hypervisor", "allocationstate")
    searching = gettext_lazy("Name")
    dressing = {"cpuovercommitratio": NUMBER, "memoryovercommitratio": NUMBER}
    hint = gettext_lazy(
        "A cluster is a group of hosts of one hypervisor that share storage; machines move between them."
    )


class ClusterCapacity(CapacityCard):
    by = "clusterid"


class ClusterHosts(RowsCard):
    tab = "hosts"


class ClusterFacts(FactsCard):
    title = gettext_lazy("Facts")
    facts = (
        "zonename",
        "podname",
        "hypervisortype",
        "arch",
        "managedstate",
        "cpuovercommitratio",
        "memoryovercommitratio",
        ID,
    )


class ClusterPage(Placed):
    at = "clusters/<uuid:key>"
    also_at = ("clusters/<uuid:key>/<slug:tab>",)
    nav = "/zones"
    kind = CLUSTER
    buttons = ("updateCluster",)
    main = (ClusterCapacity, ClusterHosts)
    side = (ClusterFacts,)
    tabs = (host_tab("clusterid"), pool_tab("clusterid"), events_of("Cluster"))

    @property
    def crumbs(self) -> list[tuple[Text, str]]:
        return above(self.row, ZONE, POD)


# forms


class Changes(Form):
    """A form that changes a row begins with what is so."""

    names: Mapping[str, str] = {}  # parameter -> field of the row where it has another name

    def initial(self) -> Mapping[str, Any]:
        found = {name: self.row.get(self.names.get(name, name), "") for name in self.declared}
        return {name: ",".join(map(str, v)) if isinstance(v, list) else v for name, v in found.items()}


class ChangeZone(Changes):
    command = "updateZone"
    first = ("name", "allocationstate", "dns1", "internaldns1")
    folded = ("dns2", "internaldns2", "domain", "guestcidraddress", "localstorageenabled")
    note = gettext_lazy("A zone that is disabled goes on running; only administrators start anything new in it.")


class RemoveZone(Form):
    command = "deleteZone"
    danger = True
    types_name = True
    lost = (gettext_lazy("The zone with its physical networks and addresses"),)
    note = gettext_lazy("Its pods, hosts, storage and networks have to be gone before.")


class NewPod(Form):
    command = "createPod"
    first = ("name", "zoneid", "gateway", "netmask", "startip", "endip")
    folded = ("allocationstate",)
    hints = {
        "gateway": gettext_lazy("Of the management network"),
        "startip": gettext_lazy("First address for system machines"),
        "endip": gettext_lazy("The first if you leave this empty"),
    }


class ChangePod(Changes):
    command = "updatePod"
    first = ("name", "allocationstate")
    folded = ("gateway", "netmask", "startip", "endip")


class RemovePod(Form):
    command = "deletePod"
    danger = True
    types_name = True
    lost = (gettext_lazy("The pod with its addresses for system machines"),)
    note = gettext_lazy("Its clusters and hosts have to be gone before.")


class NewCluster(Form):
    command = "addCluster"
    first = ("clustername", "zoneid", "podid", "hypervisor")
    folded = ("arch", "allocationstate")
    hints = {"hypervisor": gettext_lazy("Of all its hosts"), "podid": gettext_lazy("Of that zone")}

    def more_hidden(self) -> dict[str, str]:
        return {"clustertype": "CloudManaged"}

    def narrow(self, name: str) -> dict[str, Any]:
        return {"zoneid": self.given["zoneid"]} if name == "podid" and self.given.get("zoneid") else {}


class ChangeCluster(Changes):
    command = "updateCluster"
    first = ("clustername", "allocationstate", "managedstate")
    folded = ("arch",)
    names = {"clustername": "name"}
    hints = {"managedstate": gettext_lazy("Unmanaged: its hosts are left alone")}


class RemoveCluster(Form):
    command = "deleteCluster"
    danger = True
    types_name = True
    lost = (gettext_lazy("The cluster"),)
    note = gettext_lazy("Its hosts and storage have to be gone before.")
