"""What is said about zones, pods, clusters and hosts."""

from collections.abc import Sequence
from typing import Any

from apps.core.answers import TagResponse, details_of
from apps.core.keys import Keys
from apps.core.responses import FULL, Batch, Computed, Field, Many, Response
from apps.infrastructure import capacity
from apps.infrastructure.models import Host, HostLoad, HostTag, Pod, PodRange

ASKED = "capacity"  # word of details: only where showcapacities asks for it
MIB = 1 << 20
UNTAGGED = "vlan://untagged"


def text_or_none(text: str) -> str:
    return text or None  # type: ignore[return-value]


def text(source: str, **how: Any) -> Computed:
    """A text that is left out where it is empty."""
    return Computed((source,), text_or_none, **how)


def capacities(level: str) -> Batch:
    def fn(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {key: {"capacity": []} for key in keys}
        for amount in capacity.amounts(level, {level: list(keys)}):
            found[amount.place]["capacity"].append(capacity.said(amount))
        return found

    return Batch(fn, {"capacity": "list"}, view=FULL, detail=ASKED)


def resource_details(label: str) -> Batch:
    asked = details_of(label)

    def fn(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
        return {key: {"resourcedetails": values["details"]} for key, values in asked(keys).items()}

    return Batch(fn, {"resourcedetails": "map"}, view=FULL)


class ZoneResponse(Response):
    wire_name = "zone"
    model = "infrastructure.Zone"

    id = Field("uuid")
    name = Field()
    description = text("description")
    displaytext = text("description")
    networktype = Field("network_type")
    allocationstate = Field("allocation_state")
    securitygroupsenabled = Field("security_groups_enabled")
    localstorageenabled = Field("local_storage_enabled")
    dhcpprovider = Field("dhcp_provider")
    dns1 = text("dns1", view=FULL)
    dns2 = text("dns2", view=FULL)
    internaldns1 = text("internal_dns1", view=FULL)
    internaldns2 = text("internal_dns2", view=FULL)
    ip6dns1 = text("ip6_dns1", view=FULL)
    ip6dns2 = text("ip6_dns2", view=FULL)
    guestcidraddress = text("guest_cidr", view=FULL)
    domain = text("network_domain")
    domainid = Field("domain__uuid")
    domainname = Field("domain__name")
    zonetoken = text("token")
    type = Computed((), lambda: "Core", type="string")
    gputotal = Computed((), int, type="long")
    gpuused = Computed((), int, type="long")
    hasannotations = Computed((), bool, type="boolean")
    ismultiarch = Computed((), bool, type="boolean")
    isnsxenabled = Computed((), bool, type="boolean")
    routedmodeenabled = Computed((), bool, type="boolean")
    allowuserspecifyvrmtu = Computed((), bool, type="boolean")
    routerprivateinterfacemaxmtu = Computed((), lambda: 1500, type="integer")
    routerpublicinterfacemaxmtu = Computed((), lambda: 1500, type="integer")
    details = resource_details("infrastructure.zone")
    tags = Many(TagResponse, "row_id", by_kind=True)
    capacity = capacities("zone")


RANGES = dict.fromkeys(("startip", "endip", "forsystemvms", "vlanid", "ipranges"), "list")


def ranges_of(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The range that each pod was made with and those that were added: as lists that go together, and as records."""
    rows: dict[int, list[tuple[str, str, str, str, str]]] = {}
    for key, start, end, gateway in Pod.including_removed.filter(pk__among=Keys(keys)).values_list(
        "pk", "start_ip", "end_ip", "gateway"
    ):
        rows[key] = [(start, end, gateway, "0", UNTAGGED)]
    more = PodRange.objects.filter(pod__among=Keys(keys)).order_by("pk")
    for key, start, end, gateway, system, vlan in more.values_list(
        "pod", "start_ip", "end_ip", "pod__gateway", "for_system_vms", "vlan"
    ):
        rows[key].append((start, end, gateway, "1" if system else "0", f"vlan://{vlan}" if vlan else UNTAGGED))
    return {key: _told(found) for key, found in rows.items()}


def _told(found: list[tuple[str, str, str, str, str]]) -> dict[str, Any]:
    names = ("startip", "endip", "gateway", "forsystemvms", "vlanid")
    records = [dict(zip(names, row, strict=True)) for row in found]
    return {name: [record[name] for record in records] for name in names if name != "gateway"} | {"ipranges": records}


class PodResponse(Response):
    wire_name = "pod"
    model = "infrastructure.Pod"

    id = Field("uuid")
    name = Field()
    zoneid = Field("zone__uuid")
    zonename = Field("zone__name")
    gateway = Field(type="string")
    netmask = Field(type="string")
    ranges = Batch(ranges_of, RANGES)
    allocationstate = Field("allocation_state")
    hasannotations = Computed((), bool, type="boolean")
    capacity = capacities("pod")


class ClusterResponse(Response):
    wire_name = "cluster"
    model = "infrastructure.Cluster"

    id = Field("uuid")
    name = Field()
    zoneid = Field("zone__uuid")
    zonename = Field("zone__name")
    podid = Field("pod__uuid")
    podname = Field("pod__name")
    hypervisortype = Field("hypervisor")
    clustertype = Field("cluster_type")
    allocationstate = Field("allocation_state")
    managedstate = Field("managed_state")
    cpuovercommitratio = Computed(("cpu_overcommit",), str)
    memoryovercommitratio = Computed(("memory_overcommit",), str)
    arch = Field()
    hasannotations = Computed((), bool, type="boolean")
    details = resource_details("infrastructure.cluster")
    capacity = capacities("cluster")


def percent(used: int, total: int) -> str:
    return f"{100 * used / total if total else 0:.2f}%"


def in_bytes(mib: int) -> int:
    return mib * MIB


def tags_of(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    found: dict[int, list[str]] = {}
    for key, tag in HostTag.objects.filter(host__among=Keys(keys)).order_by("tag").values_list("host_id", "tag"):
        found.setdefault(key, []).append(tag)
    return {key: {"hosttags": ",".join(tags), "explicithosttags": ",".join(tags)} for key, tags in found.items()}


def share(percent: float | None) -> str | None:
    return None if percent is None else f"{round(percent, 2):g}%"


def uses(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Of those that are Up: what another used last says nothing of now. Traffic is in KiB since its start."""
    rows = HostLoad.objects.filter(host__among=Keys(keys), host__status=Host.Status.UP)
    columns = ("host", "cpu_percent", "memory_bytes", "received_bytes", "sent_bytes", "load_average")
    return {
        host: {
            "cpuused": share(percent),
            "memoryused": memory,
            "networkkbsread": received >> 10,
            "networkkbswrite": sent >> 10,
            "cpuloadaverage": average,
        }
        for host, percent, memory, received, sent, average in rows.values_list(*columns)
    }


USE = {
    "cpuused": "string",
    "memoryused": "long",
    "networkkbsread": "long",
    "networkkbswrite": "long",
    "cpuloadaverage": "double",
}


class HostResponse(Response):
    wire_name = "host"
    model = "infrastructure.Host"
    with_jobs = False

    id = Field("uuid")
    name = Field()
    state = Field("status", type="string")
    resourcestate = Field("resource_state")
    type = Field()
    hypervisor = Field()
    hypervisorversion = text("hypervisor_version")
    version = text("hypervisor_version")
    zoneid = Field("zone__uuid")
    zonename = Field("zone__name")
    podid = Field("pod__uuid")
    podname = Field("pod__name")
    clusterid = Field("cluster__uuid")
    clustername = Field("cluster__name")
    clustertype = Field("cluster__cluster_type")
    arch = Field("cluster__arch")
    ipaddress = text("ip")
    username = text("username")
    cpusockets = Field("cpu_sockets")
    cpunumber = Field("cpu_cores")
    cpuspeed = Field("cpu_speed_mhz", type="long")
    cpuwithoverprovisioning = Computed(("cpu_mhz_capacity",), str)
    cpuallocatedvalue = Field("cpu_mhz_used")
    cpuallocated = Computed(("cpu_mhz_used", "cpu_mhz_capacity"), percent)
    cpuallocatedpercentage = Computed(("cpu_mhz_used", "cpu_mhz_capacity"), percent)
    cpuallocatedwithoverprovisioning = Computed(("cpu_mhz_used", "cpu_mhz_capacity"), percent)
    memorytotal = Field("memory_bytes")
    memorywithoverprovisioning = Computed(("memory_mib_capacity",), lambda mib: str(mib * MIB), type="string")
    memoryallocated = Computed(("memory_mib_used",), in_bytes, type="long")
    memoryallocatedbytes = Computed(("memory_mib_used",), in_bytes, type="long")
    memoryallocatedpercentage = Computed(("memory_mib_used", "memory_mib_capacity"), percent)
    lastpinged = Field("last_pinged")
    disconnected = Field()
    created = Field()
    removed = Field()
    hasannotations = Computed((), bool, type="boolean")
    islocalstorageactive = Computed((), bool, type="boolean")
    hahost = Computed((), bool, type="boolean")
    events = Computed((), lambda: "AgentConnected; Ping; HostDown; Remove", type="string")
    capabilities = Computed((), lambda: "hvm", type="string")
    tags = Batch(tags_of, {"hosttags": "string", "explicithosttags": "string"})
    use = Batch(uses, USE, detail="stats", help_text="what it uses, as it told last")
    stats = Batch(lambda keys: {}, {"stats": "list"}, help_text="what it used since startdate, the oldest first")
