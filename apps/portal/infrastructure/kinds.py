"""Zones and what they are made of. Their state is `state`, `resourcestate` or `allocationstate`."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.portal.kinds import Action, Kind
from apps.portal.looks import state_label
from apps.portal.visits import Row


def in_resource_state(*states: str) -> Any:
    def reason(row: Row) -> Any:
        state = row.get("resourcestate", "")
        return None if state in states else _("it is %(state)s") % {"state": state_label(state)}

    return reason


def _in_service(row: Row) -> bool:
    return row.get("resourcestate") in ("Enabled", "Disabled", "ErrorInMaintenance")


ZONE = Kind(
    "infrastructure.Zone",
    _("zone"),
    _("zones"),
    _("Zones"),
    "building",
    "listZones",
    "zones",
    creating="createZone",
    searched=True,
    actions=(
        Action("updateZone", "edit", asks=True),
        Action("deleteZone", "trash", asks=True, danger=True),
    ),
)
POD = Kind(
    "infrastructure.Pod",
    _("pod"),
    _("pods"),
    _("Pods"),
    "box",
    "listPods",
    "pods",
    creating="createPod",
    searched=True,
    actions=(
        Action("updatePod", "edit", asks=True),
        Action("deletePod", "trash", asks=True, danger=True),
    ),
)
CLUSTER = Kind(
    "infrastructure.Cluster",
    _("cluster"),
    _("clusters"),
    _("Clusters"),
    "stack-2",
    "listClusters",
    "clusters",
    creating="addCluster",
    searched=True,
    actions=(
        Action("updateCluster", "edit", asks=True),
        Action("deleteCluster", "trash", asks=True, danger=True),
    ),
)
HOST = Kind(
    "infrastructure.Host",
    _("host"),
    _("hosts"),
    _("Hosts"),
    "server",
    "listHosts",
    "hosts",
    asking={"type": "Routing"},
    creating="addHost",
    brief={"details": "min"},
    searched=True,
    actions=(
        Action("prepareHostForMaintenance", "tool", asks=True, shown=_in_service),
        Action(
            "cancelHostMaintenance",
            "player-play",
            unless=in_resource_state("Maintenance", "PrepareForMaintenance", "ErrorInMaintenance"),
            shown=lambda row: not _in_service(row) or row.get("resourcestate") == "ErrorInMaintenance",
        ),
        Action("reconnectHost", "plug", asks=True),
        Action("updateHost", "edit", asks=True),
        Action("deleteHost", "trash", asks=True, danger=True, unless=in_resource_state("Maintenance", "Disabled")),
    ),
)
PHYSICAL_NETWORK = Kind(
    "infrastructure.PhysicalNetwork",
    _("physical network"),
    _("physical networks"),
    _("Physical networks"),
    "topology-star-3",
    "listPhysicalNetworks",
    "physical-networks",
    creating="createPhysicalNetwork",
    actions=(
        Action("updatePhysicalNetwork", "edit", asks=True),
        Action("deletePhysicalNetwork", "trash", asks=True, danger=True),
    ),
)
TRAFFIC_TYPE = Kind(
    "infrastructure.TrafficType",
    _("traffic type"),
    _("traffic types"),
    _("Traffic types"),
    "route",
    "listTrafficTypes",
    "traffic-types",
    has_page=False,
    titles=("traffictype",),
    actions=(
        Action("updateTrafficType", "edit", asks=True),
        Action("deleteTrafficType", "trash", asks=True, danger=True),
    ),
)
PROVIDER = Kind(
    "infrastructure.ServiceProvider",
    _("service provider"),
    _("service providers"),
    _("Service providers"),
    "router",
    "listNetworkServiceProviders",
    "service-providers",
    has_page=False,
    actions=(Action("updateNetworkServiceProvider", "edit", asks=True),),
)
ADDRESS_RANGE = Kind(
    "network.IpRange",
    _("address range"),
    _("address ranges"),
    _("Address ranges"),
    "map-pin",
    "listVlanIpRanges",
    "address-ranges",
    has_page=False,
    titles=("startip",),
    creating="createVlanIpRange",
    actions=(Action("deleteVlanIpRange", "trash", asks=True, danger=True),),
)
POOL = Kind(
    "storage.StoragePool",
    _("primary storage"),
    _("primary storages"),
    _("Primary storage"),
    "database",
    "listStoragePools",
    "primary-storage",
    creating="createStoragePool",
    searched=True,
    actions=(
        Action("enableStorageMaintenance", "tool", states=("Up",), asks=True),
        Action(
            "cancelStorageMaintenance",
            "player-play",
            states=("Maintenance", "PrepareForMaintenance", "ErrorInMaintenance"),
            shown=lambda row: row.get("state") != "Up",
        ),
        Action("updateStoragePool", "edit", asks=True),
        Action("deleteStoragePool", "trash", states=("Maintenance",), asks=True, danger=True),
    ),
)
IMAGE_STORE = Kind(
    "images.ImageStore",
    _("secondary storage"),
    _("secondary storages"),
    _("Secondary storage"),
    "box",
    "listImageStores",
    "secondary-storage",
    creating="addImageStore",
    searched=True,
    actions=(
        Action("updateImageStore", "edit", asks=True),
        Action("deleteImageStore", "trash", asks=True, danger=True),
    ),
)
