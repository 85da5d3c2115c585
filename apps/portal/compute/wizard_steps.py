"""The six questions, one a step: what is offered, what is read, what is wrong with it."""

import ipaddress
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal import looks
from apps.portal.compute.kinds import AFFINITY, GROUP, KEY_PAIR
from apps.portal.compute.order import GIB, Network, Order
from apps.portal.frame.fields import FormField, Option
from apps.portal.infrastructure.kinds import ZONE
from apps.portal.limits.limits import uses
from apps.portal.network.kinds import NETWORK
from apps.portal.offerings.kinds import DISK_OFFERING, NETWORK_OFFERING, OFFERING
from apps.portal.visits import Row, Visit

Text = str | Promise
Given = Mapping[str, Any]
OFFERED = 200
LARGEST_SCRIPT = 32 * 1024
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


class Step:
    number: ClassVar[int]
    label: ClassVar[Text]
    question: ClassVar[Text]
    template: ClassVar[str]

    def __init__(self, visit: Visit, order: Order):
        self.visit, self.order = visit, order
        self.errors: dict[str, str] = {}

    @property
    def is_done(self) -> bool:
        raise NotImplementedError

    @property
    def chosen(self) -> str:
        raise NotImplementedError

    def read(self, given: Given) -> None:
        """Into the order; what is wrong stands in ``errors``."""
        raise NotImplementedError

    def many(self, given: Given, name: str) -> list[str]:
        found = given.getlist(name) if hasattr(given, "getlist") else given.get(name, [])
        return list(found)

    def number_of(self, given: Given, name: str, least: int, most: int) -> int:
        text = str(given.get(name, "")).strip()
        if not (text.isascii() and text.isdecimal()) or not least <= int(text) <= most:
            self.errors[name] = _("A whole number from %(least)s to %(most)s") % {"least": least, "most": most}
            return 0
        return int(text)

    def over(self, words: tuple[str, ...]) -> list[dict[str, Any]]:
        """Limits that what was chosen would exceed."""
        found = uses(self.visit.account, words, self.order.takes())
        return [use for use in found if use["total"] is not None and use["used"] + use["add"] > use["total"]]

    def check_limits(self, name: str, words: tuple[str, ...]) -> None:
        for use in self.over(words):
            values = {
                "what": use["label"],
                "used": looks.number(use["used"]),
                "total": looks.number(use["total"]),
                "unit": use["unit"],
                "more": looks.number(use["used"] + use["add"] - use["total"]),
            }
            self.errors[name] = (
                _("%(what)s: %(used)s of %(total)s %(unit)s are in use; this is %(more)s too much.") % values
            ).replace("  ", " ")


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
            self.order.networks, self.order.networks_asked = [], False
        self.order.zoneid, self.order.zone = zone["id"], zone["name"]
        self.order.zone_type = zone.get("networktype", "")


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


class NetworkStep(Step):
    number, label, question = 5, gettext_lazy("Network"), gettext_lazy("Which networks?")
    template = "portal/wizard/network.html"

    @cached_property
    def found(self) -> list[Row]:
        if not self.visit.may(NETWORK.listing):
            return []
        given = {"zoneid": self.order.zoneid, "canusefordeploy": "true", "page": 1, "pagesize": OFFERED}
        return list(NETWORK.rows(self.visit, **given).rows)

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
        self.order.ssh = given.get("ssh") == "true"
        self.order.ssh_from = self.address if self.order.ssh else ""

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
        rows = kind.rows(self.visit, page=1, pagesize=OFFERED).rows
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


STEPS: tuple[type[Step], ...] = (ZoneStep, TemplateStep, OfferingStep, DiskStep, NetworkStep, NameStep)
# Which step asks for a parameter of deployVirtualMachine: an error leads back to it.
ASKED_IN = {
    "zoneid": 1, "templateid": 2, "hypervisor": 2, "serviceofferingid": 3, "details": 3, "diskofferingid": 4, "size": 4,
    "rootdisksize": 4, "networkids": 5, "iptonetworklist": 5, "ipaddress": 5,
}  # fmt: skip
