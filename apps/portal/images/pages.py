"""Templates and ISOs: lists, pages and forms."""

from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal import looks
from apps.portal.events.tabs import events_of
from apps.portal.frame.detail import DetailPage, FactsCard
from apps.portal.frame.forms import Form
from apps.portal.frame.listing import ListPage
from apps.portal.images.kinds import ISO, TEMPLATE
from apps.portal.infrastructure.zones import ID, Changes

Text = str | Promise
COLUMNS = ("name", "status", "ostypename", "arch", "size", "ispublic", "account", "zonename")


class TemplateList(ListPage):
    at = "templates"
    nav = "/templates"
    kind = TEMPLATE
    columns = ("name", "isready", "ostypename", "arch", "size", "format", "ispublic", "account", "zonename")
    filters = ("templatefilter", "zoneid", "hypervisor", "arch")
    searching = gettext_lazy("Name or description")
    hint = gettext_lazy("A template is a disk that machines start from. Register one by the address of its file.")


class ImageFacts(FactsCard):
    title = gettext_lazy("Facts")
    facts = (
        "displaytext",
        "ostypename",
        "arch",
        "hypervisor",
        "format",
        "size",
        "physicalsize",
        "status",
        "zonename",
        "account",
        "checksum",
        "url",
        "created",
        ID,
    )


class ImageUse(FactsCard):
    title = gettext_lazy("Use")
    facts = (
        (gettext_lazy("For everybody"), lambda row: looks.yes(row.get("ispublic"))),
        (gettext_lazy("Shown first"), lambda row: looks.yes(row.get("isfeatured"))),
        (gettext_lazy("May be downloaded"), lambda row: looks.yes(row.get("isextractable"))),
        (gettext_lazy("Takes passwords"), lambda row: looks.yes(row.get("passwordenabled"))),
        (gettext_lazy("Takes SSH keys"), lambda row: looks.yes(row.get("sshkeyenabled"))),
        "isdynamicallyscalable",
        "templatetag",
    )


class ImagePage(DetailPage):
    main = (ImageFacts,)
    side = (ImageUse,)
    with_tags = True

    @property
    def state(self) -> str:
        return "Ready" if self.row.get("isready") else "NotUploaded"

    @property
    def sub(self) -> Text:
        parts = (self.row.get("ostypename"), self.row.get("arch"), looks.size(self.row.get("size")))
        return format_html_join(" · ", "{}", [(part,) for part in parts if part])

    @property
    def since(self) -> Text:
        return "" if self.row.get("isready") else str(self.row.get("status", ""))


class TemplatePage(ImagePage):
    at = "templates/<uuid:key>"
    also_at = ("templates/<uuid:key>/<slug:tab>",)
    nav = "/templates"
    kind = TEMPLATE
    buttons = ("updateTemplate",)
    tabs = (events_of("Template"),)

    @property
    def lead(self) -> tuple[Text, str, str] | None:
        ready = self.row.get("isready") and self.visit.may("deployVirtualMachine")
        return (_("New machine"), "plus", "/machines/new") if ready else None


class IsoList(ListPage):
    at = "isos"
    nav = "/isos"
    kind = ISO
    columns = ("name", "isready", "ostypename", "size", "bootable", "ispublic", "account", "zonename")
    filters = ("isofilter", "zoneid", "bootable")
    searching = gettext_lazy("Name or description")
    hint = gettext_lazy(
        "An ISO is an image of a disc: to install a machine from, or to attach to one. Register it by the address of "
        "its file."
    )


class IsoPage(ImagePage):
    at = "isos/<uuid:key>"
    also_at = ("isos/<uuid:key>/<slug:tab>",)
    nav = "/isos"
    kind = ISO
    buttons = ("updateIso",)
    tabs = (events_of("Iso"),)


class Register(Form):
    hints = {
        "url": gettext_lazy("http or https address of the file; it is fetched from there"),
        "checksum": gettext_lazy("MD5, SHA-1 or SHA-2 of the file; it is compared if you give it"),
        "displaytext": gettext_lazy("What customers read; the name if you leave this empty"),
        "ispublic": "",
        "passwordenabled": gettext_lazy("A script in it fetches the password"),
        "zoneid": "",
    }
    labels = {"url": gettext_lazy("Address of the file"), "zoneid": gettext_lazy("Zone")}

    def went_to(self, begun: Any, answer: Any, back: str) -> str:
        rows = answer.get("template") or answer.get("iso") or []
        row = rows[0] if isinstance(rows, list) and rows else rows
        at = TEMPLATE if "template" in answer else ISO
        return back or (at.url(row["id"]) if row else at.url())


class RegisterTemplate(Register):
    command = "registerTemplate"
    first = ("name", "displaytext", "url", "zoneid", "format", "hypervisor", "ostypeid", "ispublic", "passwordenabled")
    folded = (
        "arch",
        "checksum",
        "isfeatured",
        "isextractable",
        "isdynamicallyscalable",
        "sshkeyenabled",
        "templatetag",
    )


class RegisterIso(Register):
    command = "registerIso"
    first = ("name", "displaytext", "url", "zoneid", "ostypeid", "bootable", "ispublic")
    folded = ("arch", "checksum", "isfeatured", "isextractable")


class ChangeTemplate(Changes):
    command = "updateTemplate"
    about = (TEMPLATE.label, "id")
    first = ("name", "displaytext", "ostypeid", "passwordenabled", "sshkeyenabled")
    folded = ("arch", "isdynamicallyscalable", "templatetag", "sortkey")


class ChangeIso(Changes):
    command = "updateIso"
    about = (ISO.label, "id")
    first = ("name", "displaytext", "ostypeid", "bootable")
    folded = ("arch", "sortkey")


class RemoveTemplate(Form):
    command = "deleteTemplate"
    about = (TEMPLATE.label, "id")
    danger = True
    types_name = True
    folded = ("zoneid",)
    hints = {"zoneid": gettext_lazy("Only there; everywhere if you leave this empty")}
    lost = (gettext_lazy("The template: nothing new starts from it"),)
    kept = (gettext_lazy("Machines that were made from it"),)


class RemoveIso(RemoveTemplate):
    command = "deleteIso"
    about = (ISO.label, "id")
    lost = (gettext_lazy("The ISO: it can be attached to no machine"),)
    kept = (gettext_lazy("Machines that were installed from it"),)
