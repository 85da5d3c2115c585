"""What hypervisors are expected to do."""

from typing import Any

from apps.core.errors import InvalidParameter
from apps.images.models import HypervisorCapabilities


def update_capabilities(
    *, capabilities: HypervisorCapabilities | None = None, hypervisor: str = "", version: str = "", **changes: Any
) -> HypervisorCapabilities:
    named = HypervisorCapabilities.all_tenants.filter(hypervisor__iexact=hypervisor, version=version)
    row = capabilities or named.first()
    if row is None:
        raise InvalidParameter("id: say which hypervisor, by id or by hypervisor and hypervisorversion")
    for name, value in changes.items():
        setattr(row, name, value)
    if changes:
        row.save(update_fields=list(changes))
    return row
