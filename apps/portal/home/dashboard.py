"""The dashboard of a tenant: four figures, what runs now, what needs a look, the own machines; limits, events beside.

Written by hand: it answers what one wants to know first, out of many lists.
"""

from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.portal import looks
from apps.portal.components import Link
from apps.portal.compute.kinds import MACHINE
from apps.portal.events.kinds import EVENT
from apps.portal.events.words import phrase
from apps.portal.frame.pages import Page
from apps.portal.home.operations import Operations
from apps.portal.jobs.panel import Group, groups
from apps.portal.limits.limits import uses
from apps.portal.models import Begun
from apps.portal.network.kinds import ADDRESS
from apps.portal.visits import Row

Text = str | Promise
SHOWN = ("vm", "cpu", "memory", "volume", "primarystorage", "ip", "network")
COUNTED = ("Running", "Stopped", "Starting", "Error")
MINE = 7


class Dashboard(Page):
    at = ""
    nav = "/"
    template = "portal/home/dashboard.html"

    def get(self) -> HttpResponse:
        """Operators begin with what they operate."""
        if self.visit.who.is_root and self.visit.may("listCapacity", "listZones", "listHosts"):
            return Operations(self.visit).get()
        return super().get()

    @property
    def title(self) -> str:
        return str(self.visit.who.account.name)

    @property
    def can_launch(self) -> bool:
        return self.visit.may("deployVirtualMachine")

    @property
    def figures(self) -> list[dict[str, Any]]:
        return [figure for figure in (self.machines, self.volumes, self.addresses, self.ports) if figure]

    @cached_property
    def states(self) -> list[tuple[str, int]]:
        """One count for each state that matters: a list of one row says how many there are."""
        if not self.visit.may(MACHINE.listing):
            return []
        asked = {"details": "min", "page": 1, "pagesize": 1}
        return [(state, MACHINE.rows(self.visit, state=state, **asked).count) for state in COUNTED]

    @property
    def machines(self) -> dict[str, Any]:
        if not self.visit.may(MACHINE.listing):
            return {}
        count = self.mine_count
        shown = [(state, looks.number(n)) for state, n in self.states if n]
        return {"label": _("Machines"), "value": looks.number(count), "states": shown, "url": "/machines"}

    @property
    def volumes(self) -> dict[str, Any]:
        account = self.visit.account
        if "volumetotal" not in account:
            return {}
        size = looks.gib(account.get("primarystoragetotal", 0))
        text = _("%(size)s in all") % {"size": size}
        return {"label": _("Volumes"), "value": looks.number(account["volumetotal"]), "text": text, "url": "/volumes"}

    @cached_property
    def addresses_found(self) -> Any:
        return ADDRESS.rows(self.visit, page=1, pagesize=100) if self.visit.may(ADDRESS.listing) else None

    @property
    def addresses(self) -> dict[str, Any]:
        found = self.addresses_found
        if found is None:
            return {}
        idle = sum(not (row.get("hasrules") or row.get("isstaticnat") or row.get("issourcenat")) for row in found.rows)
        text = ngettext("%(n)s without a rule", "%(n)s without a rule", idle) % {"n": idle} if idle else ""
        value = looks.number(found.count)
        return {"label": _("Public addresses"), "value": value, "text": text, "url": "/addresses"}

    @property
    def ports(self) -> dict[str, Any]:
        if not self.visit.may("listPortForwardingRules"):
            return {}
        found = self.visit.list("listPortForwardingRules", listall="true", page=1, pagesize=100)
        machines = len({row["virtualmachineid"] for row in found.rows})
        ports = ngettext("%(n)s port", "%(n)s ports", found.count) % {"n": looks.number(found.count)}
        on = ngettext("on %(n)s machine", "on %(n)s machines", machines) % {"n": machines} if machines else ""
        return {"label": _("Open to the internet"), "value": ports, "text": on, "url": "/networks"}

    # what runs, what needs a look

    @cached_property
    def groups(self) -> list[Group]:
        return groups(self.visit, Begun.objects.filter(user=self.visit.user).order_by("-pk")[:30])

    @property
    def running(self) -> list[Group]:
        return [group for group in self.groups if group.is_pending][:6]

    @property
    def wrong(self) -> list[tuple[str, Any, Text, str]]:
        """State, what, why, and where to look."""
        found: list[tuple[str, Any, Text, str]] = []
        for group in [group for group in self.groups if group.state in ("FAILED", "refused")][:4]:
            found.append(("Error", Link(text=group.title, url=group.url).html(), group.first.text, group.url))
        if dict(self.states).get("Error"):
            rows = MACHINE.rows(self.visit, state="Error", details="min", page=1, pagesize=3).rows
            for row in rows:
                url = MACHINE.url(row["id"])
                link = Link(text=MACHINE.title(row), url=url).html()
                found.append(("Error", link, _("is in state Error: it can only be expunged"), url))
        return found

    # the own machines

    @cached_property
    def mine_found(self) -> Any:
        return MACHINE.rows(self.visit, details="nics,stats", page=1, pagesize=MINE)

    @property
    def mine_count(self) -> int:
        return int(self.mine_found.count) if self.visit.may(MACHINE.listing) else 0

    @property
    def mine(self) -> list[Row]:
        rows = self.mine_found.rows if self.visit.may(MACHINE.listing) else []
        return [self._mine(row) for row in rows]

    def _mine(self, row: Row) -> Row:
        networks = ", ".join(nic["networkname"] for nic in row.get("nic", []))
        return {
            "url": MACHINE.url(row["id"]),
            "name": MACHINE.title(row),
            "state": row["state"],
            "address": row.get("publicip") or row.get("ipaddress") or looks.DASH,
            "network": networks or looks.DASH,
            "busy": f"{looks.number(float(busy.rstrip('%')), 1)} %" if (busy := row.get("cpuused")) else looks.DASH,
        }

    @property
    def all_said(self) -> str:
        return _("All %(count)s") % {"count": looks.number(self.mine_count)}

    @property
    def limits(self) -> list[dict[str, Any]]:
        return uses(self.visit.account, SHOWN)

    @cached_property
    def events(self) -> list[Row]:
        if not self.visit.may(EVENT.listing):
            return []
        rows = EVENT.rows(self.visit, page=1, pagesize=7, state="Completed").rows
        return [row | {"said": phrase(row)} for row in rows]


NOTHING = gettext_lazy("No machine yet")
