"""Which networks the machine is in, and with which addresses."""

import ipaddress
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal.compute.order import Network
from apps.portal.compute.steps.base import OFFERED, Given, Step
from apps.portal.firewall.groups import let_in
from apps.portal.firewall.kinds import SECURITY_GROUP
from apps.portal.frame.fields import Option
from apps.portal.network.kinds import NETWORK
from apps.portal.offerings.kinds import NETWORK_OFFERING
from apps.portal.visits import Row


class NetworkStep(Step):
    number, label, question = 5, gettext_lazy("Network"), gettext_lazy("Which networks?")
    template = "portal/wizard/network.html"

    @cached_property
    def found(self) -> list[Row]:
        if not self.visit.may(NETWORK.listing):
            return []
        given = {"zoneid": self.order.zoneid, "canusefordeploy": "true", "page": 1, "pagesize": OFFERED}
        return list(NETWORK.own(self.visit, **given).rows)

    @property
    def rows(self) -> list[Network]:
        on = {each["id"]: each for each in self.order.networks}
        first = self.order.networks[0]["id"] if self.order.networks else ""
        only = not self.order.networks_asked and len(self.found) == 1
        return [self._row(row, on.get(row["id"]), first == row["id"] or only, only) for row in self.found]

    def _row(self, row: Row, chosen: dict[str, str] | None, default: bool, only: bool) -> Network:
        kinds = {"Isolated": _("isolated"), "Shared": _("shared")}
        out = _("own router") if row.get("type") == "Isolated" else _("that of the operator")
        return Network(
            id=row["id"],
            name=row["name"],
            kind=kinds.get(row.get("type", "")) or str(row.get("type", "")),
            cidr=row.get("cidr", ""),
            way_out=out,
            on=bool(chosen) or only,
            ip=(chosen or {}).get("ip", ""),
            default=default,
            type=row.get("type", ""),
        )

    @property
    def is_basic(self) -> bool:
        return self.order.zone_type == "Basic"

    @property
    def offerings(self) -> list[Option]:
        """For a network that is made here."""
        if not self.visit.may("createNetwork", NETWORK_OFFERING.listing):
            return []
        given = {
            **NETWORK_OFFERING.choosing,
            "guestiptype": "Isolated",
            "forvpc": "false",
            "zoneid": self.order.zoneid,
            "page": 1,
            "pagesize": 50,
        }
        rows = NETWORK_OFFERING.rows(self.visit, **given).rows
        usual = "SourceNat"
        rows = sorted(rows, key=lambda row: (not (usual in row["name"] and row.get("isdefault")), row["name"]))
        return [Option(row["id"], NETWORK_OFFERING.title(row)) for row in rows]

    @property
    def has_groups(self) -> bool:
        return self.order.zone_groups and self.visit.may(SECURITY_GROUP.listing)

    @cached_property
    def groups_found(self) -> list[Row]:
        if not self.has_groups:
            return []
        return list(SECURITY_GROUP.own(self.visit, page=1, pagesize=OFFERED).rows)

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The default one is what a machine is in if none is chosen."""
        on = {each["id"] for each in self.order.groups}
        return [
            {"row": row, "lets": let_in(row), "on": row["id"] in on or (not on and row["name"] == "default")}
            for row in self.groups_found
        ]

    @property
    def address(self) -> str:
        return str(self.visit.request.META.get("REMOTE_ADDR", ""))

    @property
    def ssh_hint(self) -> str:
        values = {"address": self.address}
        return _("Forwards a port of the public address to port 22, and lets only %(address)s in") % values

    @property
    def can_open(self) -> bool:
        return not self.is_basic and self.visit.may("createPortForwardingRule")

    @property
    def is_done(self) -> bool:
        return self.order.networks_asked

    @property
    def chosen(self) -> str:
        return self.order.networks_said

    def read(self, given: Given) -> None:
        known = {row["id"]: row for row in self.found}
        ids = [key for key in self.many(given, "networkid") if key in known]
        default = given.get("default", "")
        if default in ids:
            ids.sort(key=lambda key: key != default)
        chosen = [
            {
                "id": key,
                "name": known[key]["name"],
                "type": known[key].get("type", ""),
                "ip": str(given.get(f"ip-{key}", "")).strip(),
            }
            for key in ids
        ]
        for each in chosen:
            self._check(each, known[each["id"]].get("cidr", ""))
        self.order.networks, self.order.networks_asked = chosen, True
        self.order.groups = self._groups(self.many(given, "securitygroupid"))
        self.order.ssh = given.get("ssh") == "true"
        self.order.ssh_from = self.address if self.order.ssh else ""

    def _groups(self, asked: list[str]) -> list[dict[str, str]]:
        return [{"id": row["id"], "name": row["name"]} for row in self.groups_found if row["id"] in asked]

    def _check(self, each: dict[str, str], cidr: str) -> None:
        if not each["ip"]:
            return
        try:
            address = ipaddress.ip_address(each["ip"])
        except ValueError:
            self.errors[f"ip-{each['id']}"] = _("%(text)s is no address") % {"text": each["ip"]}
            return
        if cidr and address not in ipaddress.ip_network(cidr, strict=False):
            values = {"text": each["ip"], "cidr": cidr}
            self.errors[f"ip-{each['id']}"] = _("%(text)s is not in %(cidr)s") % values

    def make(self, given: Given) -> None:
        """A network of its own: it costs nothing until a machine is in it."""
        name = str(given.get("new_name", "")).strip()
        if not name:
            self.errors["new_name"] = _("This is needed")
            return
        params = {"name": name, "zoneid": self.order.zoneid, "networkofferingid": given.get("new_offering", "")}
        made = self.visit.call("createNetwork", displaytext=name, **params)["network"]
        self.order.networks = [
            {"id": made["id"], "name": made["name"], "type": made.get("type", ""), "ip": ""},
            *self.order.networks,
        ]
        self.order.networks_asked = True
