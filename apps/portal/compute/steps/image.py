"""Where the machine is, and what it starts from."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal import looks
from apps.portal.compute.order import GIB
from apps.portal.compute.steps.base import OFFERED, Given, Step, Text
from apps.portal.infrastructure.kinds import ZONE
from apps.portal.visits import Row


class ZoneStep(Step):
    number, label, question = 1, gettext_lazy("Zone"), gettext_lazy("Where shall it run?")
    template = "portal/wizard/zone.html"

    @cached_property
    def zones(self) -> list[Row]:
        return list(ZONE.rows(self.visit, page=1, pagesize=OFFERED).rows)

    @property
    def cards(self) -> list[dict[str, Any]]:
        return [self._card(zone) for zone in self.zones]

    def _card(self, zone: Row) -> dict[str, Any]:
        kinds = {
            "Advanced": _("isolated and shared networks"),
            "Basic": _("one network for all, with security groups"),
        }
        text = " · ".join(filter(None, (zone.get("displaytext"), kinds.get(zone.get("networktype", ""), ""))))
        off = zone.get("allocationstate") != "Enabled"
        more = _("Not enabled yet: ask your operator") if off else ""
        on = zone["id"] == self.order.zoneid or (not self.order.zoneid and len(self.zones) == 1 and not off)
        return {"value": zone["id"], "title": zone["name"], "text": text, "more": more, "off": off, "on": on}

    @property
    def is_done(self) -> bool:
        return bool(self.order.zoneid)

    @property
    def chosen(self) -> str:
        return self.order.zone

    def read(self, given: Given) -> None:
        zone = next((zone for zone in self.zones if zone["id"] == given.get("zoneid")), None)
        if zone is None or zone.get("allocationstate") != "Enabled":
            self.errors["zoneid"] = _("Choose a zone")
            return
        if zone["id"] != self.order.zoneid:  # all that was chosen in another one is void
            self.order.templateid = self.order.template = self.order.offeringid = self.order.offering = ""
            self.order.diskid, self.order.disk_asked = "", False
            self.order.networks, self.order.networks_asked, self.order.groups = [], False, []
        self.order.zoneid, self.order.zone = zone["id"], zone["name"]
        self.order.zone_type = zone.get("networktype", "")
        self.order.zone_groups = bool(zone.get("securitygroupsenabled"))


class TemplateStep(Step):
    number, label = 2, gettext_lazy("Template or ISO")
    question = gettext_lazy("What shall it start from?")
    template = "portal/wizard/template.html"
    SOURCES: ClassVar[tuple[tuple[str, Text, str, str], ...]] = (
        ("templates", gettext_lazy("Templates"), "listTemplates", "executable"),
        ("isos", gettext_lazy("ISOs"), "listIsos", "executable"),
        ("own", gettext_lazy("Own"), "listTemplates", "selfexecutable"),
    )

    @property
    def asked(self) -> Mapping[str, str]:
        return self.visit.request.GET

    @property
    def source(self) -> str:
        default = "isos" if self.order.source == "iso" else "templates"
        given = self.visit.request.POST.get("from") or self.asked.get("from") or default
        return given if given in {name for name, *_rest in self.SOURCES} else default

    @property
    def sources(self) -> list[tuple[str, Text, bool]]:
        return [
            (name, text, name == self.source) for name, text, command, _f in self.SOURCES if self.visit.may(command)
        ]

    @cached_property
    def found(self) -> list[Row]:
        command, word = next((c, w) for name, _t, c, w in self.SOURCES if name == self.source)
        word_name = "isofilter" if command == "listIsos" else "templatefilter"
        given = {word_name: word, "zoneid": self.order.zoneid, "listall": "true", "page": 1, "pagesize": OFFERED}
        if keyword := self.asked.get("keyword", ""):
            given["keyword"] = keyword
        return list(self.visit.list(command, **given).rows)

    @property
    def cards(self) -> list[dict[str, Any]]:
        return [self._card(row) for row in self.found]

    def _card(self, row: Row) -> dict[str, Any]:
        text = " · ".join(filter(None, (row.get("ostypename"), row.get("arch"), row.get("format"))))
        words = [looks.size(row["size"])] if row.get("size") else []
        words += [_("password")] if row.get("passwordenabled") else []
        words += [_("own")] if not row.get("ispublic") else []
        title = row.get("displaytext") or row["name"]
        on = row["id"] == self.order.templateid
        return {"value": row["id"], "title": title, "text": text, "more": " · ".join(words), "on": on}

    @property
    def count_said(self) -> str:
        return _("%(count)s in %(zone)s") % {"count": looks.number(len(self.found)), "zone": self.order.zone}

    @property
    def is_done(self) -> bool:
        return bool(self.order.templateid)

    @property
    def chosen(self) -> str:
        return self.order.template

    def read(self, given: Given) -> None:
        row = next((row for row in self.found if row["id"] == given.get("templateid")), None)
        if row is None:
            self.errors["templateid"] = _("Choose what it starts from")
            return
        order = self.order
        order.templateid, order.template = row["id"], row.get("displaytext") or row["name"]
        order.source = "iso" if self.source == "isos" else "template"
        order.template_gib = -(-int(row.get("size") or 0) // GIB)
        order.takes_password = bool(row.get("passwordenabled"))
        if order.source == "iso":
            order.hypervisor = row.get("hypervisor") or self._hypervisor()
            order.disk_asked = order.disk_asked and bool(order.diskid)

    def _hypervisor(self) -> str:
        """Of the zone: an ISO says none."""
        if not self.visit.may("listHypervisors"):
            return ""
        found = self.visit.list("listHypervisors", zoneid=self.order.zoneid).rows
        return str(found[0]["name"]) if found else ""
