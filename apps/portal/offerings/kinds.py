"""What machines, disks and networks are made after."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.portal.kinds import Action, Kind
from apps.portal.visits import Row


def _default(row: Row) -> Any:
    return _("it belongs to the product") if row.get("isdefault") or row.get("defaultuse") else None


OFFERING = Kind(
    "offerings.ServiceOffering",
    _("compute offering"),
    _("compute offerings"),
    _("Compute offerings"),
    "adjustments-horizontal",
    "listServiceOfferings",
    "compute-offerings",
    creating="createServiceOffering",
    actions=(
        Action("updateServiceOffering", "edit", asks=True),
        Action("deleteServiceOffering", "trash", asks=True, danger=True, unless=_default),
    ),
)
DISK_OFFERING = Kind(
    "offerings.DiskOffering",
    _("disk offering"),
    _("disk offerings"),
    _("Disk offerings"),
    "disc",
    "listDiskOfferings",
    "disk-offerings",
    creating="createDiskOffering",
    actions=(
        Action("updateDiskOffering", "edit", asks=True),
        Action("deleteDiskOffering", "trash", asks=True, danger=True),
    ),
)
NETWORK_OFFERING = Kind(
    "offerings.NetworkOffering",
    _("network offering"),
    _("network offerings"),
    _("Network offerings"),
    "topology-star-3",
    "listNetworkOfferings",
    "network-offerings",
    titles=("displaytext", "name"),
    choosing={"state": "Enabled"},
    creating="createNetworkOffering",
    actions=(
        Action("updateNetworkOffering", "edit", asks=True),
        Action("deleteNetworkOffering", "trash", asks=True, danger=True, unless=_default),
    ),
)
