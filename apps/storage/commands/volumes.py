from typing import Any

from apps.core.callers import USER, Access
from apps.core.commands import CreateCommand, command
from apps.core.lists import OwnedListCommand
from apps.core.refs import Owner, Ref, RefFilter
from apps.core.wire import Long, Str
from apps.infrastructure.models import Zone
from apps.storage.commands.responses import VolumeResponse
from apps.storage.models import Volume
from apps.storage.services import volumes
from apps.storage.states import VOLUME

GIB = 1 << 30


@command("createVolume", roles=USER, event="VOLUME.CREATE", response=VolumeResponse, locks=())
class CreateVolume(CreateCommand):
    """Creates a data volume; it takes space on primary storage when it is attached first."""

    name = Str(required=True, help_text="the name")
    size = Long(min_value=1, required=True, help_text="GiB")
    zoneid = Ref("infrastructure.Zone", Access.USE, source="zone", required=True, help_text="the zone")
    owner = Owner()

    def create(self, owner: Any, zone: Zone, name: str, size: int) -> Volume:
        return volumes.allocate(owner=owner, zone=zone, name=name, size=size * GIB)

    def run(self, row: Volume, **values: Any) -> Volume:
        return row

    def failed(self, row: Volume) -> None:
        VOLUME.fire(row, "DestroyRequested")


@command("listVolumes", roles=USER, response=VolumeResponse)
class ListVolumes(OwnedListCommand):
    """Lists volumes."""

    model = "storage.Volume"
    has_ids = True
    tells_count = True
    keyword_in = ("name",)
    filters = {
        "name": "name",
        "state": "state",
        "type": "kind",
        "zoneid": RefFilter("infrastructure.Zone", "zone"),
        "virtualmachineid": RefFilter("machines.VirtualMachine", "attachment__vm"),
    }
