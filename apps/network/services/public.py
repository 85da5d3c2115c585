"""Public addresses of accounts."""

from typing import Any

from apps.core.errors import InvalidParameter
from apps.core.ownership import admit, release
from apps.core.retry import atomically
from apps.infrastructure.models import Zone
from apps.network import ports
from apps.network.models import Network, PublicAddress
from apps.network.services import addressing, ranges


@atomically
def acquire(
    *, owner: Any, zone: Zone, network: Network | None = None, wanted: str | None = None, **values: Any
) -> PublicAddress:
    """One of the zone's free addresses, now the owner's and, if given, of its network."""
    taken = ranges.take_public(zone, owner, "public", wanted)
    row = admit(PublicAddress, owner, address=taken, ip=taken.ip, zone=zone, network=network, **values)
    type(taken).objects.filter(pk=taken.pk).update(taken_by=row.lock_key)
    if network:
        addressing.changed(network.pk)
    return row


@atomically
def let_go(row: PublicAddress) -> None:
    """Rules first, then the address; free for others at once. Safe to repeat."""
    for answer in ports.address_released.all():
        answer(row)
    if not release(row):
        return
    if row.network_id:
        addressing.changed(row.network_id)
    address = row.address
    PublicAddress.including_removed.filter(pk=row.pk).update(address=None)
    if address:
        ranges.give_back(address)


def check_releasable(row: PublicAddress) -> None:
    if row.is_source_nat:
        raise InvalidParameter("id: the source NAT address goes with its network only")
    if row.is_system:
        raise InvalidParameter("id: the address is the system's")


def source_nat(network: Network) -> PublicAddress | None:
    return PublicAddress.all_tenants.filter(network=network, is_source_nat=True).select_related("address").first()


@atomically
def ensure_source_nat(network: Network) -> PublicAddress:
    return source_nat(network) or acquire(owner=network.owner, zone=network.zone, network=network, is_source_nat=True)
