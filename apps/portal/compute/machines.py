"""The list of machines, and the page of one."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import ports
from apps.portal import looks
from apps.portal.components import Copy, Link
from apps.portal.compute.console import CONSOLE
from apps.portal.compute.kinds import MACHINE, NIC
from apps.portal.compute.load import MachineLoad
from apps.portal.compute.reach import Way, ways
from apps.portal.compute.why import Reasons, reasons_of
from apps.portal.events.kinds import EVENT
from apps.portal.events.tabs import events_of
from apps.portal.events.words import phrase
from apps.portal.frame.detail import Card, DetailPage, FactsCard, RowsCard, Tab
from apps.portal.frame.listing import ListPage
from apps.portal.jobs.tab import JOBS
from apps.portal.network.looks import CARD, TYPE
from apps.portal.storage.kinds import VOLUME
from apps.portal.storage.looks import DEVICE, OFFERED, ROLE
from apps.portal.visits import Row

Text = str | Promise


class MachineList(ListPage):
    at = "machines"
    nav = "/machines"
    kind = MACHINE
    columns = ("name", "state", "ipaddress", "publicip", "cpunumber", "memory", "templatename", "zonename")
    filters = ("state", "zoneid", "templateid", "serviceofferingid", "networkid", "groupid", "keypair")
    bulk = ("startVirtualMachine", "stopVirtualMachine", "rebootVirtualMachine", "destroyVirtualMachine")
    creating = "/machines/new"
    labels = {"ipaddress": gettext_lazy("Internal")}
    searching = gettext_lazy("Name or address")
    hint = gettext_lazy(
        "A machine needs a template and a network; a network can be made with the first machine. The wizard has six "
        "steps and takes about a minute."
    )


class ReachCard(Card):
    """Written by hand: it puts together rules, addresses and names that no single command tells."""

    template = "portal/compute/reach.html"
    title = gettext_lazy("How do I reach it?")

    @cached_property
    def ways(self) -> list[Way]:
        return ways(self.visit, self.row)

    @property
    def is_open(self) -> bool:
        return any(way.url for way in self.ways)

    @property
    def can_forward(self) -> bool:
        isolated = any(nic.get("type") == "Isolated" for nic in self.row.get("nic", []))
        return isolated and self.visit.may("createPortForwardingRule")

    @property
    def forward_url(self) -> str:
        return f"/do/createPortForwardingRule?virtualmachineid={self.row['id']}&next=/machines/{self.row['id']}"

    @property
    def password_said(self) -> str:
        if not self.row.get("passwordenabled"):
            return _("No password was set: the template uses keys")
        return _("A password is told when it is set, and only then")


class VolumesCard(RowsCard):
    tab = "volumes"


def networks_of(row: Row) -> Any:
    links = [(Link(text=nic["networkname"], url=f"/networks/{nic['networkid']}").html(),) for nic in row.get("nic", [])]
    return format_html_join(", ", "{}", links) if links else ""


def security_of(row: Row) -> Any:
    found = row.get("securitygroup", [])
    links = [(Link(text=group["name"], url=f"/security-groups/{group['id']}").html(),) for group in found]
    return format_html_join(", ", "{}", links) if links else ""


SECURITY = (gettext_lazy("Security groups"), security_of)


def groups_of(row: Row) -> str:
    apart = [group["name"] for group in row.get("affinitygroup", [])]
    return "; ".join(filter(None, [row.get("group", ""), ", ".join(apart)]))


class MachineFacts(FactsCard):
    title = gettext_lazy("Facts")
    facts = (
        (gettext_lazy("Cores"), lambda row: looks.cores(row.get("cpunumber"), row.get("cpuspeed"))),
        "memory",
        "ipaddress",
        "publicip",
        (gettext_lazy("Network"), networks_of),
        SECURITY,
        "templatename",
        "isoname",
        "keypairs",
        (gettext_lazy("Groups"), groups_of),
        "hostname",
        "created",
        (gettext_lazy("Id"), lambda row: Copy(text=row["id"], what=_("the id")).html()),
    )

    def _fact(self, each: Any) -> Any:
        """An ISO and security groups are facts only where there are any."""
        absent = (each == "isoname" and not self.row.get("isoname")) or (each is SECURITY and not security_of(self.row))
        return None if absent else super()._fact(each)


class Protection(FactsCard):
    title = gettext_lazy("Protection")
    facts = (
        (
            gettext_lazy("Restart"),
            lambda row: (
                _("on another host if its host fails") if row.get("haenable") else _("by hand, if its host fails")
            ),
        ),
        (gettext_lazy("Deletion"), lambda row: _("protected") if row.get("deleteprotection") else _("not protected")),
    )


class WhyHere(Card):
    """Written by hand: no command tells how a place was chosen; for administrators only."""

    template = "portal/compute/why.html"
    title = gettext_lazy("Why is it here?")

    @cached_property
    def reasons(self) -> Reasons | None:
        told = ports.watch.one().placement(self.visit.who, self.page.kind.label, self.row["id"])
        return reasons_of(told) if told else None

    @property
    def is_shown(self) -> bool:
        return self.reasons is not None


class LastEvents(Card):
    template = "portal/parts/events_card.html"
    title = gettext_lazy("Last events")

    @property
    def is_shown(self) -> bool:
        return self.visit.may(EVENT.listing)

    @cached_property
    def events(self) -> list[Row]:
        about = {"resourceid": self.row["id"], "resourcetype": "VirtualMachine", "state": "Completed"}
        rows = EVENT.rows(self.visit, page=1, pagesize=6, **about).rows
        return [row | {"said": phrase(row)} for row in rows]

    @property
    def url(self) -> str:
        return f"{self.page.kind.url(self.page.key)}/events"


EVENTS = events_of("VirtualMachine")


class MachinePage(DetailPage):
    at = "machines/<uuid:key>"
    also_at = ("machines/<uuid:key>/<slug:tab>",)
    nav = "/machines"
    kind = MACHINE
    primary = {
        "Running": "createConsoleEndpoint",
        "Stopped": "startVirtualMachine",
        "Destroyed": "recoverVirtualMachine",
    }
    buttons = ("startVirtualMachine", "stopVirtualMachine", "rebootVirtualMachine")
    main = (ReachCard, MachineLoad, VolumesCard)
    side = (MachineFacts, WhyHere, Protection, LastEvents)
    with_tags = True
    labels = {"ipaddress": gettext_lazy("Internal"), "publicip": gettext_lazy("Public")}
    tabs = (
        Tab(
            VOLUME,
            "virtualmachineid",
            ("name", "state", "type", "deviceid", "size", "diskofferingname"),
            looks={"type": ROLE},
            own={"diskofferingname": OFFERED, "deviceid": DEVICE},
            creating=("createVolume",),
            counted=True,
        ),
        Tab(
            NIC,
            "virtualmachineid",
            ("networkname", "ipaddress", "macaddress", "gateway", "type"),
            slug="network",
            label=gettext_lazy("Network"),
            looks={"type": TYPE},
            own={"networkname": CARD},
            creating=("addNicToVirtualMachine",),
            counted=True,
        ),
        EVENTS,
        JOBS,
        CONSOLE,
    )

    @property
    def is_busy(self) -> bool:
        """What comes by itself must not take an open screen away: that ends by itself when the machine stops."""
        return super().is_busy and not (self.tab is CONSOLE and self.state == "Running")

    @property
    def sub(self) -> Text:
        row = self.row
        parts: Sequence[Any] = (
            row.get("serviceofferingname"),
            row.get("templatename") or row.get("isoname"),
            row.get("zonename"),
            row.get("project") or row.get("account"),
        )
        return format_html_join(" · ", "{}", [(part,) for part in parts if part])
