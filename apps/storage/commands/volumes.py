from collections.abc import Mapping
from typing import Any

from django.db.models import Q, QuerySet

from apps.core import scope
from apps.core.callers import ROOT, USER, Access
from apps.core.commands import AsyncCommand, Command, CreateCommand, command
from apps.core.errors import InvalidParameter
from apps.core.lists import OwnedListCommand, scope_of
from apps.core.refs import Owner, Ref, RefFilter
from apps.core.wire import Bool, Long, Str
from apps.infrastructure.models import Zone
from apps.offerings.models import DiskOffering
from apps.storage import ports
from apps.storage.commands.responses import VolumeResponse
from apps.storage.models import Volume
from apps.storage.services import orders, removal


def volume_ref(**more: Any) -> Ref:
    given = {"source": "volume", "required": True, "help_text": "the volume", **more}
    return Ref("storage.Volume", Access.OPERATE, **given)


OFFERING = Ref("offerings.DiskOffering", Access.USE, source="offering", help_text="disk offering")


@command("createVolume", roles=USER, event="VOLUME.CREATE", response=VolumeResponse, locks=("row", "vm"))
class CreateVolume(CreateCommand):
    """Creates a data volume; it takes space on primary storage when it is attached first."""

    name = Str(default="", help_text="the name; made up if absent")
    diskofferingid = OFFERING
    size = Long(min_value=1, help_text="GiB, where the offering leaves it open or there is none")
    zoneid = Ref("infrastructure.Zone", Access.USE, source="zone", help_text="the zone; that of the instance if absent")
    virtualmachineid = Ref(
        "machines.VirtualMachine", Access.OPERATE, source="vm", help_text="attach it to this instance at once"
    )
    displayvolume = Bool(source="is_displayed", allowed=ROOT, help_text="shown to its owner; true if absent")
    owner = Owner()

    @classmethod
    def is_at_once(cls, values: Mapping[str, Any]) -> bool:
        return values.get("vm") is None

    def create(
        self,
        owner: Any,
        name: str,
        zone: Zone | None = None,
        offering: DiskOffering | None = None,
        size: int | None = None,
        **more: Any,
    ) -> Volume:
        if "vm" in more and not ports.attach.all():
            raise InvalidParameter("virtualmachineid: volumes cannot be attached here; leave it out")
        more["by_root"] = self.caller.is_root
        return orders.order(owner=owner, zone=zone, offering=offering, size=size, name=name, **more)

    def run(self, row: Volume, vm: Any = None, **values: Any) -> Volume:
        if vm is not None:
            ports.attach.one()(row, vm)
        return row

    def failed(self, row: Volume) -> None:
        orders.take_back(row)


@command("deleteVolume", roles=USER, event="VOLUME.DELETE", response=None)
class DeleteVolume(Command):
    """Deletes a volume that is attached to no instance, for good."""

    id = volume_ref()

    def run(self, volume: Volume) -> None:
        removal.delete(volume=volume)


@command("destroyVolume", roles=USER, event="VOLUME.DESTROY", response=VolumeResponse, locks=("volume",))
class DestroyVolume(AsyncCommand):
    """Puts a volume aside; until the cleanup expunges it, it can be recovered."""

    id = volume_ref()
    expunge = Bool(default=False, help_text="delete it for good; left to administrators where a setting says so")

    def run(self, volume: Volume, expunge: bool) -> Volume:
        return removal.destroy(volume=volume, expunge=expunge, by_root=self.caller.is_root)


@command("recoverVolume", roles=USER, event="VOLUME.RECOVER", response=VolumeResponse)
class RecoverVolume(Command):
    """Brings back a volume that was destroyed and not expunged yet."""

    id = volume_ref()

    def run(self, volume: Volume) -> Volume:
        return removal.recover(volume=volume, by_root=self.caller.is_root)


@command(
    "resizeVolume",
    roles=USER,
    event="VOLUME.RESIZE",
    response=VolumeResponse,
    locks=("volume", "volume.attachment.vm"),
)
class ResizeVolume(AsyncCommand):
    """Makes a volume larger or smaller, or gives it another disk offering."""

    id = volume_ref()
    size = Long(min_value=1, help_text="the new size in GiB")
    diskofferingid = OFFERING
    shrinkok = Bool(default=False, source="may_shrink", help_text="it may become smaller: what is at its end is lost")

    def run(self, volume: Volume, **values: Any) -> Volume:
        return orders.resize(volume=volume, **values)


@command("updateVolume", roles=ROOT, event="VOLUME.UPDATE", response=VolumeResponse, locks=("volume",))
class UpdateVolume(AsyncCommand):
    """Changes what is said about a volume."""

    id = volume_ref(required=False)
    name = Str(help_text="the name")
    displayvolume = Bool(source="is_displayed", help_text="shown to its owner")
    deleteprotection = Bool(source="delete_protection", help_text="refuse to delete or destroy it")

    def run(self, volume: Volume | None = None, **changes: Any) -> Volume:
        return orders.update(volume=volume, changes=changes)


@command("listVolumes", roles=USER, response=VolumeResponse)
class ListVolumes(OwnedListCommand):
    """Lists volumes."""

    model = "storage.Volume"
    has_ids = True
    tells_count = True
    keyword_in = ("name", "kind", "state")
    filters = {
        "name": "name",
        "state": "state",
        "type": "kind",
        "clusterid": RefFilter("infrastructure.Cluster", "pool__cluster", allowed=ROOT),
        "diskofferingid": RefFilter("offerings.DiskOffering", "offering"),
        "displayvolume": Bool(lookup="is_displayed", allowed=ROOT),
        "hostid": RefFilter("infrastructure.Host", "attachment__vm__host", allowed=ROOT),
        "podid": RefFilter("infrastructure.Pod", "pool__pod", allowed=ROOT),
        "serviceofferingid": RefFilter("offerings.ServiceOffering", "attachment__vm__offering"),
        "storageid": RefFilter("storage.StoragePool", "pool", allowed=ROOT),
        "virtualmachineid": RefFilter("machines.VirtualMachine", "attachment__vm"),
        "zoneid": RefFilter("infrastructure.Zone", "zone"),
    }
    listsystemvms = Bool(source="with_system", allowed=ROOT, help_text="those of machines of the system too")

    def visible(self, given: dict[str, Any]) -> QuerySet:
        if given.pop("with_system", False):
            return Volume.all_tenants.filter(scope.resolve(self.caller, scope_of(given)) | Q(is_system=True))
        rows = super().visible(given)
        return rows if self.caller.is_root else rows.filter(is_displayed=True)
