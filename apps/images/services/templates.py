"""Templates and ISOs as rows: inserting, changing, sharing them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from apps.core.errors import InvalidParameter, PermissionDenied, ResourceInUse
from apps.core.models import Detail
from apps.core.ownership import admit
from apps.core.retry import atomically
from apps.core.settings import Setting
from apps.images import fetch
from apps.images.models import Template, TemplateShare
from apps.images.ports import in_use
from apps.images.services import copies

PUBLISHING = Setting(
    "allow.public.user.templates", True, scope="account", help_text="Whether customers may make templates public."
)
FORMATS = {
    "VHD": (".vhd",),
    "QCOW2": (".qcow2", ".img"),
    "RAW": (".img", ".raw"),
    "VMDK": (".vmdk",),
    "OVA": (".ova",),
    "VHDX": (".vhdx",),
    "ISO": (".iso",),
}
PACKED = ("", ".zip", ".bz2", ".gz", ".xz")


def insert(*, owner: Any, details: Mapping[str, str], by_admin: bool, **given: Any) -> Template:
    _check_name(given["name"])
    _check_source(given["url"], given["format"], given.get("checksum", ""), by_admin)
    _check_details(details)
    if given.get("is_public"):
        check_may_publish(owner, by_admin)
    given["display_text"] = given.get("display_text") or given["name"]
    template = admit(Template, owner, **given)
    _write_details(template, details)
    return template


def _check_name(name: str) -> None:
    if not name.strip():
        raise InvalidParameter("name: a template has a name")


def is_file(url: str) -> bool:
    return urlsplit(url).scheme == "file"


def _check_source(url: str, format_: str, checksum: str, by_admin: bool) -> None:
    """A file of the workers is for root administrators; where it may lie is asked when it is read."""
    try:
        if by_admin and is_file(url):
            fetch.check_file(url)
        else:
            fetch.check_url(url)
    except (fetch.FetchError, ValueError) as error:
        raise InvalidParameter(f"url: {error}") from None
    path = urlsplit(url).path.lower()
    if not path.endswith(tuple(end + packed for end in FORMATS[format_] for packed in PACKED)):
        endings = ", ".join(FORMATS[format_])
        raise InvalidParameter(f"url: a file of the format {format_} ends with {endings}, packed or not")
    if checksum:
        try:
            fetch.digest_of(checksum)
        except fetch.FetchError as error:
            raise InvalidParameter(f"checksum: {error}") from None


def _check_details(details: Mapping[str, str]) -> None:
    if any(not name or len(name) > 255 for name in details):
        raise InvalidParameter("details: a detail has a name of 1 to 255 characters")


def _write_details(template: Template, details: Mapping[str, str]) -> None:
    kind = template._meta.label_lower
    Detail.objects.filter(kind=kind, row_id=template.pk, name__in=details).delete()
    Detail.objects.bulk_create(Detail(kind=kind, row_id=template.pk, name=n, value=v) for n, v in details.items())


def check_may_publish(owner: Any, by_admin: bool) -> None:
    if not by_admin and not PUBLISHING.value(owner):
        raise PermissionDenied("ispublic: only administrators may make templates and ISOs public here")


@atomically
def update(
    *, template: Template, details: Mapping[str, str] | None = None, cleanup: bool = False, **changes: Any
) -> Template:
    if "name" in changes:
        _check_name(changes["name"])
    if details and cleanup:
        raise InvalidParameter("cleanupdetails: new details cannot be given with it")
    _check_details(details or {})
    if cleanup:
        Detail.objects.filter(kind=template._meta.label_lower, row_id=template.pk).delete()
    _write_details(template, details or {})
    for name, value in changes.items():
        setattr(template, name, value)
    if changes:
        template.save(update_fields=list(changes))
    return template


@atomically
def share(*, template: Template, op: str, accounts: Sequence[Any], by_admin: bool, **flags: Any) -> None:
    """``op``: add and remove accounts, or reset: private again, shared with nobody."""
    if template.kind in copies.OF_THE_INSTALLATION and not by_admin:
        raise PermissionDenied("id: templates of the installation are the operator's")
    if flags.get("is_public"):
        check_may_publish(template.owner, by_admin)
    if op and op != "reset" and not accounts:
        raise InvalidParameter("op: say with accounts or projectids for whom")
    if accounts and op not in ("add", "remove"):
        raise InvalidParameter("accounts: op says whether to add or to remove them")
    if any(account.pk == template.owner_id for account in accounts):
        raise InvalidParameter("accounts: the owner has it already")
    if op == "reset":
        flags = {"is_public": False, "is_featured": False} | flags
        TemplateShare.objects.filter(row=template).delete()
    _change_shares(template, op, accounts)
    if flags:
        update(template=template, **flags)


def _change_shares(template: Template, op: str, accounts: Iterable[Any]) -> None:
    if op == "add":
        rows = (TemplateShare(row=template, account=account) for account in accounts)
        TemplateShare.objects.bulk_create(rows, ignore_conflicts=True)
    elif op == "remove":
        TemplateShare.objects.filter(row=template, account__in=accounts).delete()


def check_deletable(template: Template) -> None:
    if template.kind == Template.Kind.SYSTEM:
        raise InvalidParameter(f"id: {template.name} is what the machines of the system are made of")
    if copies.living(template=template, state="Creating").exists():
        raise InvalidParameter(f"id: {template.name} is being downloaded; delete it when that has ended")
    for why in (answer(template) for answer in in_use.all()):
        if why:
            raise ResourceInUse(f"id: {template.name} is {why}")
