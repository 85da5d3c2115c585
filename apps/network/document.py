"""The desired state of a network as one document: what its devices must match, whole, with a generation number.

Networks render what they know themselves; the apps above render their sections (DHCP hosts, firewall, NAT) through the
port ``network.sections``. The generation is read first: what is rendered is that one or newer.
"""

from typing import Any

from apps.network import ports
from apps.network.models import Network, PublicAddress


def render(network_id: int) -> dict[str, Any]:
    row = Network.including_removed.select_related("zone", "owner", "offering").get(pk=network_id)
    document: dict[str, Any] = {
        "schema": 1,
        "network": str(row.uuid),
        "generation": row.generation,
        "kind": row.guest_type,
        "cidr": row.cidr,
        "gateway": row.gateway,
        "segment": row.vlan,
        "domain": row.network_domain,
        "dns": [server for server in (row.dns1 or row.zone.dns1, row.dns2 or row.zone.dns2) if server],
        "services": sorted(row.offering.services),
        "egress_default_allow": row.offering.egress_default_allow,
        "public": _public(row),
    }
    for name, section in ports.sections.all():
        document[name] = section(row.pk)
    return document


def _public(network: Network) -> list[dict[str, Any]]:
    rows = PublicAddress.all_tenants.filter(network=network).exclude(state=PublicAddress.State.RELEASING)
    return [
        {
            "ip": row.ip,
            "source_nat": row.is_source_nat,
            "gateway": row.address.range.gateway,
            "netmask": row.address.range.netmask,
            "vlan": row.address.range.vlan,
        }
        for row in rows.select_related("address__range").order_by("pk")
        if row.address
    ]
