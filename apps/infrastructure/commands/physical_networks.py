from typing import Any

from apps.core.callers import ROOT, Access
from apps.core.commands import AsyncCommand, CreateCommand, command
from apps.core.errors import InvalidParameter
from apps.core.lists import ListCommand, MemoryListCommand
from apps.core.refs import Ref, RefFilter
from apps.core.responses import Computed, Field, Plain, Response
from apps.core.wire import List, Str
from apps.infrastructure.commands.responses import text
from apps.infrastructure.models import PhysicalNetwork, ServiceProvider, TrafficType
from apps.infrastructure.services import physical_networks as services

LABELS = {"xennetworklabel": "xen", "kvmnetworklabel": "kvm", "vmwarenetworklabel": "vmware"}
LABELS |= {"hypervnetworklabel": "hyperv", "ovm3networklabel": "ovm3"}


class PhysicalNetworkResponse(Response):
    wire_name = "physicalnetwork"
    model = "infrastructure.PhysicalNetwork"

    id = Field("uuid")
    name = Field()
    zoneid = Field("zone__uuid")
    zonename = Field("zone__name")
    state = Field()
    vlan = text("vlan")
    isolationmethods = text("isolation_methods")
    networkspeed = text("speed")
    broadcastdomainrange = Field("broadcast_domain_range")
    domainid = Field("domain__uuid")
    tags = text("network_tags")


class TrafficTypeResponse(Response):
    wire_name = "traffictype"
    model = "infrastructure.TrafficType"

    id = Field("uuid")
    traffictype = Field("kind")
    physicalnetworkid = Field("physical_network__uuid")
    isolationmethods = text("physical_network__isolation_methods")
    vlan = text("vlan")
    xennetworklabel = Computed(("labels",), lambda labels: labels.get("xen"), type="string")
    kvmnetworklabel = Computed(("labels",), lambda labels: labels.get("kvm"), type="string")
    vmwarenetworklabel = Computed(("labels",), lambda labels: labels.get("vmware"), type="string")
    hypervnetworklabel = Computed(("labels",), lambda labels: labels.get("hyperv"), type="string")
    ovm3networklabel = Computed(("labels",), lambda labels: labels.get("ovm3"), type="string")


class ProviderResponse(Response):
    wire_name = "networkserviceprovider"
    model = "infrastructure.ServiceProvider"

    id = Field("uuid")
    name = Field()
    state = Field()
    physicalnetworkid = Field("physical_network__uuid")
    servicelist = Field("services", type="list")
    canenableindividualservice = Computed(("name",), lambda name: name != "SecurityGroupProvider", type="boolean")


def network_ref(name: str = "network") -> Ref:
    return Ref(
        "infrastructure.PhysicalNetwork", Access.OPERATE, source=name, required=True, help_text="the physical network"
    )


@command(
    "createPhysicalNetwork",
    roles=ROOT,
    event="PHYSICAL.NETWORK.CREATE",
    response=PhysicalNetworkResponse,
    locks=(),
)
class CreatePhysicalNetwork(CreateCommand):
    """Creates a physical network of a zone, with its providers, which are Disabled at first."""

    name = Str(required=True, help_text="the name")
    zoneid = Ref("infrastructure.Zone", Access.OPERATE, source="zone", required=True, help_text="the zone")
    vlan = Str(length=1024, help_text="ids for guest networks: 100-200,300")
    isolationmethods = List(source="methods", help_text="how guest networks are kept apart: VLAN, VXLAN, ...")
    networkspeed = Str(length=32, source="speed", help_text="speed, as text")
    broadcastdomainrange = Str(
        choices=("ZONE", "POD"), source="broadcast_domain_range", help_text="ZONE, or POD in a Basic zone"
    )
    domainid = Ref("domains.Domain", Access.USE, source="domain", help_text="only for this domain")
    tags = List(source="tag_list", help_text="tags that network offerings ask for")

    def create(self, methods: list[str] | None = None, tag_list: list[str] | None = None, **values: Any) -> Any:
        for method in methods or ():
            if method.upper() not in services.ISOLATION:
                raise InvalidParameter(f"isolationmethods: {method} is not known")
        if tag_list and len(tag_list) > 1:
            raise InvalidParameter("tags: a physical network has one tag at most")
        extra = {
            "isolation_methods": ",".join(m.upper() for m in methods or ()),
            "network_tags": ",".join(tag_list or ()),
        }
        return services.create(**values, **extra)

    def run(self, row: PhysicalNetwork, **values: Any) -> PhysicalNetwork:
        return row

    def failed(self, row: PhysicalNetwork) -> None:
        services.delete(network=row)


@command(
    "updatePhysicalNetwork",
    roles=ROOT,
    event="PHYSICAL.NETWORK.UPDATE",
    response=PhysicalNetworkResponse,
    locks=("network",),
)
class UpdatePhysicalNetwork(AsyncCommand):
    """Changes a physical network: enables it, gives it other ids."""

    id = network_ref()
    state = Str(choices=("Enabled", "Disabled"), help_text="Enabled or Disabled")
    vlan = Str(length=1024, help_text="all its ids from now on; those in use stay")
    networkspeed = Str(length=32, source="speed", help_text="speed, as text")
    tags = List(source="tag_list", help_text="its tags from now on")

    def run(self, network: PhysicalNetwork, state: str = "", tag_list: list[str] | None = None, **values: Any) -> Any:
        if tag_list is not None:
            values["network_tags"] = ",".join(tag_list)
        row = services.update(network=network, **values)
        if state:
            PhysicalNetwork.all_tenants.filter(pk=row.pk).kernel_update(state=state)
        return row


@command("deletePhysicalNetwork", roles=ROOT, event="PHYSICAL.NETWORK.DELETE", response=None, locks=("network",))
class DeletePhysicalNetwork(AsyncCommand):
    """Deletes a physical network that no network uses."""

    id = network_ref()

    def run(self, network: PhysicalNetwork) -> dict[str, Any]:
        services.delete(network=network)
        return {"success": True}


@command("listPhysicalNetworks", roles=ROOT, response=PhysicalNetworkResponse)
class ListPhysicalNetworks(ListCommand):
    """Lists physical networks."""

    model = "infrastructure.PhysicalNetwork"
    keyword_in = ("name",)
    filters = {"name": "name", "zoneid": RefFilter("infrastructure.Zone", "zone")}


def labels_of(values: dict[str, Any]) -> dict[str, str]:
    return {kind: values.pop(name) for name, kind in LABELS.items() if name in values}


def label(kind: str) -> Str:
    return Str(help_text=f"name of the network on {kind} hosts")


@command("addTrafficType", roles=ROOT, event="TRAFFIC.TYPE.CREATE", response=TrafficTypeResponse, locks=("network",))
class AddTrafficType(CreateCommand):
    """Says that a physical network carries a type of traffic."""

    physicalnetworkid = network_ref()
    traffictype = Str(
        required=True, choices=services.KINDS, source="kind", help_text="Guest, Management, Public, Storage"
    )
    vlan = Str(length=64, help_text="VLAN of that traffic on VMware hosts")
    xennetworklabel, kvmnetworklabel, vmwarenetworklabel = label("Xen"), label("KVM"), label("VMware")
    hypervnetworklabel, ovm3networklabel = label("Hyper-V"), label("OVM 3")

    def create(self, network: PhysicalNetwork, kind: str, vlan: str = "", **values: Any) -> TrafficType:
        return services.add_traffic(network=network, kind=kind, vlan=vlan, labels=labels_of(values))

    def run(self, row: TrafficType, **values: Any) -> TrafficType:
        return row

    def failed(self, row: TrafficType) -> None:
        row.mark_removed()


def traffic_ref() -> Ref:
    return Ref(
        "infrastructure.TrafficType", Access.OPERATE, source="traffic", required=True, help_text="the traffic type"
    )


@command("updateTrafficType", roles=ROOT, event="TRAFFIC.TYPE.UPDATE", response=TrafficTypeResponse, locks=("traffic",))
class UpdateTrafficType(AsyncCommand):
    """Changes the names that a type of traffic has on hosts."""

    id = traffic_ref()
    xennetworklabel, kvmnetworklabel, vmwarenetworklabel = label("Xen"), label("KVM"), label("VMware")
    hypervnetworklabel, ovm3networklabel = label("Hyper-V"), label("OVM 3")

    def run(self, traffic: TrafficType, **values: Any) -> TrafficType:
        return services.update_traffic(traffic=traffic, labels=labels_of(values))


@command("deleteTrafficType", roles=ROOT, event="TRAFFIC.TYPE.DELETE", response=None, locks=("traffic",))
class DeleteTrafficType(AsyncCommand):
    """Takes a type of traffic off a physical network."""

    id = traffic_ref()

    def run(self, traffic: TrafficType) -> dict[str, Any]:
        services.delete_traffic(traffic=traffic)
        return {"success": True}


@command("listTrafficTypes", roles=ROOT, response=TrafficTypeResponse)
class ListTrafficTypes(ListCommand):
    """Lists the types of traffic of a physical network."""

    model = "infrastructure.TrafficType"
    id = None
    filters = {
        "physicalnetworkid": RefFilter("infrastructure.PhysicalNetwork", "physical_network", required=True),
    }


class ImplementorResponse(Plain):
    wire_name = "traffictypeimplementorresponse"
    fields = {"traffictype": "string", "traffictypeimplementor": "string"}


IMPLEMENTORS = {
    "Guest": "GuestNetworkGuru",
    "Management": "PodBasedNetworkGuru",
    "Public": "PublicNetworkGuru",
    "Storage": "StorageNetworkGuru",
    "Control": "ControlNetworkGuru",
}


@command("listTrafficTypeImplementors", roles=ROOT, response=ImplementorResponse)
class ListTrafficTypeImplementors(MemoryListCommand):
    """Lists who puts each type of traffic on the wire."""

    traffictype = Str(help_text="only of this type")

    def entries(self, traffictype: str = "", **given: Any) -> list[dict[str, Any]]:
        wanted = {n: i for n, i in IMPLEMENTORS.items() if traffictype.lower() in ("", n.lower())}
        return [{"traffictype": name, "traffictypeimplementor": who} for name, who in wanted.items()]


@command(
    "addNetworkServiceProvider",
    roles=ROOT,
    event="SERVICE.PROVIDER.CREATE",
    response=ProviderResponse,
    locks=("network",),
)
class AddNetworkServiceProvider(CreateCommand):
    """Adds a provider to a physical network, Disabled at first."""

    name = Str(required=True, length=64, help_text="the provider: VirtualRouter, ...")
    physicalnetworkid = network_ref()
    servicelist = List(source="service_list", help_text="services that it shall give; all that it can if absent")

    def create(self, network: PhysicalNetwork, name: str, service_list: list[str] | None = None) -> ServiceProvider:
        return services.add_provider(network=network, name=name, services=service_list)

    def run(self, row: ServiceProvider, **values: Any) -> ServiceProvider:
        return row

    def failed(self, row: ServiceProvider) -> None:
        row.mark_removed()


def provider_ref() -> Ref:
    return Ref(
        "infrastructure.ServiceProvider", Access.OPERATE, source="provider", required=True, help_text="the provider"
    )


@command(
    "updateNetworkServiceProvider",
    roles=ROOT,
    event="SERVICE.PROVIDER.UPDATE",
    response=ProviderResponse,
    locks=("provider",),
)
class UpdateNetworkServiceProvider(AsyncCommand):
    """Enables or disables a provider, or the services that it gives."""

    id = provider_ref()
    state = Str(choices=("Enabled", "Disabled", "Shutdown"), help_text="Enabled, Disabled or Shutdown")
    servicelist = List(source="service_list", help_text="services that it gives from now on")

    def run(self, provider: ServiceProvider, state: str = "", service_list: list[str] | None = None) -> ServiceProvider:
        return services.update_provider(provider=provider, state=state, services=service_list)


@command(
    "deleteNetworkServiceProvider", roles=ROOT, event="SERVICE.PROVIDER.DELETE", response=None, locks=("provider",)
)
class DeleteNetworkServiceProvider(AsyncCommand):
    """Deletes a provider that no network uses."""

    id = provider_ref()

    def run(self, provider: ServiceProvider) -> dict[str, Any]:
        services.delete_provider(provider=provider)
        return {"success": True}


@command("listNetworkServiceProviders", roles=ROOT, response=ProviderResponse)
class ListNetworkServiceProviders(ListCommand):
    """Lists the providers of physical networks."""

    model = "infrastructure.ServiceProvider"
    id = None
    keyword_in = ("name",)
    filters = {
        "name": "name",
        "state": "state",
        "physicalnetworkid": RefFilter("infrastructure.PhysicalNetwork", "physical_network"),
    }


class ServiceResponse(Plain):
    wire_name = "networkservice"
    fields = {"name": "string", "provider": "list", "capability": "list"}


@command("listSupportedNetworkServices", roles=ROOT, response=ServiceResponse)
class ListSupportedNetworkServices(MemoryListCommand):
    """Lists the services that networks can have, and who can give them."""

    provider = Str(help_text="only what this provider gives")
    service = Str(help_text="only this service")

    def entries(self, provider: str = "", service: str = "", **given: Any) -> list[dict[str, Any]]:
        found = []
        for name in services.SERVICES:
            givers = [who for who, gives in services.PROVIDERS.items() if name in gives]
            if service.lower() in ("", name.lower()) and (not provider or provider in givers):
                said = [self.said(who) for who in givers if provider in ("", who)]
                found.append({"name": name, "provider": said, "capability": []})
        return found

    @staticmethod
    def said(who: str) -> dict[str, Any]:
        return {"name": who, "state": "Enabled", "servicelist": list(services.PROVIDERS[who])}


class IsolationResponse(Plain):
    wire_name = "isolationmethod"
    fields = {"name": "string"}


@command("listNetworkIsolationMethods", roles=ROOT, response=IsolationResponse)
class ListNetworkIsolationMethods(MemoryListCommand):
    """Lists how guest networks can be kept apart."""

    def entries(self, **given: Any) -> list[dict[str, Any]]:
        return [{"name": name} for name in services.ISOLATION]
