"""What infrastructure asks of the apps above."""

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import QuerySet

from apps.core.errors import InvalidParameter
from apps.core.ports import Port
from apps.infrastructure.models import Host, PhysicalNetwork, ServiceProvider, Zone

# A zone was enabled: its system machines should come up. Asked in the transaction that enables it.
zone_enabled: Port[Callable[[Zone], object]] = Port("infrastructure.zone_enabled", many=True, optional=True)
# The ids that networks may take have changed: (first, last) pairs. Raises if one that goes is in use.
vlans_changed: Port[Callable[[PhysicalNetwork, list[tuple[int, int]]], object]] = Port(
    "infrastructure.vlans_changed", many=True, optional=True
)
# A physical network was made, with its providers.
network_made: Port[Callable[[PhysicalNetwork], object]] = Port("infrastructure.network_made", many=True, optional=True)
# What a provider still needs before it can serve: words for the caller, or nothing.
provider_lacks: Port[Callable[[ServiceProvider], str]] = Port("infrastructure.provider_lacks", many=True, optional=True)
# Keys of zones where an account has machines: a subquery.
zones_of: Port[Callable[[Any], QuerySet]] = Port("infrastructure.zones_of", many=True, optional=True)
# What still stands on a row and keeps it from being deleted: words for the caller, or nothing.
in_use: Port[Callable[[Any], str]] = Port("infrastructure.in_use", many=True, optional=True)
# What runs on a host and nobody moves away: words for the caller, or nothing.
stays: Port[Callable[[Host], str]] = Port("infrastructure.stays", many=True, optional=True)
# A host is ours no more; in the transaction that removes it.
host_removed: Port[Callable[[Host], object]] = Port("infrastructure.host_removed", many=True, optional=True)
# A host is to be emptied: begin and join what moves machines away, in the caller's dict of children; raises Wait.
evacuate: Port[Callable[[Host, dict[str, int]], object]] = Port("infrastructure.evacuate", many=True, optional=True)
# Amounts of one level ("zone", "pod", "cluster") within places, as capacity.amounts() gives them.
capacity: Port[Callable[[str, Any], Iterable[Any]]] = Port("infrastructure.capacity", many=True, optional=True)


def check_unused(row: Any) -> None:
    for answer in in_use.all():
        if words := answer(row):
            raise InvalidParameter(f"id: {row._meta.verbose_name} {row.uuid} still has {words}")
