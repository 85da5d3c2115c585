"""Security groups of machines: which ones a new machine is in. Their rules are the firewall's."""

from collections.abc import Sequence
from typing import Any

from apps.core.errors import InvalidParameter
from apps.infrastructure.models import Zone
from apps.machines.models import VirtualMachine
from apps.network.models import Network


def chosen(
    owner: Any, zone: Zone, networks: Sequence[Network], groups: Sequence[Any], names: Sequence[str]
) -> list[Any]:
    if groups and names:
        raise InvalidParameter("securitygroupids and securitygroupnames cannot be given together")
    if not zone.security_groups_enabled:
        if groups or names:
            raise InvalidParameter(f"securitygroupids: zone {zone.name} has no security groups")
        return []
    return []


def join(vm: VirtualMachine, groups: Sequence[Any]) -> None:
    """Until the firewall brings its rows there are none."""
