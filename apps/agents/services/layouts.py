"""What hosts are told of their physical networks: the labels of traffic types are cards or bridges of the host, as
CloudStack has them for KVM.
"""

from typing import Any

from apps.core.errors import InvalidParameter
from apps.infrastructure.models import TrafficType, Zone

DEFAULTS = {"Guest": "cloudbr0", "Public": "cloudbr1"}


def of_zone(zone: Zone) -> dict[str, Any]:
    rows = TrafficType.all_tenants.filter(
        physical_network__zone=zone, physical_network__removed=None, kind__in=DEFAULTS
    ).select_related("physical_network")
    found: dict[str, dict[str, str]] = {}
    for row in rows.order_by("pk"):
        label = row.kind.lower()
        if label in found:
            raise InvalidParameter(f"zoneid: zone {zone.name} has {label} traffic twice, hosts of KVM take it once")
        isolation = "vxlan" if "VXLAN" in row.physical_network.isolation_methods.upper() else "vlan"
        found[label] = {"device": row.labels.get("kvm") or DEFAULTS[row.kind], "isolation": isolation}
    if "guest" not in found:
        raise InvalidParameter(f"zoneid: no physical network of zone {zone.name} has guest traffic")
    return {"physical": found, "guest": "guest", "public": "public" if "public" in found else "guest"}
