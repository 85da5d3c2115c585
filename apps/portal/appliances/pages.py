"""System machines and virtual routers: lists, pages and forms."""

from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy

from apps.portal.appliances.kinds import ROUTER, SYSTEM_MACHINE
from apps.portal.components import Link
from apps.portal.events.tabs import events_of
from apps.portal.frame.columns import Look
from apps.portal.frame.detail import DetailPage, FactsCard
from apps.portal.frame.forms import Form
from apps.portal.frame.listing import ListPage
from apps.portal.infrastructure.kinds import HOST
from apps.portal.infrastructure.zones import ID
from apps.portal.visits import Row

Text = str | Promise
TASKS = {
    "secondarystoragevm": gettext_lazy("secondary storage"),
    "consoleproxy": gettext_lazy("consoles"),
}
TASK = Look(lambda value: str(TASKS.get(value, value)))


def host_of(row: Row) -> Any:
    return Link(text=row["hostname"], url=HOST.url(row["hostid"])).html() if row.get("hostid") else ""


class SystemMachineList(ListPage):
    at = "system-machines"
    nav = "/system-machines"
    kind = SYSTEM_MACHINE
    columns = ("name", "state", "systemvmtype", "publicip", "privateip", "hostname", "zonename")
    filters = ("state", "systemvmtype", "zoneid", "hostid")
    bulk = ("startSystemVm", "stopSystemVm", "rebootSystemVm")
    dressing = {"systemvmtype": TASK}
    searching = gettext_lazy("Name")
    hint = gettext_lazy("A zone gets its system machines by itself, once it is enabled and has hosts and storage.")


class SystemMachineFacts(FactsCard):
    title = gettext_lazy("Facts")
    facts = (
        (gettext_lazy("Task"), lambda row: TASK.cell(row.get("systemvmtype"))),
        (gettext_lazy("Host"), host_of),
        "zonename",
        "podname",
        "publicip",
        "privateip",
        "linklocalip",
        "gateway",
        "agentstate",
        "version",
        "templatename",
        "serviceofferingname",
        "created",
        ID,
    )


class SystemMachinePage(DetailPage):
    at = "system-machines/<uuid:key>"
    also_at = ("system-machines/<uuid:key>/<slug:tab>",)
    nav = "/system-machines"
    kind = SYSTEM_MACHINE
    primary = {"Stopped": "startSystemVm"}
    buttons = ("stopSystemVm", "rebootSystemVm")
    main = (SystemMachineFacts,)
    tabs = (events_of("SystemVm"),)

    @property
    def sub(self) -> Text:
        parts = (TASK.cell(self.row.get("systemvmtype")), self.row.get("zonename"))
        return format_html_join(" · ", "{}", [(part,) for part in parts if part])


class DestroySystemMachine(Form):
    command = "destroySystemVm"
    danger = True
    folded = ()
    lost = (gettext_lazy("The machine; the zone makes another one in its place"),)


class RouterList(ListPage):
    at = "routers"
    nav = "/routers"
    kind = ROUTER
    columns = ("name", "state", "guestnetworkname", "account", "guestipaddress", "publicip", "hostname", "zonename")
    filters = ("state", "zoneid", "networkid", "hostid", "clusterid")
    bulk = ("startRouter", "stopRouter", "rebootRouter")
    searching = gettext_lazy("Name")
    hint = gettext_lazy("A network gets its router with its first machine.")


class RouterFacts(FactsCard):
    title = gettext_lazy("Facts")
    facts = (
        "guestnetworkname",
        "account",
        (gettext_lazy("Host"), host_of),
        "zonename",
        "podname",
        "guestipaddress",
        "publicip",
        "linklocalip",
        "networkdomain",
        "role",
        "isredundantrouter",
        "version",
        "requiresupgrade",
        "serviceofferingname",
        "created",
        ID,
    )


class RouterPage(DetailPage):
    at = "routers/<uuid:key>"
    also_at = ("routers/<uuid:key>/<slug:tab>",)
    nav = "/routers"
    kind = ROUTER
    primary = {"Stopped": "startRouter"}
    buttons = ("stopRouter", "rebootRouter")
    main = (RouterFacts,)
    tabs = (events_of("DomainRouter"),)

    @property
    def sub(self) -> Text:
        parts = (self.row.get("guestnetworkname"), self.row.get("account"), self.row.get("zonename"))
        return format_html_join(" · ", "{}", [(part,) for part in parts if part])


class DestroyRouter(Form):
    command = "destroyRouter"
    danger = True
    folded = ()
    lost = (gettext_lazy("The router; its network is without a way out until it is restarted"),)
