from typing import Any

from apps.core.callers import ROOT, USER, Access
from apps.core.commands import Command, command
from apps.core.lists import ListCommand
from apps.core.refs import Ref, RefFilter
from apps.core.wire import Bool, Int, Long, Str
from apps.images.commands.responses import (
    CapabilitiesResponse,
    OsCategoryResponse,
    OsTypeResponse,
    UpdatedCapabilitiesResponse,
)
from apps.images.models import HypervisorCapabilities
from apps.images.services import guest_systems


@command("listOsTypes", roles=USER, response=OsTypeResponse)
class ListOsTypes(ListCommand):
    """Lists the types of guest operating systems."""

    model = "images.OsType"
    has_ids = True
    keyword_in = ("name",)
    filters = {"description": "name", "oscategoryid": RefFilter("images.OsCategory", "category")}
    fordisplay = Bool(lookup="is_displayed", allowed=ROOT, help_text="list those that customers see, or the others")


@command("listOsCategories", roles=USER, response=OsCategoryResponse)
class ListOsCategories(ListCommand):
    """Lists the families of guest operating systems."""

    model = "images.OsCategory"
    keyword_in = ("name",)
    filters = {"name": "name"}
    isfeatured = Bool(lookup="is_featured", help_text="list those that are featured, or the others")


@command("listHypervisorCapabilities", roles=ROOT, response=CapabilitiesResponse)
class ListHypervisorCapabilities(ListCommand):
    """Lists what each hypervisor can do."""

    model = "images.HypervisorCapabilities"
    keyword_in = ("hypervisor",)
    filters = {"hypervisor": "hypervisor"}


@command(
    "updateHypervisorCapabilities",
    roles=ROOT,
    event="CONFIGURATION.VALUE.EDIT",
    response=UpdatedCapabilitiesResponse,
)
class UpdateHypervisorCapabilities(Command):
    """Changes what is expected of a hypervisor."""

    id = Ref("images.HypervisorCapabilities", Access.OPERATE, source="capabilities", help_text="the row")
    hypervisor = Str(help_text="with hypervisorversion, in place of id")
    hypervisorversion = Str(source="version", help_text="with hypervisor, in place of id")
    maxdatavolumeslimit = Int(source="max_data_volumes", min_value=1, help_text="data volumes of an instance, at most")
    maxguestslimit = Long(source="max_guests", min_value=1, max_value=1 << 30, help_text="instances of a host, at most")
    maxhostspercluster = Int(source="max_hosts_per_cluster", min_value=1, help_text="hosts of a cluster, at most")
    securitygroupenabled = Bool(source="security_groups", help_text="whether it can filter at the port")
    storagemotionenabled = Bool(source="storage_motion", help_text="whether it moves disks of running instances")
    vmsnapshotenabled = Bool(source="vm_snapshots", help_text="whether it makes snapshots of whole instances")

    def run(self, **given: Any) -> HypervisorCapabilities:
        return guest_systems.update_capabilities(**given)
