"""What public addresses tell about their rules."""

from collections.abc import Sequence
from typing import Any

from apps.core.keys import Keys
from apps.firewall.models import Rule, StaticNat


def of_addresses(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    ruled = (
        Rule.all_tenants.filter(address__among=Keys(keys))
        .exclude(state=Rule.State.REVOKE)
        .values_list("address", flat=True)
    )
    found: dict[int, dict[str, Any]] = {key: {"hasrules": True} for key in ruled.distinct() if key is not None}
    for row in StaticNat.objects.filter(address__among=Keys(keys)).select_related("vm"):
        found.setdefault(row.address_id, {}).update(
            isstaticnat=True,
            virtualmachineid=str(row.vm.uuid),
            virtualmachinename=row.vm.name,
            virtualmachinedisplayname=row.vm.display_name or row.vm.name,
            virtualmachinetype=row.vm.kind,
            vmipaddress=row.vm_ip,
        )
    return found
