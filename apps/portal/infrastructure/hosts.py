"""Hosts: list, page with what is placed there, and forms."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.portal import looks
from apps.portal.appliances.kinds import ROUTER, SYSTEM_MACHINE
from apps.portal.components import Chart, State
from apps.portal.compute.kinds import MACHINE
from apps.portal.compute.load import LoadCard
from apps.portal.events.tabs import events_of
from apps.portal.frame.detail import Card, DetailPage, FactsCard, RowsCard, Tab
from apps.portal.frame.forms import Form
from apps.portal.frame.listing import ListPage
from apps.portal.infrastructure import capacity
from apps.portal.infrastructure.kinds import CLUSTER, HOST, POD, ZONE
from apps.portal.infrastructure.looks import number
from apps.portal.infrastructure.zones import HOST_COLUMNS, HOST_OWN, ID, Changes, above
from apps.portal.jobs.tab import JOBS

Text = str | Promise
MIB = 1 << 20


class HostList(ListPage):
    at = "hosts"
    nav = "/hosts"
    kind = HOST
    columns = (*HOST_COLUMNS, "clustername", "zonename")
    filters = ("state", "resourcestate", "zoneid", "podid", "clusterid", "hypervisor")
    own = HOST_OWN
    searching = gettext_lazy("Name or address")
    hint = gettext_lazy("A host runs machines. It is added to a cluster, by its address and a log-in of it.")


class PlacedHere(RowsCard):
    tab = "machines"
    title = gettext_lazy("Placed here")


class SystemHere(RowsCard):
    tab = "system-machines"

    @property
    def is_shown(self) -> bool:
        return super().is_shown and bool(self.table.lines)


class HostCapacity(Card):
    """Written by hand: as bars, like those of the zone that it is in."""

    template = "portal/infrastructure/capacity.html"
    title = gettext_lazy("Capacity")

    @cached_property
    def uses(self) -> list[dict[str, Any]]:
        row, marks = self.row, capacity.thresholds(self.visit)
        memory, total = number(row.get("memoryallocatedbytes")), number(row.get("memorywithoverprovisioning"))
        cpu = number(row.get("cpuwithoverprovisioning"))
        used = number(row.get("cpuallocatedvalue"))
        rows = [
            {"type": 1, "capacityused": used, "capacitytotal": cpu},
            {"type": 0, "capacityused": memory, "capacitytotal": total},
        ]
        return capacity.uses(rows, marks)


class HostLoad(LoadCard):
    command = "listHosts"
    across = 3

    @cached_property
    def charts(self) -> list[Chart]:
        total = number(self.row.get("memorytotal")) or 1
        held = [each["memoryused"] / total * 100 for each in self.samples]
        return [
            self.share_chart(),
            self.chart(_("Memory"), f"{looks.number(held[-1], 1)} %", held, 100),
            self.rate_chart(_("Network"), "networkkbsread", "networkkbswrite"),
        ]


class HostFacts(FactsCard):
    title = gettext_lazy("Facts")
    facts = (
        "zonename",
        "podname",
        "clustername",
        "ipaddress",
        "hypervisor",
        "hypervisorversion",
        "arch",
        (gettext_lazy("Cores"), lambda row: looks.cores(row.get("cpunumber"), row.get("cpuspeed"))),
        (gettext_lazy("Memory"), lambda row: looks.size(row.get("memorytotal"))),
        "hosttags",
        (gettext_lazy("Heard last"), lambda row: looks.ago(row.get("lastpinged")) if row.get("lastpinged") else ""),
        "created",
        ID,
    )


class WouldDo(Card):
    """Written by hand: what maintenance means here, before anybody begins it."""

    template = "portal/infrastructure/maintenance.html"
    title = gettext_lazy("What maintenance would do")

    @property
    def is_shown(self) -> bool:
        return self.row.get("resourcestate") == "Enabled" and self.visit.may("prepareHostForMaintenance")

    @property
    def steps(self) -> list[Any]:
        from apps.portal.components import Step

        count = MACHINE.rows(self.visit, hostid=self.row["id"], page=1, pagesize=1, details="min").count
        text = ngettext("%(n)s moves to another host of the cluster", "%(n)s move to other hosts of the cluster", count)
        moved = text % {"n": MACHINE.counted(count)}
        return [
            Step(status="todo", text=_("Nothing new is placed here")),
            Step(status="todo", text=moved if count else _("No machine has to move")),
            Step(status="todo", text=_("The host is in maintenance")),
        ]


class HostPage(DetailPage):
    at = "hosts/<uuid:key>"
    also_at = ("hosts/<uuid:key>/<slug:tab>",)
    nav = "/hosts"
    kind = HOST
    buttons = ("reconnectHost", "cancelHostMaintenance")
    main = (PlacedHere, SystemHere, HostLoad)
    side = (HostCapacity, HostFacts, WouldDo)
    with_tags = False
    tabs = (
        Tab(
            MACHINE,
            "hostid",
            ("name", "state", "account", "cpunumber", "memory", "serviceofferingname"),
            counted=True,
        ),
        Tab(SYSTEM_MACHINE, "hostid", ("name", "state", "systemvmtype", "privateip", "publicip")),
        Tab(ROUTER, "hostid", ("name", "state", "account", "guestnetworkname", "guestipaddress")),
        events_of("Host"),
        JOBS,
    )

    @property
    def primary(self) -> dict[str, str]:  # type: ignore[override]
        """It follows the state of its use, not that of its connection."""
        inside = self.row.get("resourcestate") in ("Maintenance", "PrepareForMaintenance", "ErrorInMaintenance")
        return {"": "cancelHostMaintenance" if inside else "prepareHostForMaintenance"}

    @property
    def is_busy(self) -> bool:
        return super().is_busy or looks.of_state(str(self.row.get("resourcestate", ""))).turns

    @property
    def since(self) -> Text:
        return State(name=str(self.row.get("resourcestate", "")), pill=True).html()

    @property
    def crumbs(self) -> list[tuple[Text, str]]:
        return above(self.row, ZONE, POD, CLUSTER)

    @property
    def sub(self) -> Text:
        parts: Sequence[Any] = (self.row.get("hypervisor"), self.row.get("ipaddress"), self.row.get("version"))
        return format_html_join(" · ", "{}", [(part,) for part in parts if part])


# forms


class AddHost(Form):
    command = "addHost"
    first = ("zoneid", "podid", "clusterid", "hypervisor", "url", "username", "password")
    folded = ("hosttags", "allocationstate")
    labels = {"url": gettext_lazy("Address")}
    hints = {
        "url": gettext_lazy("http://host, or http://sim… for a simulated one"),
        "password": gettext_lazy("For the installation; not kept afterwards"),
        "hosttags": gettext_lazy("Offerings with these tags run here; with commas"),
        "clusterid": gettext_lazy("Of that pod"),
        "podid": gettext_lazy("Of that zone"),
    }

    def narrow(self, name: str) -> dict[str, Any]:
        wider = {"podid": ("zoneid",), "clusterid": ("zoneid", "podid")}.get(name, ())
        return {each: self.given[each] for each in wider if self.given.get(each)}


class ChangeHost(Changes):
    command = "updateHost"
    first = ("name", "hosttags", "allocationstate")
    folded = ("url",)
    hints = {
        "hosttags": gettext_lazy("Offerings with these tags run here; with commas"),
        "allocationstate": gettext_lazy("Disabled: nothing new is placed here, what runs goes on"),
    }


class Maintain(Form):
    command = "prepareHostForMaintenance"
    folded = ()
    note = gettext_lazy(
        "Its machines move to other hosts while they run. It takes as long as that takes, and can be cancelled."
    )
    kept = (
        gettext_lazy("What runs on it, moved to other hosts"),
        gettext_lazy("The host itself, until it is enabled again"),
    )


class Reconnect(Form):
    command = "reconnectHost"
    folded = ()
    note = gettext_lazy("The connection to it is made anew. Its machines go on running.")


class RemoveHost(Form):
    command = "deleteHost"
    danger = True
    types_name = True
    first = ("forced",)
    folded = ()
    labels = {"forced": gettext_lazy("Even if it does not answer")}
    hints = {"forced": ""}
    lost = (gettext_lazy("The host here; its machines have to be elsewhere or stopped"),)
