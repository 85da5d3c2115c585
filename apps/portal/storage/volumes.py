"""Volumes: list, page, and their forms."""

from collections.abc import Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal import looks
from apps.portal.components import Copy
from apps.portal.compute.kinds import MACHINE
from apps.portal.events.tabs import events_of
from apps.portal.frame.detail import Card, DetailPage, FactsCard
from apps.portal.frame.fields import FormField
from apps.portal.frame.forms import Form
from apps.portal.frame.listing import ListPage
from apps.portal.jobs.tab import JOBS
from apps.portal.storage.kinds import VOLUME
from apps.portal.storage.looks import OFFERED, ROLE

Text = str | Promise


class VolumeList(ListPage):
    at = "volumes"
    nav = "/volumes"
    kind = VOLUME
    columns = ("name", "state", "type", "size", "vmname", "diskofferingname", "zonename", "created")
    filters = ("state", "type", "zoneid", "diskofferingid", "virtualmachineid")
    dressing = {"type": ROLE}
    own = {"diskofferingname": OFFERED}
    searching = gettext_lazy("Name")
    hint = gettext_lazy("A volume is a disk that outlives its machine. Make one here, or with a new machine.")


class AttachedCard(Card):
    """Written by hand: the question that people come with is where the volume is."""

    template = "portal/storage/attached.html"
    title = gettext_lazy("Where is it?")

    @property
    def machine_url(self) -> str:
        return MACHINE.url(self.row["virtualmachineid"]) if self.row.get("virtualmachineid") else ""

    @property
    def machine(self) -> str:
        return str(self.row.get("vmdisplayname") or self.row.get("vmname", ""))

    @property
    def device(self) -> str:
        number = self.row.get("deviceid")
        return "" if number is None else f"{number} · vd{chr(ord('a') + int(number))}"

    @property
    def can_attach(self) -> bool:
        return any(o.action.command == "attachVolume" and not o.why_not for o in self.page.offers)

    @property
    def attach_url(self) -> str:
        return f"/do/attachVolume?id={self.row['id']}&next={VOLUME.url(self.row['id'])}"


class VolumeFacts(FactsCard):
    title = gettext_lazy("Facts")
    facts = (
        "size",
        (gettext_lazy("Kind"), lambda row: ROLE.cell(row.get("type"))),
        "diskofferingname",
        "zonename",
        "templatename",
        "storage",
        (gettext_lazy("Deletion"), lambda r: _("protected") if r.get("deleteprotection") else _("not protected")),
        "created",
        "attached",
        (gettext_lazy("Id"), lambda row: Copy(text=row["id"], what=_("the id")).html()),
    )


class VolumePage(DetailPage):
    at = "volumes/<uuid:key>"
    also_at = ("volumes/<uuid:key>/<slug:tab>",)
    nav = "/volumes"
    kind = VOLUME
    primary = {"Allocated": "attachVolume", "Ready": "attachVolume", "Destroy": "recoverVolume"}
    buttons = ("detachVolume", "resizeVolume")
    main = (AttachedCard,)
    side = (VolumeFacts,)
    with_tags = True
    tabs = (events_of("Volume"), JOBS)

    @property
    def sub(self) -> Text:
        parts = (ROLE.cell(self.row.get("type")), looks.size(self.row.get("size")), self.row.get("zonename"))
        return format_html_join(" · ", "{}", [(part,) for part in parts if part])


class Create(Form):
    command = "createVolume"
    first = ("name", "zoneid", "diskofferingid", "size")
    folded = ("virtualmachineid",)
    labels = {"size": gettext_lazy("Size in GiB"), "virtualmachineid": gettext_lazy("Attach it to")}
    hints = {
        "name": "",
        "zoneid": gettext_lazy("It can be attached to machines of this zone"),
        "diskofferingid": gettext_lazy("One with a size of its own decides the size"),
        "size": "",
    }
    note = gettext_lazy("It counts against your limits from now on, and takes space when it is attached first.")


class Attach(Form):
    command = "attachVolume"
    folded = ("deviceid",)

    def narrow(self, name: str) -> dict[str, Any]:
        return {"zoneid": self.row["zoneid"]} if name == "virtualmachineid" else {}


class Detach(Form):
    command = "detachVolume"
    about = (VOLUME.label, "id")
    folded = ()
    note = gettext_lazy("Unmount it in the machine first: what is not written yet is lost. Its data stay.")


class Resize(Form):
    command = "resizeVolume"
    first = ("size",)
    folded = ("diskofferingid", "shrinkok")
    labels = {
        "size": gettext_lazy("New size in GiB"),
        "shrinkok": gettext_lazy("It may become smaller: what is at its end is lost"),
    }
    hints = {"shrinkok": ""}

    def dressed(self, made: FormField) -> FormField:
        if made.name == "size" and not made.value:
            made.placeholder = str(int(self.row.get("size") or 0) >> 30)
        return made


class Remove(Form):
    command = "destroyVolume"
    danger = True
    types_name = True
    first = ("expunge",)
    folded = ()
    labels = {"expunge": gettext_lazy("Delete it for good now: it cannot be recovered")}
    hints = {"expunge": gettext_lazy("It may be left to administrators")}
    note = gettext_lazy("Until the cleanup expunges it, it can be recovered.")

    @property
    def lost(self) -> Sequence[Text]:  # type: ignore[override]
        return [_("All data on it, %(size)s") % {"size": looks.size(self.row.get("size"))}]

    def went_to(self, begun: Any, answer: Any, back: str) -> str:
        return super().went_to(begun, answer, VOLUME.url())
