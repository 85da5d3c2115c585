"""Editors of port forwards and firewalls: what is typed is looked at before anything is sent."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.portal.compute.kinds import MACHINE
from apps.portal.frame.columns import MONO, STATE, TEXT, Column, Look
from apps.portal.frame.tables import Maker, Table
from apps.portal.kinds import Kind
from apps.portal.network.kinds import EGRESS, FIREWALL, FORWARDING
from apps.portal.visits import Row
from apps.portal.words import label

if TYPE_CHECKING:
    from apps.portal.network.rules import Rules

Text = str | Promise
MANY = 500
PORTS = 65_535
EVERYBODY = "0.0.0.0/0"


@dataclass
class Problem:
    """Of one field; ``instead`` are values that would do."""

    name: str
    text: Text
    instead: list[str] = field(default_factory=list)


@dataclass
class Typed:
    """A rule as it was typed."""

    given: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)

    def text(self, name: str) -> str:
        return self.given.get(name, "").strip()

    def wrong(self, name: str, text: Text, *instead: str) -> None:
        self.problems.append(Problem(name, text, list(instead)))

    def port_range(self, name: str) -> tuple[int, int] | None:
        """`443` or `8000-8010`; None where it is none, and then a problem says so."""
        first, dash, last = self.text(name).replace("–", "-").partition("-")
        numbers = [first.strip(), (last if dash else first).strip()]
        if not all(n.isascii() and n.isdecimal() and len(n) < 7 for n in numbers):
            self.wrong(
                name, _("%(text)s is no port: 443, or a range like 8000-8010") % {"text": self.text(name) or "–"}
            )
            return None
        begin, end = int(numbers[0]), int(numbers[1])
        if not 1 <= begin <= end <= PORTS:
            self.wrong(name, _("Ports go from 1 to 65535, the smaller one first"))
            return None
        return begin, end

    def networks(self, name: str) -> str:
        """A list of CIDRs as it is sent; addresses that begin no range are named with what may be meant."""
        pieces = [piece.strip() for piece in self.text(name).split(",") if piece.strip()]
        for piece in pieces:
            self._network(name, piece)
        return ",".join(pieces)

    def _network(self, name: str, piece: str) -> None:
        try:
            ipaddress.ip_network(piece)
        except ValueError:
            try:
                loose = ipaddress.ip_interface(piece)
            except ValueError:
                self.wrong(name, _("%(text)s is no range: 198.51.100.0/24, or one address") % {"text": piece})
                return
            one = f"{loose.ip}/{loose.ip.max_prefixlen}"
            self.wrong(name, _("%(text)s is not the beginning of a range.") % {"text": piece}, str(loose.network), one)


class Editor:
    """A table of rules with a line to add one."""

    kind: Kind
    creating: str
    names: tuple[str, ...]  # of the fields, in the order of the columns
    at: str
    service: str  # of the network, that does it
    line: str  # the template of the line to add one

    def __init__(self, page: "Rules"):
        self.page, self.visit, self.network = page, page.visit, page.network
        self.typed = Typed({})

    @property
    def is_there(self) -> bool:
        """Where the network has a router that does it."""
        offered = {each["name"] for each in self.network.get("service", [])}
        return self.service in offered and self.visit.may(self.kind.listing)

    @property
    def can_add(self) -> bool:
        return self.visit.may(self.creating) and not self.why_not

    @property
    def why_not(self) -> Text:
        return ""

    @cached_property
    def rows(self) -> list[Row]:
        return list(self.kind.rows(self.visit, networkid=self.network["id"], page=1, pagesize=MANY).rows)

    @property
    def table(self) -> Table:
        maker = Maker(self.visit, self.kind, self.columns, caption=self.kind.many, here=self.page.address)
        maker.form = f"rows-{self.at}"
        return maker.table(self.rows)

    @property
    def columns(self) -> list[Column]:
        raise NotImplementedError

    @property
    def title(self) -> Text:
        return self.kind.many

    def value(self, name: str) -> str:
        return self.typed.given.get(name, "")

    def problem(self, name: str) -> bool:
        return any(problem.name == name for problem in self.typed.problems)

    @property
    def values(self) -> dict[str, tuple[str, bool]]:
        """Of the fields: what was typed, and whether it is wrong."""
        return {name: (self.value(name), self.problem(name)) for name in self.names}

    def read(self, given: Mapping[str, str]) -> dict[str, Any]:
        """The parameters; what is wrong stands in ``typed.problems``."""
        self.typed = Typed(given)
        return {k: v for k, v in self.params().items() if v not in ("", None)}

    def params(self) -> dict[str, Any]:
        raise NotImplementedError

    def instead(self) -> list[tuple[Problem, list[tuple[str, str]]]]:
        """Each problem with links to the same form with what may have been meant."""
        found = []
        for problem in self.typed.problems:
            others = {n: self.value(n) for n in self.names if self.value(n) and n != problem.name} | {"add": self.at}
            links = [(v, f"{self.page.address}?{urlencode({**others, problem.name: v})}") for v in problem.instead]
            found.append((problem, links))
        return found

    def _overlaps(self, name: str, first: int, last: int, rows: list[Row], begin: str, end: str) -> None:
        for row in rows:
            if row.get("state") == "Revoke" or row.get(begin) is None:
                continue
            low, high = int(row[begin]), int(row.get(end) or row[begin])
            if first <= high and last >= low:
                where = row.get("virtualmachinedisplayname") or row.get("ipaddress", "")
                values = {"first": low if low == high else f"{low}–{high}", "where": where}
                self.typed.wrong(
                    name, _("Port %(first)s already leads to %(where)s. Use another one, or edit that rule.") % values
                )
                return


def _range(row: Row, begin: str, end: str) -> str:
    low, high = row.get(begin), row.get(end)
    if low is None:
        return ""
    return str(low) if high in (None, low) else f"{low}–{high}"


@dataclass(frozen=True)
class Span(Column):
    """First and last port in one column."""

    end: str = ""

    def value(self, row: Row) -> Any:
        return _range(row, self.name, self.end)


@dataclass(frozen=True)
class OpenTo(Column):
    def value(self, row: Row) -> Any:
        return row.get(self.name) or EVERYBODY


class Forwards(Editor):
    service = "PortForwarding"
    kind, creating, at = FORWARDING, "createPortForwardingRule", "forward"
    line = "portal/network/line_forward.html"
    names = ("ipaddressid", "protocol", "publicport", "virtualmachineid", "privateport", "cidrlist")

    @property
    def why_not(self) -> Text:
        if not self.addresses:
            return _("It has no public address yet: it gets one with its first machine, or take one.")
        return "" if self.machines else _("There is no machine in it yet.")

    @property
    def columns(self) -> list[Column]:
        return [
            Column("ipaddress", _("Public address"), MONO),
            Column("protocol", label("protocol"), Look(lambda value: str(value).upper())),
            Span("publicport", _("Public port"), MONO, end="publicendport"),
            Column("virtualmachinedisplayname", _("To"), TEXT, to=MACHINE.label, key="virtualmachineid"),
            Span("privateport", _("Port"), MONO, end="privateendport"),
            OpenTo("cidrlist", _("Open to"), MONO),
            Column("state", label("state"), STATE),
        ]

    @cached_property
    def addresses(self) -> list[Row]:
        return [row for row in self.page.addresses if not row.get("isstaticnat")]

    @property
    def machines(self) -> list[Row]:
        return self.page.machines

    def params(self) -> dict[str, Any]:
        typed, text = self.typed, self.typed.text
        outer, inner = typed.port_range("publicport"), typed.port_range("privateport")
        if outer and inner and outer[1] - outer[0] != inner[1] - inner[0]:
            typed.wrong("privateport", _("Both ranges must have the same length"))
        if outer:
            same = [
                r for r in self.rows if r["ipaddressid"] == text("ipaddressid") and r["protocol"] == text("protocol")
            ]
            self._overlaps("publicport", *outer, same, "publicport", "publicendport")
        found = {n: text(n) for n in ("ipaddressid", "protocol", "virtualmachineid")}
        for name in ("ipaddressid", "virtualmachineid"):
            if not text(name):
                typed.wrong(name, _("%(name)s is needed") % {"name": label(name)})
        found |= dict(zip(("publicport", "publicendport"), map(str, outer or ()), strict=False))
        found |= dict(zip(("privateport", "privateendport"), map(str, inner or ()), strict=False))
        return found | {"cidrlist": typed.networks("cidrlist")}


class Traffic(Editor):
    """What firewall rules of both directions have in common."""

    service = "Firewall"

    def traffic(self) -> dict[str, Any]:
        typed, protocol = self.typed, self.typed.text("protocol")
        found: dict[str, Any] = {"protocol": protocol}
        if protocol in ("tcp", "udp"):
            if ports := typed.port_range("startport"):
                found |= {"startport": str(ports[0]), "endport": str(ports[1])}
        elif protocol == "icmp":
            found |= {"icmptype": "-1", "icmpcode": "-1"}
        return found


class Holes(Traffic):
    kind, creating, at = FIREWALL, "createFirewallRule", "hole"
    line = "portal/network/line_hole.html"
    names = ("ipaddressid", "protocol", "startport", "cidrlist")

    @property
    def why_not(self) -> Text:
        return "" if self.addresses else _("It has no public address yet.")

    @property
    def addresses(self) -> list[Row]:
        return self.page.addresses

    @property
    def columns(self) -> list[Column]:
        return [
            Column("ipaddress", _("Public address"), MONO),
            Column("protocol", label("protocol"), Look(lambda value: str(value).upper())),
            Span("startport", _("Ports"), MONO, end="endport"),
            OpenTo("cidrlist", _("Open to"), MONO),
            Column("state", label("state"), STATE),
        ]

    def params(self) -> dict[str, Any]:
        if not self.typed.text("ipaddressid"):
            self.typed.wrong("ipaddressid", _("%(name)s is needed") % {"name": label("ipaddressid")})
        found = self.traffic() | {"ipaddressid": self.typed.text("ipaddressid")}
        return found | {"cidrlist": self.typed.networks("cidrlist")}


class WaysOut(Traffic):
    kind, creating, at = EGRESS, "createEgressFirewallRule", "out"
    line = "portal/network/line_out.html"
    names = ("protocol", "startport", "cidrlist", "destcidrlist")

    @property
    def columns(self) -> list[Column]:
        return [
            Column("protocol", label("protocol"), Look(lambda value: str(value).upper())),
            Span("startport", _("Ports"), MONO, end="endport"),
            OpenTo("cidrlist", _("From"), MONO),
            OpenTo("destcidrlist", _("Goes to"), MONO),
            Column("state", label("state"), STATE),
        ]

    @property
    def default(self) -> Text:
        if self.network.get("egressdefaultpolicy"):
            return _("All may go out; these rules forbid.")
        return _("Nothing may go out but what these rules allow.")

    def params(self) -> dict[str, Any]:
        typed = self.typed
        found = self.traffic() | {"networkid": self.network["id"], "cidrlist": typed.networks("cidrlist")}
        return found | {"destcidrlist": typed.networks("destcidrlist")}


EDITORS: tuple[type[Editor], ...] = (Forwards, Holes, WaysOut)
