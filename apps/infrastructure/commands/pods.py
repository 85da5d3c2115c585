from typing import Any

from apps.core.callers import ROOT, Access, Kind
from apps.core.commands import AsyncCommand, Command, command
from apps.core.errors import InvalidParameter
from apps.core.refs import Ref, RefFilter
from apps.core.wire import Bool, Str
from apps.infrastructure.commands.responses import PodResponse
from apps.infrastructure.commands.zones import WithCapacities, allocation
from apps.infrastructure.models import Pod, Zone
from apps.infrastructure.services import pods

NEEDED = {"gateway": "gateway", "netmask": "netmask", "start_ip": "startip"}


def pod_ref() -> Ref:
    return Ref("infrastructure.Pod", Access.OPERATE, source="pod", required=True, help_text="the pod")


def address(text: str, *, source: str = "", required: bool = False) -> Str:
    return Str(length=64, source=source, required=required, help_text=text)


@command("createPod", roles=ROOT, event="POD.CREATE", response=PodResponse)
class CreatePod(Command):
    """Creates a pod with its range of management addresses."""

    name = Str(required=True, help_text="the name, unique in its zone")
    zoneid = Ref("infrastructure.Zone", Access.OPERATE, source="zone", required=True, help_text="the zone")
    gateway = address("gateway of the management network")
    netmask = address("netmask of the management network")
    startip = address("first address for system machines", source="start_ip")
    endip = address("last address; the first if absent", source="end_ip")
    allocationstate = allocation()

    def run(self, zone: Zone, name: str, end_ip: str = "", **values: Any) -> Pod:
        for source, wire in NEEDED.items():
            if not values.get(source):
                raise InvalidParameter(f"{wire}: a pod needs it")
        return pods.create(zone=zone, name=name, end_ip=end_ip or values["start_ip"], **values)


@command("updatePod", roles=ROOT, event="POD.EDIT", response=PodResponse)
class UpdatePod(Command):
    """Changes a pod; addresses in use stay in its range."""

    id = pod_ref()
    name = Str(help_text="the new name")
    gateway = address("gateway of the management network")
    netmask = address("netmask of the management network")
    startip = address("first address for system machines", source="start_ip")
    endip = address("last address for system machines", source="end_ip")
    allocationstate = allocation()

    def run(self, pod: Pod, **values: Any) -> Pod:
        return pods.update(pod=pod, **values)


@command("deletePod", roles=ROOT, event="POD.DELETE", response=None)
class DeletePod(Command):
    """Deletes a pod that has nothing in it."""

    id = pod_ref()

    def run(self, pod: Pod) -> None:
        pods.delete(pod=pod)


@command("listPods", roles=ROOT | Kind.RESOURCE_ADMIN, response=PodResponse)
class ListPods(WithCapacities):
    """Lists pods."""

    model = "infrastructure.Pod"
    keyword_in = ("name",)
    filters = {
        "name": "name",
        "allocationstate": "allocation_state",
        "zoneid": RefFilter("infrastructure.Zone", "zone"),
    }


@command(
    "createManagementNetworkIpRange",
    roles=ROOT,
    event="MANAGEMENT.IP.RANGE.CREATE",
    response=PodResponse,
    locks=("pod",),
)
class CreateManagementNetworkIpRange(AsyncCommand):
    """Adds a range of management addresses to a pod, of the network that it has."""

    podid = pod_ref()
    gateway = address("gateway of the pod", required=True)
    netmask = address("netmask of the pod", required=True)
    startip = address("first address", source="start_ip", required=True)
    endip = address("last address; the first if absent", source="end_ip")
    vlan = Str(length=64, help_text="VLAN of the addresses; untagged if absent")
    forsystemvms = Bool(source="for_system_vms", help_text="for system machines, as all of them are")

    def run(self, pod: Pod, start_ip: str, end_ip: str = "", **values: Any) -> Pod:
        return pods.add_range(pod=pod, start_ip=start_ip, end_ip=end_ip or start_ip, **values)


@command(
    "deleteManagementNetworkIpRange", roles=ROOT, event="MANAGEMENT.IP.RANGE.DELETE", response=None, locks=("pod",)
)
class DeleteManagementNetworkIpRange(AsyncCommand):
    """Takes a range that was added to a pod away again."""

    podid = pod_ref()
    startip = address("first address", source="start_ip", required=True)
    endip = address("last address", source="end_ip", required=True)
    vlan = Str(length=64, required=True, help_text="VLAN of the addresses; untagged for none")

    def run(self, pod: Pod, vlan: str, **values: Any) -> dict[str, Any]:
        pods.delete_range(pod=pod, vlan="" if vlan == "untagged" else vlan, **values)
        return {"success": True}


@command(
    "updatePodManagementNetworkIpRange", roles=ROOT, event="MANAGEMENT.IP.RANGE.UPDATE", response=None, locks=("pod",)
)
class UpdatePodManagementNetworkIpRange(AsyncCommand):
    """Gives a range of management addresses other ends; addresses in use stay in it."""

    podid = pod_ref()
    currentstartip = address("first address now", source="start_ip", required=True)
    currentendip = address("last address now", source="end_ip", required=True)
    newstartip = address("first address from now on", source="new_start")
    newendip = address("last address from now on", source="new_end")

    def run(self, pod: Pod, **values: Any) -> dict[str, Any]:
        pods.update_range(pod=pod, **values)
        return {"success": True}
