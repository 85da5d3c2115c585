"""What is said about offerings."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.apps import apps

from apps.core.answers import details_of
from apps.core.prepared import KeysSlot, Prepared
from apps.core.responses import FULL, Batch, Computed, Field, Response
from apps.offerings.models import ServiceOffering

GIB = 1 << 30
BOUNDS = {
    "mincpunumber": "min_cpus",
    "maxcpunumber": "max_cpus",
    "minmemory": "min_memory_mib",
    "maxmemory": "max_memory_mib",
}


def places_of(label: str) -> Batch:
    """Names and ids of the domains and zones, comma separated, as the wire has them."""

    def linked(column: str, word: str) -> Any:
        field: Any = apps.get_model(label)._meta.get_field(column)
        key, links = field.m2m_column_name(), field.remote_field.through.objects
        rows = links.filter(**{f"{key}__among": KeysSlot("keys")}).order_by("pk")
        return rows.values_list(key, f"{word}__name", f"{word}__uuid")

    columns = (("domains", "domain"), ("zones", "zone"))
    asked = [(word, Prepared(partial(linked, column, word))) for column, word in columns]

    def fn(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {}
        for word, rows in asked:
            for pk, name, uuid in rows(keys=keys):
                values = found.setdefault(pk, {})
                values[word] = f"{values[word]},{name}" if word in values else name
                values[f"{word}id"] = f"{values[f'{word}id']},{uuid}" if f"{word}id" in values else str(uuid)
        return found

    return Batch(fn, dict.fromkeys(("domain", "domainid", "zone", "zoneid"), "string"))


def gib(size: int | None) -> int | None:
    return None if size is None else size // GIB


def filled(text: str) -> str | None:
    return text or None


def _rate(mbps: int | None, system: str) -> int | None:
    """Machines of the system but routers are never throttled, which the wire says as 0."""
    return 0 if mbps is None and system not in ("", "domainrouter") else mbps


def zero_if_chosen(size: int | None) -> int:
    return (size or 0) // GIB


class OfferingResponse(Response):
    id = Field("uuid")
    name = Field()
    displaytext = Field("display_text")
    created = Field()
    state = Field()


GIVEN = details_of("offerings.ServiceOffering")
OPEN = Prepared(
    lambda: ServiceOffering.including_removed.filter(pk__among=KeysSlot("keys"), customized=True).values_list(
        "pk", *BOUNDS.values()
    )
)


def _service_details(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What the operator gave, and the bounds of a customized offering."""
    found = {key: dict(values["details"]) for key, values in GIVEN(keys).items()}
    for key, *bounds in OPEN(keys=keys):
        given = {n: str(b) for n, b in zip(BOUNDS, bounds, strict=True) if b is not None}
        if given:
            found[key] = found.get(key, {}) | given
    return {key: {"serviceofferingdetails": values} for key, values in found.items()}


class ServiceOfferingResponse(OfferingResponse):
    wire_name = "serviceoffering"
    model = "offerings.ServiceOffering"

    cpunumber = Field("cpus")
    cpuspeed = Field("speed_mhz")
    memory = Field("memory_mib")
    iscustomized = Field("customized")
    limitcpuuse = Field("limit_cpu_use")
    offerha = Field("offer_ha")
    isvolatile = Field("is_volatile")
    dynamicscalingenabled = Field("dynamic_scaling")
    storagetype = Field("storage_type")
    provisioningtype = Field("provisioning_type")
    hosttags = Computed(("host_tags",), filled, view=FULL, type="string")
    storagetags = Computed(("storage_tags",), filled, view=FULL, type="string")
    networkrate = Computed(("network_rate_mbps", "system_vm_type"), _rate, type="integer")
    deploymentplanner = Computed(("planner",), filled, type="string")
    rootdisksize = Computed(("root_disk_bytes",), zero_if_chosen, type="long")
    issystem = Field("is_system")
    systemvmtype = Computed(("system_vm_type",), filled, type="string")
    defaultuse = Field("is_default_use")
    places = places_of("offerings.ServiceOffering")
    details = Batch(_service_details, {"serviceofferingdetails": "map"})


class DiskOfferingResponse(OfferingResponse):
    wire_name = "diskoffering"
    model = "offerings.DiskOffering"

    disksize = Computed(("size_bytes",), zero_if_chosen, type="long")
    iscustomized = Field("customized")
    iscustomizediops = Field("customized_iops")
    disksizestrictness = Field("size_strictness")
    displayoffering = Field("is_displayed")
    storagetype = Field("storage_type")
    provisioningtype = Field("provisioning_type")
    tags = Computed(("storage_tags",), filled, type="string")
    miniops = Field("min_iops")
    maxiops = Field("max_iops")
    places = places_of("offerings.DiskOffering")
    details = Batch(details_of("offerings.DiskOffering"), {"details": "map"})


Services = dict[str, list[str]]
Capabilities = dict[str, dict[str, str]]


def services_of(services: Services, capabilities: Capabilities) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "provider": [{"name": provider} for provider in providers],
            "capability": [
                {"name": n, "value": v, "canchooseservicecapability": False}
                for n, v in sorted(capabilities.get(name, {}).items())
            ],
        }
        for name, providers in sorted(services.items())
    ]


def has(service: str, capability: str) -> Callable[[Capabilities], bool]:
    def fn(capabilities: Capabilities) -> bool:
        return capabilities.get(service, {}).get(capability, "false").lower() == "true"

    return fn


def _internal(services: Services) -> bool:
    return "InternalLbVm" in services.get("Lb", ())


class NetworkOfferingResponse(OfferingResponse):
    wire_name = "networkoffering"
    model = "offerings.NetworkOffering"

    availability = Field()
    conservemode = Field("conserve_mode")
    egressdefaultpolicy = Field("egress_default_allow")
    forvpc = Field("for_vpc")
    guestiptype = Field("guest_ip_type")
    isdefault = Field("is_default")
    ispersistent = Field("is_persistent")
    maxconnections = Field("max_connections")
    networkrate = Field("network_rate_mbps")
    service = Computed(("services", "capabilities"), services_of, type="list")
    serviceofferingid = Field("service_offering__uuid")
    specifyipranges = Field("specify_ip_ranges")
    specifyvlan = Field("specify_vlan")
    supportsinternallb = Computed(("services",), _internal, type="boolean")
    supportspublicaccess = Computed(("capabilities",), has("Connectivity", "PublicAccess"), type="boolean")
    supportsstrechedl2subnet = Computed(("capabilities",), has("Connectivity", "StretchedL2Subnet"), type="boolean")
    tags = Computed(("tags",), filled, type="string")
    traffictype = Field("traffic_type")
    places = places_of("offerings.NetworkOffering")
    details = Batch(details_of("offerings.NetworkOffering"), {"details": "map"})


class VpcOfferingResponse(OfferingResponse):
    wire_name = "vpcoffering"
    model = "offerings.VpcOffering"

    distributedvpcrouter = Field("distributed")
    isdefault = Field("is_default")
    service = Computed(("services", "capabilities"), services_of, type="list")
    supportsregionLevelvpc = Computed(("capabilities",), has("Connectivity", "RegionLevelVpc"), type="boolean")
    places = places_of("offerings.VpcOffering")
