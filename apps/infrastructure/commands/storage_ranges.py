from typing import Any

from apps.core.callers import ROOT, Access
from apps.core.commands import AsyncCommand, command
from apps.core.lists import ListCommand
from apps.core.refs import Ref, RefFilter
from apps.core.responses import Field, Response
from apps.core.wire import Int, Str
from apps.infrastructure.models import Pod, StorageNetworkRange
from apps.infrastructure.services import physical_networks as services


class StorageNetworkIpRangeResponse(Response):
    wire_name = "storagenetworkiprange"
    model = "infrastructure.StorageNetworkRange"

    id = Field("uuid")
    zoneid = Field("zone__uuid")
    podid = Field("pod__uuid")
    gateway = Field(type="string")
    netmask = Field(type="string")
    startip = Field("start_ip", type="string")
    endip = Field("end_ip", type="string")
    vlan = Field()


@command(
    "createStorageNetworkIpRange",
    roles=ROOT,
    event="STORAGE.IP.RANGE.CREATE",
    response=StorageNetworkIpRangeResponse,
    locks=("pod",),
)
class CreateStorageNetworkIpRange(AsyncCommand):
    """Adds a range of addresses of the storage network of a pod."""

    podid = Ref("infrastructure.Pod", Access.OPERATE, source="pod", required=True, help_text="the pod")
    gateway = Str(required=True, length=64, help_text="gateway of the storage network")
    netmask = Str(required=True, length=64, help_text="netmask of the storage network")
    startip = Str(required=True, length=64, source="start_ip", help_text="first address")
    endip = Str(length=64, source="end_ip", help_text="last address; the first if absent")
    vlan = Int(min_value=1, max_value=4094, help_text="VLAN of the storage network")

    def run(self, pod: Pod, start_ip: str, end_ip: str = "", vlan: int | None = None, **values: Any) -> Any:
        place = {"start_ip": start_ip, "end_ip": end_ip or start_ip, "vlan": vlan, **values}
        return services.create_storage_range(pod=pod, **place)


def range_ref() -> Ref:
    return Ref("infrastructure.StorageNetworkRange", Access.OPERATE, source="row", required=True, help_text="the range")


@command(
    "updateStorageNetworkIpRange",
    roles=ROOT,
    event="STORAGE.IP.RANGE.UPDATE",
    response=StorageNetworkIpRangeResponse,
    locks=("row",),
)
class UpdateStorageNetworkIpRange(AsyncCommand):
    """Changes a range of storage addresses."""

    id = range_ref()
    netmask = Str(length=64, help_text="netmask")
    startip = Str(length=64, source="start_ip", help_text="first address")
    endip = Str(length=64, source="end_ip", help_text="last address")
    vlan = Int(min_value=1, max_value=4094, help_text="VLAN")

    def run(self, row: StorageNetworkRange, **values: Any) -> StorageNetworkRange:
        return services.update_storage_range(row=row, **values)


@command("deleteStorageNetworkIpRange", roles=ROOT, event="STORAGE.IP.RANGE.DELETE", response=None, locks=("row",))
class DeleteStorageNetworkIpRange(AsyncCommand):
    """Deletes a range of storage addresses."""

    id = range_ref()

    def run(self, row: StorageNetworkRange) -> dict[str, Any]:
        row.mark_removed()
        return {"success": True}


@command("listStorageNetworkIpRange", roles=ROOT, response=StorageNetworkIpRangeResponse)
class ListStorageNetworkIpRange(ListCommand):
    """Lists ranges of storage addresses."""

    model = "infrastructure.StorageNetworkRange"
    filters = {
        "podid": RefFilter("infrastructure.Pod", "pod"),
        "zoneid": RefFilter("infrastructure.Zone", "zone"),
    }
