from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.db.models import Q

from apps.core import scope
from apps.core.callers import ROOT, USER, Access
from apps.core.commands import AsyncCommand, Command, command
from apps.core.errors import InvalidParameter, PermissionDenied
from apps.core.lists import OwnedListCommand, scope_of
from apps.core.refs import Owner, Ref, RefFilter
from apps.core.responses import Plain
from apps.core.wire import Bool, Int, List, Map, Str
from apps.images.commands.responses import IsoResponse, TemplateResponse, copies_of
from apps.images.flows import download
from apps.images.flows.delete import DELETE, Delete
from apps.images.models import Template, TemplateCopy, TemplateShare
from apps.images.services import copies, templates
from apps.jobs.flows import begin

FILTERS = ("self", "featured", "selfexecutable", "sharedexecutable", "executable", "community", "all")
HYPERVISORS = ("Simulator", "KVM", "VMware", "XenServer", "Hyperv", "BareMetal", "Ovm", "Ovm3", "LXC", "Any")
NAME = Str(required=True, length=251, help_text="the name")
TEXT = Str(source="display_text", length=4096, help_text="what customers read; the name if absent")
ARCH = Str(choices=("x86_64", "aarch64", "s390x"), help_text="CPU architecture")
CHECKSUM = Str(help_text="of the file: MD5, SHA-1 or SHA-2, as hexadecimal digits, {SHA-256} before them if wanted")
URL = Str(required=True, length=2048, help_text="http or https URL of the file")
DETAILS = Map(style="entry0", help_text="free details")
SCALABLE = Bool(source="is_dynamically_scalable", help_text="it knows how to grow while it runs")
EXTRACTABLE = Bool(source="is_extractable", help_text="it may be downloaded from here")
FEATURED = Bool(source="is_featured", allowed=ROOT, help_text="it is shown to all first")
PUBLIC = Bool(source="is_public", help_text="everybody may use it")
PASSWORD = Bool(source="password_enabled", secret=True, help_text="it takes generated passwords")
SSH_KEY = Bool(source="sshkey_enabled", help_text="it takes SSH keys")
HVM = Bool(source="requires_hvm", help_text="it needs hardware virtualization")
TAG = Str(source="tag", allowed=ROOT, help_text="tag that a host must have")
OS = Ref("images.OsType", Access.USE, source="os_type", help_text="the guest system in it")


class TemplateRef(Ref):
    """Templates and ISOs are rows of one table, and unknown to each other's commands."""

    def __init__(self, access: Access, *, iso: bool):
        super().__init__("images.Template", access, source="template", required=True, help_text="the id")
        self.iso = iso

    def parse(self, text: str, caller: Any) -> Any:
        row = super().parse(text, caller)
        if row.is_iso != self.iso:
            raise InvalidParameter(f"id: {row.uuid} is {'a template' if self.iso else 'an ISO'}")
        return row


@command("registerTemplate", roles=USER, event="TEMPLATE.CREATE", response=TemplateResponse)
class RegisterTemplate(Command):
    """Registers a template that is downloaded from a URL."""

    name = NAME
    format = Str(
        required=True, choices=tuple(f for f in templates.FORMATS if f != "ISO"), help_text="of the disk image"
    )
    hypervisor = Str(required=True, choices=HYPERVISORS, help_text="what it runs on")
    url = URL
    owner = Owner()
    arch = ARCH
    bits = Int(min_value=32, max_value=64, help_text="32 or 64")
    checksum = CHECKSUM
    details = DETAILS
    displaytext = TEXT
    isdynamicallyscalable = SCALABLE
    isextractable = EXTRACTABLE
    isfeatured = FEATURED
    ispublic = PUBLIC
    ostypeid = OS
    passwordenabled = PASSWORD
    requireshvm = HVM
    sshkeyenabled = SSH_KEY
    templatetag = TAG
    zoneid = Ref("infrastructure.Zone", Access.USE, source="zone", minus_one=True, help_text="the zone; -1 for all")
    zoneids = List(of=Ref("infrastructure.Zone", Access.USE), source="zones", help_text="several zones")

    def run(self, zone: Any = -1, zones: Any = (), details: Any = None, **given: Any) -> list[Template]:
        if zones and zone != -1:
            raise InvalidParameter("zoneids: not together with zoneid")
        where = zones or ([] if zone == -1 else [zone])
        admin = self.caller.is_root
        return [download.register(zones=where, details=details or {}, by_admin=admin, **given)]


@command("registerIso", roles=USER, event="ISO.CREATE", response=IsoResponse)
class RegisterIso(Command):
    """Registers an ISO that is downloaded from a URL."""

    name = NAME
    url = URL
    zoneid = Ref(
        "infrastructure.Zone", Access.USE, source="zone", minus_one=True, required=True, help_text="zone; -1 for all"
    )
    owner = Owner()
    arch = ARCH
    bootable = Bool(source="is_bootable", help_text="a machine can start from it; needs ostypeid")
    checksum = CHECKSUM
    displaytext = TEXT
    isdynamicallyscalable = SCALABLE
    isextractable = EXTRACTABLE
    isfeatured = FEATURED
    ispublic = PUBLIC
    ostypeid = OS
    passwordenabled = PASSWORD

    def run(self, zone: Any, **given: Any) -> list[Template]:
        if given.get("is_bootable", True) and "os_type" not in given:
            raise InvalidParameter("ostypeid: say which system a bootable ISO starts")
        where = [] if zone == -1 else [zone]
        kind = {"is_iso": True, "format": "ISO", "hypervisor": "Any"}
        return [download.register(zones=where, details={}, by_admin=self.caller.is_root, **kind, **given)]


class UpdateImage(Command):
    arch = ARCH
    bootable = Bool(source="is_bootable", help_text="a machine can start from it")
    cleanupdetails = Bool(source="cleanup", help_text="remove all details")
    details = DETAILS
    displaytext = TEXT
    isdynamicallyscalable = SCALABLE
    name = Str(length=251, help_text="the name")
    ostypeid = OS
    passwordenabled = PASSWORD
    requireshvm = HVM
    sortkey = Int(source="sort_key", help_text="sort key of lists")
    sshkeyenabled = SSH_KEY

    def run(self, template: Template, **changes: Any) -> Template:
        return templates.update(template=template, **changes)


@command("updateTemplate", roles=USER, event="TEMPLATE.UPDATE", response=TemplateResponse)
class UpdateTemplate(UpdateImage):
    """Changes what is said about a template."""

    id = TemplateRef(Access.OPERATE, iso=False)
    templatetag = TAG


@command("updateIso", roles=USER, event="ISO.UPDATE", response=IsoResponse)
class UpdateIso(UpdateImage):
    """Changes what is said about an ISO."""

    id = TemplateRef(Access.OPERATE, iso=True)


class DeleteImage(AsyncCommand):
    zoneid = Ref("infrastructure.Zone", Access.USE, source="zone", help_text="only its copy in this zone")

    def run(self, template: Template, zone: Any = None) -> Any:
        templates.check_deletable(template)
        return begin(DELETE, Delete(template.pk, zone.pk if zone else 0))


@command("deleteTemplate", roles=USER, event="TEMPLATE.DELETE", response=None, locks=("template",))
class DeleteTemplate(DeleteImage):
    """Deletes a template; instances made of it stay."""

    id = TemplateRef(Access.OPERATE, iso=False)


@command("deleteIso", roles=USER, event="ISO.DELETE", response=None, locks=("template",))
class DeleteIso(DeleteImage):
    """Deletes an ISO that is in no drive."""

    id = TemplateRef(Access.OPERATE, iso=True)


class ListImages(OwnedListCommand):
    model = "images.Template"
    keyword_in = ("name", "display_text")
    ordering = ("sort_key", "pk")
    isos = False

    arch = Str(lookup="arch", help_text="list those for this CPU architecture")
    hypervisor = Str(lookup="hypervisor__iexact", help_text="list those for this hypervisor")
    isready = Bool(help_text="list those that can be used, or the others")
    oscategoryid = RefFilter("images.OsCategory", "os_type__category", help_text="list those of this family of systems")
    zoneid = RefFilter("infrastructure.Zone", "", help_text="list those of this zone")
    imagestoreid = RefFilter("images.ImageStore", "", allowed=ROOT, help_text="list those in this image store")

    def answers(self, keys: Sequence[int], details: list[str] | None) -> list[dict[str, Any]]:
        rows = super().answers(keys, details)
        if self.zone:
            found = copies_of(keys, self.zone)
            rows = [row | found[key] for key, row in zip(keys, rows, strict=True)]
        return rows

    def visible(self, given: dict[str, Any]) -> Any:
        word = given.pop("templatefilter", None) or given.pop(
            "isofilter", "self" if not self.isos else "selfexecutable"
        )
        self.zone = given.get("zoneid")
        rows = Template.all_tenants.filter(is_iso=self.isos)
        if "id" in given or "ids" in given:
            return rows.filter(Template.reach.q(self.caller, Access.LIST))
        return rows.filter(self._chosen(word, given)).filter(self._shown(word))

    def _shown(self, word: str) -> Q:
        return Q() if word in ("all", "self") else ~Q(kind=Template.Kind.SYSTEM)

    def _chosen(self, word: str, given: dict[str, Any]) -> Q:
        mine = scope.resolve(self.caller, scope_of(given))
        ready = Q(pk__in=copies.living(state=TemplateCopy.State.READY).values("template"))
        shared = Q(pk__in=TemplateShare.objects.filter(account__in=self.caller.accounts).values("row"))
        if word == "all":
            if not (self.caller.is_root or self.caller.is_domain_admin):
                raise PermissionDenied("templatefilter: only administrators may list all")
            return Q() if self.caller.is_root else Template.reach.q(self.caller, Access.LIST)
        return {
            "featured": Q(is_featured=True, is_public=True),
            "community": Q(is_featured=False, is_public=True),
            "self": mine,
            "selfexecutable": mine & ready,
            "sharedexecutable": shared & ready,
            "executable": (mine | shared | Q(is_public=True)) & ready,
        }[word]

    def narrow(self, rows: Any, given: dict[str, Any]) -> Any:
        for name, column in (("zoneid", "zone"), ("imagestoreid", "store")):
            if name in given:
                rows = rows.filter(pk__in=copies.living(**{column: given[name]}).values("template"))
        if "isready" in given:
            where = {"zone": given["zoneid"]} if "zoneid" in given else {}
            ready = Q(pk__in=copies.living(state=TemplateCopy.State.READY, **where).values("template"))
            rows = rows.filter(ready if given["isready"] else ~ready)
        return rows


@command("listTemplates", roles=USER, response=TemplateResponse)
class ListTemplates(ListImages):
    """Lists templates; the filter says which."""

    has_ids = True
    templatefilter = Str(required=True, choices=FILTERS, help_text=", ".join(FILTERS))
    filters = {"name": "name", "templatetype": "kind"}


@command("listIsos", roles=USER, response=IsoResponse)
class ListIsos(ListImages):
    """Lists ISOs; the filter says which."""

    isos = True
    isofilter = Str(choices=FILTERS, help_text=", ".join(FILTERS))
    filters = {"name": "name"}
    bootable = Bool(lookup="is_bootable", help_text="list those that a machine can start from, or the others")
    ispublic = Bool(lookup="is_public", help_text="list those that everybody may use, or the others")


class Permissions(Command):
    accounts = List(help_text="names of accounts in the owner's domain")
    projectids = List(of=Ref("accounts.Account", Access.LIST), source="projects", help_text="ids of projects")
    isextractable = EXTRACTABLE
    isfeatured = FEATURED
    ispublic = PUBLIC
    op = Str(choices=("add", "remove", "reset"), help_text="add or remove the accounts, or reset")

    def run(self, template: Template, accounts: Any = (), projects: Any = (), op: str = "", **flags: Any) -> None:
        found = [_account(template, name) for name in accounts] + list(projects)
        templates.share(template=template, op=op, accounts=found, by_admin=self.caller.is_root, **flags)


def _account(template: Template, name: str) -> Any:
    model = apps.get_model("accounts.Account")
    row = model.all_tenants.filter(model.named, name=name, domain=template.owner.domain).first()
    if row is None:
        raise InvalidParameter(f"accounts: there is no account {name} in the domain of the owner")
    return row


@command("updateTemplatePermissions", roles=USER, event="TEMPLATE.UPDATE", response=None)
class UpdateTemplatePermissions(Permissions):
    """Says who may use a template."""

    id = TemplateRef(Access.OPERATE, iso=False)


@command("updateIsoPermissions", roles=USER, event="ISO.UPDATE", response=None)
class UpdateIsoPermissions(Permissions):
    """Says who may use an ISO."""

    id = TemplateRef(Access.OPERATE, iso=True)


class PermissionsResponse(Plain):
    wire_name = "templatepermission"
    fields = {"id": "string", "ispublic": "boolean", "domainid": "string", "account": "list", "projectids": "list"}


class ListPermissions(Command):
    changes = False

    def run(self, template: Template) -> dict[str, Any]:
        rows = TemplateShare.objects.filter(row=template).select_related("account").order_by("pk")
        people = [share.account.name for share in rows if not share.account.is_project]
        projects = [str(share.account.uuid) for share in rows if share.account.is_project]
        found: dict[str, Any] = {"id": str(template.uuid), "ispublic": template.is_public}
        found["domainid"] = str(template.owner.domain.uuid)
        found |= {"account": people} if people else {}
        return {PermissionsResponse.wire_name: found | ({"projectids": projects} if projects else {})}


@command("listTemplatePermissions", roles=USER, response=PermissionsResponse)
class ListTemplatePermissions(ListPermissions):
    """Says who may use a template."""

    id = TemplateRef(Access.OPERATE, iso=False)


@command("listIsoPermissions", roles=USER, response=PermissionsResponse)
class ListIsoPermissions(ListPermissions):
    """Says who may use an ISO."""

    id = TemplateRef(Access.OPERATE, iso=True)
