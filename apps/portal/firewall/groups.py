"""Security groups: list, and a page that edits the rules of one.

The editor is written by hand: rules are rows of the group's own answer, and no list command tells of them.
"""

import ipaddress
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from django.core.signing import BadSignature
from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal import services
from apps.portal.compute.kinds import MACHINE
from apps.portal.events.tabs import events_of
from apps.portal.firewall.kinds import SECURITY_GROUP
from apps.portal.frame.detail import Card, DetailPage, FactsCard, Tab
from apps.portal.frame.forms import Form
from apps.portal.frame.listing import ListPage
from apps.portal.infrastructure.zones import ID, Changes
from apps.portal.models import Begun
from apps.portal.visits import Row

Text = str | Promise
MANY = 200
PATIENCE = 3.0  # seconds: a rule is a row, and is there in a moment
PROTOCOLS = ("tcp", "udp", "icmp", "all")


def let_in(group: Row) -> str:
    """What may come in, in a line."""
    return "; ".join(f"{_protocol(rule)} {_ports(rule)}: {_from(rule)}" for rule in group.get("ingressrule", []))


def _protocol(rule: Row) -> str:
    return str(rule.get("protocol", _("all")))


def _ports(rule: Row) -> str:
    if rule.get("protocol") == "icmp":
        return _("type %(type)s, code %(code)s") % {"type": rule.get("icmptype"), "code": rule.get("icmpcode")}
    if rule.get("startport") == rule.get("endport"):
        return str(rule.get("startport", _("all")))
    return f"{rule.get('startport')}–{rule.get('endport')}"


def _from(rule: Row) -> str:
    return str(rule.get("cidr") or f"{rule.get('account', '')}: {rule.get('securitygroupname', '')}")


class SecurityGroupList(ListPage):
    at = "security-groups"
    nav = "/security-groups"
    kind = SECURITY_GROUP
    columns = ("name", "description", "virtualmachinecount", "account")
    labels = {"virtualmachinecount": gettext_lazy("Machines"), "description": gettext_lazy("What it is for")}
    searching = gettext_lazy("Name")
    hint = gettext_lazy("A security group says what may reach its machines, in zones whose networks are shared.")


class Rules(Card):
    template = "portal/firewall/group_rules.html"
    title = gettext_lazy("May come in")
    way = "ingress"
    adding, removing = "authorizeSecurityGroupIngress", "revokeSecurityGroupIngress"
    nothing: Text = gettext_lazy("Nothing may come in.")

    @property
    def rules(self) -> list[dict[str, Any]]:
        return [self._said(rule) for rule in self.row.get(f"{self.way}rule", [])]

    def _said(self, rule: Row) -> dict[str, Any]:
        return {"id": rule["ruleid"], "protocol": _protocol(rule), "ports": _ports(rule), "who": _from(rule)}

    @property
    def can_edit(self) -> bool:
        return self.visit.may(self.adding)

    @property
    def typed(self) -> dict[str, str]:
        given = self.visit.request.POST
        return given.dict() if given.get("way") == self.way else {}

    @property
    def problems(self) -> list[Text]:
        return list(getattr(self.page, "problems", [])) if self.typed else []


class Out(Rules):
    title = gettext_lazy("May go out")
    way = "egress"
    adding, removing = "authorizeSecurityGroupEgress", "revokeSecurityGroupEgress"
    nothing = gettext_lazy("All may go out, until a rule says what may.")


class GroupFacts(FactsCard):
    title = gettext_lazy("Facts")
    facts = ("description", "account", "virtualmachinecount", ID)


class SecurityGroupPage(DetailPage):
    at = "security-groups/<uuid:key>"
    also_at = ("security-groups/<uuid:key>/<slug:tab>",)
    nav = "/security-groups"
    kind = SECURITY_GROUP
    main = (Rules, Out)
    side = (GroupFacts,)
    with_tags = True
    labels = {"virtualmachinecount": gettext_lazy("Machines"), "description": gettext_lazy("What it is for")}
    tabs = (
        Tab(MACHINE, "securitygroupid", ("name", "state", "ipaddress", "zonename")),
        events_of("SecurityGroup"),
    )

    def post(self) -> HttpResponse:
        given = self.visit.request.POST
        card = Out(self) if given.get("way") == "egress" else Rules(self)
        key = given.get("remove", "")
        self.problems = [] if key else list(check(given))
        if self.problems:
            return self.render(status=422, body="portal/parts/overview.html")
        try:
            sending = services.claim(self.visit.user, given.get("_token", ""))
        except services.SentBefore:
            self.visit.say("warn", _("This was sent before"), _("It was carried out once."))
            return self.go(self.address)
        except BadSignature:
            self.problems = [_("This page was too old. Nothing was sent: send it again.")]
            return self.render(status=422, body="portal/parts/overview.html")
        command = card.removing if key else card.adding
        account = str(self.row.get("account", ""))
        params = {"id": key} if key else {"securitygroupid": self.row["id"], **asked(given, account)}
        about = (self.kind.label, self.row["id"], self.title)
        begun = services.carry_out(self.visit, command, params, about=about)
        if begun.job:
            services.wait_for(self.visit, begun, PATIENCE)
        if begun.state in (Begun.State.REFUSED, Begun.State.FAILED):
            services.take_back(sending)
            self.problems = [begun.text]
            return self.render(status=422, body="portal/parts/overview.html")
        if begun.state == Begun.State.PENDING:
            return self.go(f"/jobs/{begun.job}?next={self.address}")
        return self.go(self.address)

    @cached_property
    def protocols(self) -> tuple[str, ...]:
        return PROTOCOLS

    @cached_property
    def groups(self) -> list[str]:
        """Whose machines a rule may name in place of addresses: those of the account that the group is of."""
        if not self.visit.may(self.kind.listing):
            return []
        whose = {name: self.row[name] for name in ("account", "domainid") if self.row.get(name)}
        return [row["name"] for row in self.kind.own(self.visit, **whose, page=1, pagesize=MANY).rows]


def asked(given: Any, account: str) -> dict[str, Any]:
    return {**_traffic(given), **_whom(given, account)}


def _traffic(given: Any) -> dict[str, str]:
    protocol = given.get("protocol", "")
    if protocol == "all":
        return {"protocol": protocol}
    if protocol == "icmp":
        kinds = {name: given.get(name, "").strip() or "-1" for name in ("icmptype", "icmpcode")}
        return {"protocol": protocol, **kinds}
    first, last = (given.get(name, "").strip() for name in ("startport", "endport"))
    return {"protocol": protocol, "startport": first, "endport": last or first}


def _whom(given: Any, account: str) -> dict[str, Any]:
    if group := given.get("group", ""):
        return {"usersecuritygrouplist": [{"account": account, "group": group}]}
    return {"cidrlist": given.get("cidrlist", "").replace(" ", "") or "0.0.0.0/0"}


def check(given: Any) -> Iterator[Text]:
    """What can be seen before anything is sent."""
    if given.get("protocol") not in PROTOCOLS:
        yield _("Choose a protocol")
    if given.get("protocol") in ("tcp", "udp"):
        ports = [given.get(name, "").strip() for name in ("startport", "endport")]
        if not ports[0]:
            yield _("A port is needed, from 1 to 65535")
        for text in filter(None, ports):
            if not text.isdecimal() or not 1 <= int(text) <= 65535:
                yield _("%(port)s is no port: 1 to 65535") % {"port": text}
        if all(text.isdecimal() for text in ports) and int(ports[0]) > int(ports[1]):
            yield _("The last port is before the first")
    if given.get("group") and given.get("cidrlist", "").strip():
        yield _("Addresses or a security group, not both: a rule each")
    for text in filter(None, given.get("cidrlist", "").replace(" ", "").split(",")):
        try:
            ipaddress.ip_network(text)
        except ValueError:
            yield _("%(range)s is no range of addresses, like 192.0.2.0/24") % {"range": text}


class NewGroup(Form):
    command = "createSecurityGroup"
    first = ("name", "description")
    folded = ()
    labels = {"description": gettext_lazy("What it is for")}
    hints = {"description": ""}


class ChangeGroup(Changes):
    command = "updateSecurityGroup"
    first = ("name",)
    folded = ()


class RemoveGroup(Form):
    command = "deleteSecurityGroup"
    about = (SECURITY_GROUP.label, "id")
    danger = True
    folded = ()
    lost = (gettext_lazy("The group with its rules"),)

    @property
    def shown_first(self) -> list[str]:
        return []

    def went_to(self, begun: Any, answer: Any, back: str) -> str:
        return super().went_to(begun, answer, SECURITY_GROUP.url())
