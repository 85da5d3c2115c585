"""What the machine has: processors, memory, a disk for data."""

from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal import looks
from apps.portal.compute.steps.base import OFFERED, Given, Step, Text
from apps.portal.frame.fields import FormField
from apps.portal.limits.limits import uses
from apps.portal.offerings.kinds import DISK_OFFERING, OFFERING
from apps.portal.visits import Row


class OfferingStep(Step):
    number, label, question = 3, gettext_lazy("Compute offering"), gettext_lazy("How large?")
    template = "portal/wizard/offering.html"

    @cached_property
    def found(self) -> list[Row]:
        return list(OFFERING.rows(self.visit, zoneid=self.order.zoneid, page=1, pagesize=OFFERED).rows)

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [self._row(row) for row in self.found]

    def _row(self, row: Row) -> dict[str, Any]:
        custom = bool(row.get("iscustomized"))
        return {
            "id": row["id"],
            "name": row["name"],
            "note": self._too_much(row),
            "cores": _("as you like") if custom else looks.cores(row.get("cpunumber"), row.get("cpuspeed")),
            "memory": _("as you like") if custom else looks.mib(row.get("memory")),
            "rate": f"{looks.number(row['networkrate'])} Mbit/s" if row.get("networkrate") else looks.DASH,
            "ha": looks.yes(bool(row.get("offerha"))),
            "on": row["id"] == self.order.offeringid,
        }

    def _too_much(self, row: Row) -> str:
        """By how much it is over a limit."""
        if row.get("iscustomized"):
            return ""
        add = {"cpu": float(row.get("cpunumber") or 0), "memory": float(row.get("memory") or 0)}
        for use in uses(self.visit.account, ("cpu", "memory"), add):
            over = use["used"] + use["add"] - (use["total"] if use["total"] is not None else float("inf"))
            if over > 0:
                values = {"more": f"{looks.number(over)} {use['unit']}".strip(), "what": use["label"]}
                return _("%(more)s over the limit: %(what)s") % values
        return ""

    @property
    def has_custom(self) -> bool:
        return any(row.get("iscustomized") for row in self.found)

    @property
    def own(self) -> list[FormField]:
        cores = FormField("cores", _("Cores"), "number", str(self.order.cores or ""), least=1)
        memory = FormField("memory", _("Memory in MiB"), "number", str(self.order.memory or ""), least=32)
        for made in (cores, memory):
            made.error, made.hint = self.errors.get(made.name, ""), _("Where the offering leaves it to you")
        return [cores, memory]

    @property
    def is_done(self) -> bool:
        return bool(self.order.offeringid)

    @property
    def chosen(self) -> str:
        return self.order.size_said

    def read(self, given: Given) -> None:
        row = next((row for row in self.found if row["id"] == given.get("offeringid")), None)
        if row is None:
            self.errors["offeringid"] = _("Choose an offering")
            return
        order = self.order
        order.offeringid, order.offering, order.custom = row["id"], row["name"], bool(row.get("iscustomized"))
        order.speed, order.offering_gib = int(row.get("cpuspeed") or 0), int(row.get("rootdisksize") or 0)
        if order.custom:
            order.cores = self.number_of(given, "cores", 1, 512)
            order.memory = self.number_of(given, "memory", 32, 1 << 24)
        else:
            order.cores, order.memory = int(row.get("cpunumber") or 0), int(row.get("memory") or 0)
        self.check_limits("offeringid", ("vm", "cpu", "memory"))


class DiskStep(Step):
    number, label = 4, gettext_lazy("Data disk")
    template = "portal/wizard/disk.html"

    @property
    def question(self) -> Text:  # type: ignore[override]
        return _("What is its root disk?") if self.is_root else _("Does it need a data disk?")

    @property
    def is_root(self) -> bool:
        return self.order.source == "iso"

    @cached_property
    def found(self) -> list[Row]:
        if not self.visit.may(DISK_OFFERING.listing):
            return []
        return list(DISK_OFFERING.rows(self.visit, zoneid=self.order.zoneid, page=1, pagesize=OFFERED).rows)

    @property
    def cards(self) -> list[dict[str, Any]]:
        cards = [] if self.is_root else [self._none()]
        return cards + [self._card(row) for row in self.found]

    def _none(self) -> dict[str, Any]:
        text = _("Only the root disk of %(size)s") % {"size": looks.gib(self.order.root_size or 1)}
        if not self.order.root_size:
            text = _("Only the root disk")
        more = _("one can be attached later")
        return {"value": "", "title": _("No data disk"), "text": text, "more": more, "on": not self.order.diskid}

    def _card(self, row: Row) -> dict[str, Any]:
        size = _("a size of your choice") if row.get("iscustomized") else looks.gib(row.get("disksize"))
        text = row.get("displaytext", "") if row.get("displaytext") != row["name"] else ""
        on = row["id"] == self.order.diskid
        return {"value": row["id"], "title": row["name"], "text": text, "more": size, "on": on}

    @property
    def fields(self) -> list[FormField]:
        size = FormField("disk_gib", _("Size in GiB"), "number", str(self.order.disk_gib or ""), least=1)
        size.hint = _("Where the offering leaves it to you")
        made = [size]
        if not self.is_root and not self.order.offering_gib:
            least = max(self.order.template_gib, 1)
            root = FormField("root_gib", _("Root disk in GiB"), "number", str(self.order.root_gib or ""), least=least)
            root.hint = _("The template needs %(least)s; larger is possible, smaller is not") % {"least": least}
            root.placeholder = str(least)
            made.append(root)
        for each in made:
            each.error = self.errors.get(each.name, "")
        return made

    @property
    def is_done(self) -> bool:
        return self.order.disk_asked

    @property
    def chosen(self) -> str:
        return self.order.disk_said

    def read(self, given: Given) -> None:
        order, wanted = self.order, given.get("diskid", "")
        row = next((row for row in self.found if row["id"] == wanted), None)
        if (wanted and row is None) or (self.is_root and row is None):
            self.errors["diskid"] = _("Choose a disk offering")
            return
        order.disk_asked = True
        order.diskid, order.disk = (row["id"], row["name"]) if row else ("", "")
        order.disk_custom = bool(row and row.get("iscustomized"))
        order.disk_gib = int(row.get("disksize") or 0) if row else 0
        if order.disk_custom:
            order.disk_gib = self.number_of(given, "disk_gib", 1, 1 << 20)
        order.root_gib = 0
        if given.get("root_gib") and not self.is_root and not order.offering_gib:
            order.root_gib = self.number_of(given, "root_gib", max(order.template_gib, 1), 1 << 20)
        self.check_limits("diskid", ("volume", "primarystorage"))
