"""Hosts: list, page with what is placed there, and forms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.core import ports
from apps.portal import looks
from apps.portal.appliances.kinds import ROUTER, SYSTEM_MACHINE
from apps.portal.components import Chart, State, Step
from apps.portal.compute.kinds import MACHINE
from apps.portal.compute.load import LoadCard
from apps.portal.compute.why import short_reason
from apps.portal.events.tabs import events_of
from apps.portal.frame.columns import Cell, Column
from apps.portal.frame.detail import Card, DetailPage, FactsCard, RowsCard, Tab
from apps.portal.frame.forms import Form
from apps.portal.frame.listing import ListPage
from apps.portal.frame.tables import Maker, Table
from apps.portal.infrastructure import capacity
from apps.portal.infrastructure.kinds import CLUSTER, HOST, POD, POOL, ZONE
from apps.portal.infrastructure.looks import DISK_USE, number
from apps.portal.infrastructure.zones import HOST_COLUMNS, HOST_OWN, ID, Changes, above
from apps.portal.jobs.tab import JOBS
from apps.portal.kinds import Kind
from apps.portal.listed import Listed
from apps.portal.visits import Row

Text = str | Promise
HERE, ASKED, POOLS = 10, 5, 100  # rows that are shown, those that are looked for too, pools that are added up


class HostList(ListPage):
    at = "hosts"
    nav = "/hosts"
    kind = HOST
    columns = (*HOST_COLUMNS, "clustername", "zonename")
    filters = ("state", "resourcestate", "zoneid", "podid", "clusterid", "hypervisor")
    own = HOST_OWN
    searching = gettext_lazy("Name or address")
    hint = gettext_lazy("A host runs machines. It is added to a cluster, by its address and a log-in of it.")


@dataclass(frozen=True)
class Why(Column):
    """What placement wrote down when it chose this host; the whole of it stands on the machine's page."""

    def cell(self, row: Row) -> Cell:
        said = row.get(self.name)
        return format_html('<a href="{}#why">{}</a>', MACHINE.url(row["id"]), said) if said else looks.DASH


@dataclass(frozen=True)
class Elsewhere(Column):
    """A placement that takes nothing, made for this look."""

    def cell(self, row: Row) -> Cell:
        told = row.get(self.name)
        if not told:
            return State(name="Alert", label=_("no other host")).html()
        others = len(told["candidates"]) - 1
        link = format_html('<a href="{}">{}</a>', HOST.url(told["host"]["id"]), told["host"]["name"])
        if not others:
            return link
        more = ngettext("or %(n)s other", "or %(n)s others", others) % {"n": others}
        return format_html('{} <span class="muted">{}</span>', link, more)


WHY = Why("why", gettext_lazy("Why here"))
ELSEWHERE = Elsewhere("elsewhere", gettext_lazy("Would go to"))


class PlacedHere(RowsCard):
    """Written by hand: no command tells why a machine is here, nor where it would go. The second is looked for only
    when it is asked for, each machine by itself: it costs as much as starting one.
    """

    template = "portal/infrastructure/placed.html"
    tab = "machines"
    title = gettext_lazy("Placed here")

    @property
    def can_ask(self) -> bool:
        return self.visit.who.is_root

    @property
    def is_asked(self) -> bool:
        return self.can_ask and self.page.given("elsewhere") == "1"

    @cached_property
    def found(self) -> Any:
        size = ASKED if self.is_asked else HERE
        return MACHINE.rows(self.visit, hostid=self.page.key, page=1, pagesize=size, details="min")

    @cached_property
    def table(self) -> Table:
        assert self.whole is not None  # noqa: S101
        keys = [row["id"] for row in self.found.rows]
        told = ports.watch.one().placements(self.visit.who, MACHINE.label, keys)
        others = ports.elsewhere.one()(keys) if self.is_asked else {}
        for row in self.found.rows:
            row["why"] = short_reason(told.get(row["id"], {}), self.page.row["id"])
            row["elsewhere"] = others.get(row["id"])
        columns = [*self.whole.chosen(self.page)[:-1], *((WHY,) if self.can_ask else ())]
        columns += (ELSEWHERE,) if self.is_asked else ()
        return Maker(self.visit, MACHINE, columns, caption=self.title, menus=False, tight=True).table(self.found.rows)

    @property
    def said(self) -> str:
        count, shown = self.found.count, len(self.found.rows)
        return _("%(shown)s of %(all)s shown") % {"shown": shown, "all": looks.number(count)} if count > shown else ""


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
        return [*capacity.uses(rows, marks), *self.local]

    @property
    def local(self) -> list[dict[str, Any]]:
        """Of pools that only this host reaches: their disks go with it."""
        if not self.visit.may(POOL.listing):
            return []
        pools = POOL.rows(self.visit, hostid=self.row["id"], scope="HOST", page=1, pagesize=POOLS).rows
        used, total = (sum(number(pool.get(name)) for pool in pools) for name in ("disksizeallocated", "capacitybytes"))
        return capacity.uses([{"type": capacity.LOCAL, "capacityused": used, "capacitytotal": total}])


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
        return [
            Step(status="todo", text=_("Nothing new is placed here")),
            *self._machines(),
            *self._system(),
            Step(status="todo", text=_("The host is in maintenance")),
        ]

    def _machines(self) -> Iterator[Step]:
        """Nobody moves machines of users: it is refused while they run here."""
        count = self._count(MACHINE, details="min")
        if not count:
            yield Step(status="todo", text=_("No machine of a user has to be stopped"))
            return
        text = ngettext("%(n)s has to be stopped first", "%(n)s have to be stopped first", count)
        detail = _("Until then maintenance is refused. Started again, they go to other hosts.")
        yield Step(status="todo", text=text % {"n": MACHINE.counted(count)}, detail=detail)

    def _system(self) -> Iterator[Step]:
        for kind in (SYSTEM_MACHINE, ROUTER):
            if count := self._count(kind):
                text = ngettext("%(n)s comes up on another host", "%(n)s come up on other hosts", count)
                yield Step(status="todo", text=text % {"n": kind.counted(count)})

    def _count(self, kind: Kind, **given: str) -> int:
        if not self.visit.may(kind.listing):
            return 0
        scope = kind.scope(self.visit) | kind.asked(self.visit)
        return Listed(self.visit, kind.listing, **scope, hostid=self.row["id"], **given).count()


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
        Tab(
            POOL,
            "hostid",
            ("name", "state", "scope", "type", "diskuse"),
            own={"diskuse": DISK_USE},
            label=gettext_lazy("Storage"),
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
        "Machines of users have to be stopped before: it is refused while one runs here. Machines of the system come "
        "up on other hosts. It can be cancelled."
    )
    kept = (
        gettext_lazy("Machines of the system, on other hosts"),
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
