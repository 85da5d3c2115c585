"""The section of a network's document that instances make: what each is told of itself. It has secrets: what keeps a
document keeps it closed.
"""

from typing import Any

from apps.compute.services import details
from apps.core import secret
from apps.core.models import Detail
from apps.machines.models import Nic, VirtualMachine

COLUMNS = ("uuid", "name", "instance_name", "zone__name", "offering__name", "user_data", "password")


def machines(network: int) -> list[dict[str, Any]]:
    rows = Nic.all_tenants.filter(network=network, vm__kind=VirtualMachine.Kind.USER).exclude(ip=None).order_by("pk")
    found = list(rows.values("mac", "ip", "vm", *(f"vm__{name}" for name in COLUMNS)))
    keys = _keys({row["vm"] for row in found})
    return [_told(row, keys.get(row["vm"], "")) for row in found]


def _keys(vms: set[int]) -> dict[int, str]:
    rows = Detail.objects.filter(kind=details.KIND, name=details.PUBLIC_KEY, row_id__in=vms)
    return dict(rows.values_list("row_id", "value"))


def _told(row: dict[str, Any], keys: str) -> dict[str, Any]:
    sealed = row["vm__password"]
    return {
        "uuid": str(row["vm__uuid"]),
        "mac": row["mac"],
        "ip": row["ip"],
        "name": row["vm__name"],
        "instance_name": row["vm__instance_name"],
        "zone": row["vm__zone__name"],
        "offering": row["vm__offering__name"],
        "user_data": row["vm__user_data"],
        "keys": [line for line in keys.splitlines() if line.strip()],
        "password": secret.unseal(sealed) if sealed else "",
    }
