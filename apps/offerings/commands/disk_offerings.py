from typing import Any

from django.apps import apps
from django.db.models import Q

from apps.core.callers import DOMAIN, ROOT, USER, Access
from apps.core.commands import Command, command
from apps.core.refs import Ref, RefFilter
from apps.core.wire import Bool, Int, Long, Map, Str
from apps.offerings.commands import params
from apps.offerings.commands.responses import DiskOfferingResponse
from apps.offerings.commands.service_offerings import PROVISIONING, STORAGE
from apps.offerings.models import DiskOffering
from apps.offerings.services import disk_offerings, offerings

DISPLAY_TEXT = Str(source="display_text", length=4096, help_text="what customers read; the name if absent")
TAGS = Str(source="storage_tags", length=4096, allowed=ROOT, help_text="tags that primary storage must have")
SHOWN = Bool(source="is_displayed", allowed=ROOT, help_text="whether customers see it")


@command("createDiskOffering", roles=DOMAIN, event="DISK.OFFERING.CREATE", response=DiskOfferingResponse)
class CreateDiskOffering(Command):
    """Creates a disk offering, of a fixed size or of the customer's choice."""

    name = params.NAME
    displaytext = DISPLAY_TEXT
    disksize = Long(source="size_gib", min_value=1, max_value=params.MOST_GIB, help_text="GiB")
    customized = Bool(help_text="whether the customer chooses the size")
    customizediops = Bool(source="customized_iops", help_text="whether the customer chooses the operations per second")
    details = Map(style="merged", help_text="free details")
    disksizestrictness = Bool(source="size_strictness", help_text="volumes of it are never resized")
    displayoffering = SHOWN
    maxiops = Long(source="max_iops", min_value=0, help_text="operations per second at most")
    miniops = Long(source="min_iops", min_value=0, help_text="operations per second at least")
    provisioningtype = PROVISIONING
    storagetype = STORAGE
    tags = TAGS
    domainid = params.domains()
    zoneid = params.zones()

    def run(self, details: Any = None, **given: Any) -> DiskOffering:
        places = params.places_of(self.caller, given, new=True)
        return disk_offerings.create(places=places, details=details or {}, **given)


@command("updateDiskOffering", roles=DOMAIN, event="DISK.OFFERING.EDIT", response=DiskOfferingResponse)
class UpdateDiskOffering(Command):
    """Changes what a disk offering is called and where it is offered."""

    id = Ref("offerings.DiskOffering", Access.OPERATE, source="offering", required=True, help_text="the offering")
    name = Str(help_text="the name")
    displaytext = DISPLAY_TEXT
    displayoffering = SHOWN
    sortkey = Int(source="sort_key", help_text=params.SORT_KEY)
    state = Str(choices=params.STATES, help_text="Active or Inactive")
    tags = TAGS
    domainid = params.domains(params.Everywhere)
    zoneid = params.zones(params.Everywhere)

    def run(self, offering: DiskOffering, **given: Any) -> DiskOffering:
        places = params.places_of(self.caller, given, new=False)
        return disk_offerings.update(offering=offering, places=places, **given)


@command("deleteDiskOffering", roles=DOMAIN, event="DISK.OFFERING.DELETE", response=None)
class DeleteDiskOffering(Command):
    """Withdraws a disk offering; volumes that have it keep it."""

    id = Ref("offerings.DiskOffering", Access.OPERATE, source="offering", required=True, help_text="the offering")

    def run(self, offering: DiskOffering) -> None:
        offerings.remove(offering=offering)


@command("listDiskOfferings", roles=USER, response=DiskOfferingResponse)
class ListDiskOfferings(params.SizedList):
    """Lists disk offerings."""

    model = "offerings.DiskOffering"
    filters = {"name": "name"}
    volumeid = RefFilter("storage.Volume", "", help_text="list those this volume can change to")

    def narrow(self, rows: Any, given: dict[str, Any]) -> Any:
        rows = super().narrow(rows, given)
        if not self.caller.is_root:
            rows = rows.filter(is_displayed=True)
        return rows.filter(self._others(given["volumeid"])) if "volumeid" in given else rows

    def _others(self, volume: int) -> Q:
        found = apps.get_model("storage.Volume").objects.visible_to(self.caller).filter(pk=volume).first()
        if found is None:
            return Q(pk__in=())
        return ~Q(pk=found.offering_id) if found.offering_id else Q()
