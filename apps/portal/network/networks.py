"""Networks: list and page, with a picture, their machines and addresses."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal.components import Copy
from apps.portal.compute.kinds import MACHINE
from apps.portal.events.tabs import events_of
from apps.portal.frame.detail import Card, DetailPage, FactsCard, Tab
from apps.portal.frame.fields import Option
from apps.portal.frame.forms import Form
from apps.portal.frame.listing import ListPage
from apps.portal.network.kinds import ADDRESS, NETWORK
from apps.portal.network.looks import TYPE, TYPES
from apps.portal.network.picture import Picture, picture
from apps.portal.visits import Row

Text = str | Promise
DRAWN = 60


class NetworkList(ListPage):
    at = "networks"
    nav = "/networks"
    kind = NETWORK
    columns = ("name", "state", "type", "cidr", "zonename", "networkofferingname", "account")
    filters = ("type", "zoneid", "networkofferingid")
    dressing = {"type": TYPE}
    searching = gettext_lazy("Name")
    hint = gettext_lazy("A network connects machines; an isolated one has a router of its own to the internet.")


class PictureCard(Card):
    """Written by hand: no table shows at a glance how traffic goes."""

    template = "portal/network/picture.html"
    title = gettext_lazy("Picture")

    @cached_property
    def machines(self) -> list[Row]:
        if not self.visit.may(MACHINE.listing):
            return []
        return list(MACHINE.rows(self.visit, networkid=self.row["id"], details="nics", page=1, pagesize=DRAWN).rows)

    @cached_property
    def addresses(self) -> list[Row]:
        if not self.visit.may(ADDRESS.listing):
            return []
        return list(ADDRESS.rows(self.visit, associatednetworkid=self.row["id"], page=1, pagesize=20).rows)

    @property
    def ports(self) -> list[str]:
        if not self.visit.may("listPortForwardingRules"):
            return []
        given = {"networkid": self.row["id"], "listall": "true", "page": 1, "pagesize": 100}
        return [str(rule["publicport"]) for rule in self.visit.list("listPortForwardingRules", **given).rows]

    @property
    def picture(self) -> Picture:
        return picture(self.row, self.machines, self.addresses, self.ports)

    @property
    def rules_url(self) -> str:
        return f"{NETWORK.url(self.row['id'])}/rules"


class NetworkFacts(FactsCard):
    title = gettext_lazy("Facts")
    facts = (
        "cidr",
        "gateway",
        "networkdomain",
        "dns1",
        (
            gettext_lazy("Out"),
            lambda row: _("allowed") if row.get("egressdefaultpolicy") else _("only what rules allow"),
        ),
        "zonename",
        "networkofferingname",
        "account",
        "created",
        (gettext_lazy("Id"), lambda row: Copy(text=row["id"], what=_("the id")).html()),
    )


class RulesTab(Tab):
    """A page of its own: it has forms."""

    def is_there(self, visit: Any) -> bool:
        return bool(visit.may("listPortForwardingRules") or visit.may("listFirewallRules"))


class NetworkPage(DetailPage):
    at = "networks/<uuid:key>"
    also_at = ("networks/<uuid:key>/<slug:tab>",)
    nav = "/networks"
    kind = NETWORK
    buttons = ("restartNetwork", "associateIpAddress")
    main = (PictureCard,)
    side = (NetworkFacts,)
    with_tags = True
    tabs = (
        RulesTab(ADDRESS, "associatednetworkid", (), slug="rules", label=gettext_lazy("Rules")),
        Tab(
            ADDRESS,
            "associatednetworkid",
            ("ipaddress", "state", "issourcenat", "isstaticnat", "virtualmachinedisplayname", "allocated"),
            label=gettext_lazy("Addresses"),
            labels={"virtualmachinedisplayname": gettext_lazy("Leads to")},
            creating=("associateIpAddress",),
            counted=True,
        ),
        Tab(
            MACHINE,
            "networkid",
            ("name", "state", "ipaddress", "publicip", "templatename"),
            labels={"ipaddress": gettext_lazy("Internal")},
            counted=True,
        ),
        events_of("Network"),
    )

    @property
    def lead(self) -> tuple[Text, str, str] | None:
        isolated = self.row.get("type") == "Isolated"
        if not isolated or not self.visit.may("createPortForwardingRule"):
            return None
        return _("Add rule"), "plus", f"{self.kind.url(self.key)}/rules"

    @property
    def sub(self) -> Text:
        row = self.row
        kind = str(TYPES.get(row.get("type", ""), row.get("type", "")))
        parts: Sequence[Any] = (
            _("%(kind)s network") % {"kind": kind.capitalize()},
            format_html('<span class="mono">{}</span>', row["cidr"]) if row.get("cidr") else "",
            row.get("zonename"),
            row.get("networkofferingname"),
        )
        return format_html_join(" · ", "{}", [(part,) for part in parts if part])


class Create(Form):
    command = "createNetwork"
    first = ("name", "zoneid", "networkofferingid", "displaytext")
    folded = ("gateway", "netmask", "networkdomain", "dns1", "dns2")
    hints = {"name": "", "zoneid": "", "networkofferingid": gettext_lazy("What its router does"), "displaytext": ""}
    note = gettext_lazy("It costs nothing until the first machine is in it; then its router is made.")

    def narrow(self, name: str) -> dict[str, Any]:
        """Tenants make isolated networks; shared ones are the operator's."""
        return (
            {}
            if name != "networkofferingid" or self.visit.who.is_root
            else {"guestiptype": "Isolated", "forvpc": "false"}
        )


class Delete(Form):
    command = "deleteNetwork"
    danger = True
    types_name = True
    folded = ()
    kept = (gettext_lazy("Machines are never deleted with it: it is refused while one is in it"),)

    @property
    def lost(self) -> Sequence[Text]:  # type: ignore[override]
        found = [_("The range %(cidr)s and its router") % {"cidr": self.row.get("cidr", "")}]
        if self.visit.may(ADDRESS.listing):
            rows = ADDRESS.rows(self.visit, associatednetworkid=self.row["id"], page=1, pagesize=20).rows
            found += [_("Public address %(address)s and its rules") % {"address": row["ipaddress"]} for row in rows]
        return found

    def went_to(self, begun: Any, answer: Any, back: str) -> str:
        return super().went_to(begun, answer, NETWORK.url())


class Restart(Form):
    command = "restartNetwork"
    first = ("cleanup",)
    folded = ()
    labels = {"cleanup": gettext_lazy("Make its router anew")}
    hints = {"cleanup": gettext_lazy("Its machines are without a way out for some seconds")}
    note = gettext_lazy("Its router is told all rules once more.")


class Update(Form):
    command = "updateNetwork"
    first = ("name", "displaytext", "networkdomain", "dns1", "dns2")
    folded = ()

    def initial(self) -> dict[str, Any]:
        return {name: self.row.get(name, "") for name in self.first}


class TakeAddress(Form):
    command = "associateIpAddress"
    about = (NETWORK.label, "networkid")
    is_loose = True
    first = ("networkid", "zoneid", "ipaddress")
    folded = ()
    hints = {
        "networkid": gettext_lazy("The network that it leads to"),
        "zoneid": gettext_lazy("Where no network is chosen"),
        "ipaddress": gettext_lazy("Any free one if you leave this empty"),
    }

    @cached_property
    def subject(self) -> Any:
        """From the page of a network; in the form alone it is a choice."""
        given = self.visit.request.GET.get("networkid") or self.visit.request.POST.get("_of")
        return self.place if given else None

    def more_hidden(self) -> dict[str, str]:
        return {"_of": "network"} if self.subject else {}

    @cached_property
    def shown_first(self) -> list[str]:
        return [n for n in self.first if n in self.declared and not (n == "zoneid" and self.subject)]

    def narrow(self, name: str) -> dict[str, Any]:
        return {"type": "Isolated"} if name == "networkid" else {}


class Forward(Form):
    """From the page of a machine; on that of a network there is an editor."""

    command = "createPortForwardingRule"
    about = (MACHINE.label, "virtualmachineid")
    is_loose = True
    first = ("ipaddressid", "protocol", "publicport", "privateport", "cidrlist")
    folded = ("publicendport", "privateendport", "openfirewall")
    labels = {"openfirewall": gettext_lazy("Open the firewall for it")}
    hints = {
        "openfirewall": "",
        "protocol": "",
    }

    @property
    def verb(self) -> str:
        return _("Forward a port")

    @property
    def title(self) -> str:
        return _("Forward a port to %(name)s") % {"name": self.row_title} if self.subject else self.verb

    def options(self, name: str) -> list[Option] | None:
        if name == "protocol":
            chosen = self.value(name) or "tcp"
            return [Option(value, value.upper(), value == chosen) for value in ("tcp", "udp")]
        if name == "ipaddressid" and self.subject:
            found: list[Option] = []
            for nic in self.row.get("nic", []):
                rows = ADDRESS.rows(self.visit, associatednetworkid=nic["networkid"], page=1, pagesize=100).rows
                found += [
                    Option(r["id"], r["ipaddress"], r["id"] == self.value(name)) for r in rows if not r["isstaticnat"]
                ]
            return found
        return super().options(name)

    def value(self, name: str) -> Any:
        found = super().value(name)
        return ",".join(found) if isinstance(found, list) and name == "cidrlist" else found

    @property
    def home(self) -> str:
        return MACHINE.url(str(self.given.get("virtualmachineid", "")))


class EditForward(Form):
    command = "updatePortForwardingRule"
    about = ("firewall.Rule/forwarding", "id")
    first = ("virtualmachineid", "privateport", "privateendport", "cidrlist")
    folded = ()

    @property
    def verb(self) -> str:
        return _("Edit the port forward %(port)s") % {"port": self.row.get("publicport", "")}

    @property
    def title(self) -> str:
        return self.verb

    @property
    def button(self) -> str:
        return _("Change")

    def initial(self) -> dict[str, Any]:
        return {name: self.row.get(name, "") for name in self.first}

    def narrow(self, name: str) -> dict[str, Any]:
        return {"networkid": self.row["networkid"]} if name == "virtualmachineid" else {}

    @property
    def home(self) -> str:
        return f"/networks/{self.row['networkid']}/rules" if self.row else "/networks"

    def value(self, name: str) -> Any:
        found = super().value(name)
        return ",".join(found) if isinstance(found, list) and name == "cidrlist" else found


class Map(Form):
    command = "enableStaticNat"
    first = ("virtualmachineid",)
    folded = ()
    note = gettext_lazy("All traffic to the address goes to this machine, as far as the firewall lets it in.")

    def narrow(self, name: str) -> dict[str, Any]:
        network = self.row.get("associatednetworkid")
        return {"networkid": network} if name == "virtualmachineid" and network else {}


class GiveBack(Form):
    command = "disassociateIpAddress"
    about = (ADDRESS.label, "id")
    danger = True
    folded = ()
    lost = (gettext_lazy("The address itself: another account may get it"), gettext_lazy("Its rules"))


class AddressList(ListPage):
    at = "addresses"
    nav = "/addresses"
    kind = ADDRESS
    columns = (
        "ipaddress",
        "state",
        "associatednetworkname",
        "virtualmachinedisplayname",
        "issourcenat",
        "isstaticnat",
        "zonename",
        "allocated",
    )
    filters = ("zoneid", "associatednetworkid", "issourcenat", "isstaticnat")
    labels = {"virtualmachinedisplayname": gettext_lazy("Leads to")}
    searching = gettext_lazy("Address")
    hint = gettext_lazy("A public address lets the internet in. An isolated network gets one with its first machine.")
