from typing import Any

from apps.core.callers import ROOT, USER, Access, Kind
from apps.core.commands import command
from apps.core.errors import InvalidParameter
from apps.core.lists import MemoryListCommand
from apps.core.refs import Ref
from apps.core.responses import Plain
from apps.core.wire import Bool, Int, Str
from apps.infrastructure import capacity
from apps.infrastructure.models import Cluster, Pod, Zone
from apps.infrastructure.services.hosts import HYPERVISORS

PLACES = {"zone": Zone, "pod": Pod, "cluster": Cluster}


class CapacityResponse(Plain):
    wire_name = "capacity"
    fields = {
        "type": "short",
        "name": "string",
        "zoneid": "string",
        "zonename": "string",
        "podid": "string",
        "podname": "string",
        "clusterid": "string",
        "clustername": "string",
        "capacityused": "long",
        "capacityallocated": "long",
        "capacitytotal": "long",
        "percentused": "string",
    }


@command("listCapacity", roles=ROOT | Kind.RESOURCE_ADMIN, response=CapacityResponse)
class ListCapacity(MemoryListCommand):
    """Lists what there is of each kind of capacity and what of it is promised, by zone or by the place asked for."""

    zoneid = Ref("infrastructure.Zone", Access.LIST, source="zone", help_text="of this zone")
    podid = Ref("infrastructure.Pod", Access.LIST, source="pod", help_text="of this pod")
    clusterid = Ref("infrastructure.Cluster", Access.LIST, source="cluster", help_text="of this cluster")
    type = Int(help_text="only this type: 0 memory, 1 CPU, 3 storage promised, 4 public addresses, ...")
    fetchlatest = Bool(help_text="without effect: the numbers are always those of now")
    sortby = Str(choices=("usage",), help_text="usage: the fullest first")

    def entries(self, type: int | None = None, sortby: str = "", **given: Any) -> list[dict[str, Any]]:
        if type is not None and type not in capacity.NAMES:
            raise InvalidParameter(f"type: there is no capacity of type {type}")
        where = {name: [given[name].pk] for name in PLACES if given.get(name)}
        level = next((name for name in reversed(PLACES) if name in where), "zone")
        found = [a for a in capacity.amounts(level, where) if type is None or a.type == type]
        if sortby:
            found.sort(key=lambda a: a.used / a.total if a.total else 0, reverse=True)
        names = self.names(level, {a.place for a in found})
        return [names[a.place] | capacity.said(a) for a in found]

    @staticmethod
    def names(level: str, keys: set[int]) -> dict[int, dict[str, str]]:
        above = {"zone": ("",), "pod": ("", "zone__"), "cluster": ("", "pod__", "zone__")}[level]
        words = {"": level, "zone__": "zone", "pod__": "pod"}
        columns = [f"{prefix}{column}" for prefix in above for column in ("uuid", "name")]
        found = {}
        for key, *values in PLACES[level].all_tenants.filter(pk__in=keys).values_list("pk", *columns):
            pairs = zip(above, values[::2], values[1::2], strict=True)
            found[key] = {
                f"{words[prefix]}{what}": str(value)
                for prefix, uuid, name in pairs
                for what, value in (("id", uuid), ("name", name))
            }
        return found


class HypervisorResponse(Plain):
    wire_name = "hypervisor"
    fields = {"name": "string"}


@command("listHypervisors", roles=USER, response=HypervisorResponse)
class ListHypervisors(MemoryListCommand):
    """Lists the known types of hypervisors, or those of the clusters of a zone."""

    zoneid = Ref("infrastructure.Zone", Access.USE, source="zone", help_text="those of this zone")
    keyword = page = pagesize = None

    def entries(self, zone: Zone | None = None, **given: Any) -> list[dict[str, Any]]:
        if zone is None:
            return [{"name": name} for name in HYPERVISORS if name != "Simulator"]
        there = Cluster.all_tenants.filter(zone=zone).values_list("hypervisor", flat=True).distinct()
        return [{"name": name} for name in sorted(there)]
