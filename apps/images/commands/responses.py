"""What is said about templates, ISOs, guest systems and image stores."""

from collections.abc import Sequence
from typing import Any

from apps.core.answers import OwnedResponse, TagResponse, details_of
from apps.core.keys import Keys
from apps.core.responses import Batch, Computed, Field, Many, Response
from apps.images.models import TemplateCopy

DONE = {False: "Download Complete", True: "Successfully Installed"}


def status_of(state: str, percent: int, error: str, is_iso: bool) -> str:
    if state == TemplateCopy.State.READY:
        return DONE[is_iso]
    if error:
        return error
    if state == TemplateCopy.State.CREATING and percent >= 100:
        return "Installing ISO" if is_iso else "Installing Template"
    return f"{percent}% Downloaded" if state == TemplateCopy.State.CREATING else "Processing"


def copies_of(keys: Sequence[int], zone: int | None = None) -> dict[int, dict[str, Any]]:
    """Of the zone that was asked for, else of the first where it is ready."""
    found: dict[int, dict[str, Any]] = {key: {"isready": False, "status": "Processing"} for key in keys}
    rows = TemplateCopy.all_tenants.filter(template__among=Keys(keys), **({"zone": zone} if zone else {})).order_by(
        "pk"
    )
    columns = ("template", "template__is_iso", "state", "percent", "error", "physical_bytes")
    for key, is_iso, state, percent, error, size, uuid, name in rows.values_list(*columns, "zone__uuid", "zone__name"):
        ready = state == TemplateCopy.State.READY
        if found[key]["isready"] or ("zoneid" in found[key] and not ready):
            continue
        status = status_of(state, percent, error, is_iso)
        found[key] = {"isready": ready, "status": status, "zoneid": str(uuid), "zonename": name}
        if ready:
            found[key]["physicalsize"] = size
    return found


def _size(size: int) -> int | None:
    return size or None


def _filled(text: str) -> str | None:
    return text or None


class TemplateResponse(OwnedResponse):
    wire_name = "template"
    model = "images.Template"

    id = Field("uuid")
    name = Field()
    displaytext = Field("display_text")
    accountid = Field("owner__uuid")
    arch = Field()
    bits = Field()
    bootable = Field("is_bootable")
    checksum = Computed(("checksum",), _filled, type="string")
    created = Field()
    crossZones = Field("is_cross_zones")
    deployasis = Field("is_deploy_as_is")
    format = Field()
    hypervisor = Field()
    isdynamicallyscalable = Field("is_dynamically_scalable")
    isextractable = Field("is_extractable")
    isfeatured = Field("is_featured")
    ispublic = Field("is_public")
    ostypeid = Field("os_type__uuid")
    ostypename = Field("os_type__name")
    passwordenabled = Field("password_enabled")
    requireshvm = Field("requires_hvm")
    size = Computed(("size_bytes",), _size, type="long")
    sshkeyenabled = Field("sshkey_enabled")
    templatetag = Computed(("tag",), _filled, type="string")
    templatetype = Field("kind")
    url = Computed(("url",), _filled, type="string")
    tags = Many(TagResponse, "row_id", by_kind=True)
    details = Batch(details_of("images.Template"), {"details": "map"})
    copies = Batch(
        copies_of,
        {"isready": "boolean", "status": "string", "zoneid": "string", "zonename": "string", "physicalsize": "long"},
    )


class IsoResponse(TemplateResponse):
    wire_name = "iso"


class OsTypeResponse(Response):
    wire_name = "ostype"
    model = "images.OsType"

    id = Field("uuid")
    name = Field()
    description = Field("name")
    fordisplay = Field("is_displayed")
    isuserdefined = Field("is_user_defined")
    oscategoryid = Field("category__uuid")
    oscategoryname = Field("category__name")


class OsCategoryResponse(Response):
    wire_name = "oscategory"
    model = "images.OsCategory"

    id = Field("uuid")
    name = Field()
    isfeatured = Field("is_featured")


class CapabilitiesResponse(Response):
    wire_name = "hypervisorCapabilities"
    model = "images.HypervisorCapabilities"

    id = Field("uuid")
    hypervisor = Field()
    hypervisorversion = Field("version")
    maxguestslimit = Field("max_guests", type="long")
    maxdatavolumeslimit = Field("max_data_volumes")
    maxhostspercluster = Field("max_hosts_per_cluster")
    securitygroupenabled = Field("security_groups")
    storagemotionenabled = Field("storage_motion")
    vmsnapshotenabled = Field("vm_snapshots")


class UpdatedCapabilitiesResponse(CapabilitiesResponse):
    wire_name = "hypervisorcapabilities"


class ImageStoreResponse(Response):
    wire_name = "imagestore"
    model = "images.ImageStore"

    id = Field("uuid")
    name = Field()
    url = Field()
    protocol = Field()
    providername = Field("provider")
    readonly = Field("is_readonly")
    scope = Field()
    zoneid = Field("zone__uuid")
    zonename = Field("zone__name")
    disksizetotal = Field("capacity_bytes")
    disksizeused = Field("used_bytes")


class SecondaryStorageResponse(ImageStoreResponse):
    wire_name = "secondarystorage"
