"""What the machine is called, who may enter it, what it does at its first start."""

import re
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal import looks
from apps.portal.compute.kinds import AFFINITY, GROUP, KEY_PAIR
from apps.portal.compute.steps.base import OFFERED, Given, Step
from apps.portal.frame.fields import FormField, Option

LARGEST_SCRIPT = 32 * 1024
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


class NameStep(Step):
    number, label, question = 6, gettext_lazy("Name and launch"), gettext_lazy("Name it, and check")
    template = "portal/wizard/name.html"

    @property
    def is_done(self) -> bool:
        return bool(self.order.name) and not self.errors

    @property
    def chosen(self) -> str:
        return self.order.name

    def _options(self, kind: Any, chosen: str, value: str = "") -> list[Option]:
        if not self.visit.may(kind.listing):
            return []
        rows = kind.own(self.visit, page=1, pagesize=OFFERED).rows
        return [Option(row[value or kind.key], kind.title(row), row[value or kind.key] == chosen) for row in rows]

    @property
    def fields(self) -> list[FormField]:
        order = self.order
        name = FormField("name", _("Name"), "text", order.name, required=True, length=63)
        name.hint = _("Letters, digits and hyphens; also its name in its networks")
        key = FormField("keypair", _("Key pair"), "select", options=self._options(KEY_PAIR, order.keypair))
        key.nothing, key.hint = _("None"), _("Its private half never leaves you")
        group = FormField("group", _("Group"), "select", options=self._options(GROUP, order.group, "name"))
        group.nothing = _("None")
        apart = FormField("affinityid", _("Placement"), "select", options=self._options(AFFINITY, order.affinityid))
        apart.nothing = _("No wish")
        area = FormField("userdata", _("User data"), "area", order.userdata, full=True, mono=True)
        area.hint = _("cloud-config or script, at most 32 KiB")
        made = [name, key] + [each for each in (group, apart) if each.options] + [area]
        for each in made:
            each.error = self.errors.get(each.name, "")
        return made

    @property
    def checks(self) -> list[FormField]:
        start = FormField("start", _("Start it now"), "check", on=self.order.start)
        protect = FormField("protect", _("Protect it from deletion"), "check", on=self.order.protect)
        return [start, protect] if self.visit.may("updateVirtualMachine") else [start]

    def read(self, given: Given) -> None:
        order = self.order
        order.name = str(given.get("name", "")).strip()
        order.keypair, order.group = str(given.get("keypair", "")), str(given.get("group", ""))
        order.affinityid = str(given.get("affinityid", ""))
        order.userdata = str(given.get("userdata", "")).replace("\r\n", "\n")
        order.start, order.protect = given.get("start") == "true", given.get("protect") == "true"
        if not NAME.fullmatch(order.name):
            self.errors["name"] = self._name_error(order.name)
        if len(order.userdata.encode()) > LARGEST_SCRIPT:
            size = looks.size(len(order.userdata.encode()))
            self.errors["userdata"] = _(
                "%(size)s; at most 32 KiB. Put large files into a volume or fetch them at start."
            ) % {"size": size}

    def _name_error(self, name: str) -> str:
        text = _("Only letters, digits and hyphens, at most 63 characters, none of the ends a hyphen.")
        better = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:63].strip("-")
        if not better or better == name:
            return text
        suggestion = _("Suggestion: %(name)s") % {"name": better}
        return f"{text} {suggestion}"
