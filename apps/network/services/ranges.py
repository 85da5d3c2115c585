"""Ranges of addresses that operators give, and who has which address. Taking one is a compare-and-swap on its row."""

from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import Any

from django.db.models import Q

from apps.core.errors import InsufficientAddresses, InvalidParameter
from apps.core.retry import atomically
from apps.infrastructure import addresses
from apps.infrastructure.models import PhysicalNetwork, Pod, Zone
from apps.network.models import IpRange, Network, RangeAddress

TRIES = 20


@atomically
def create(
    *,
    zone: Zone,
    gateway: str,
    netmask: str,
    start_ip: str,
    end_ip: str,
    vlan: str,
    network: Network | None = None,
    pod: Pod | None = None,
    physical_network: PhysicalNetwork | None = None,
    **values: Any,
) -> IpRange:
    """Add a range with a row for each of its addresses."""
    found = addresses.span(start_ip, end_ip, addresses.network(gateway, netmask), gateway)
    others = IpRange.all_tenants.filter(zone=zone, is_lazy=False, vlan=vlan)
    others = others.filter(network=network) if network else others.filter(network=None)
    if addresses.overlap(start_ip, end_ip, list(others.values_list("start_ip", "end_ip"))):
        raise InvalidParameter("startip: the range overlaps another one of the same VLAN")
    place = {"gateway": gateway, "netmask": netmask, "start_ip": start_ip, "end_ip": end_ip}
    row = IpRange(zone=zone, vlan=vlan, network=network, pod=pod, physical_network=physical_network, **place, **values)
    row.save()
    rows = (RangeAddress(range=row, ip=str(ip), number=int(ip)) for ip in found)
    RangeAddress.objects.bulk_create(rows, batch_size=5000)
    return row


@atomically
def delete(*, row: IpRange) -> None:
    if RangeAddress.objects.filter(range=row).exclude(taken_by="").exists():
        raise InvalidParameter("id: addresses of the range are in use")
    RangeAddress.objects.filter(range=row).delete()
    row.mark_removed()


def take(ranges: Iterable[int], by: str, wanted: str | None = None) -> RangeAddress:
    """A free address of these ranges, now ``by``'s; ``wanted`` or none. In the caller's transaction."""
    free = RangeAddress.objects.filter(range__in=list(ranges), taken_by="")
    if wanted:
        free = free.filter(number=int(IPv4Address(wanted)))
    for _ in range(TRIES):
        # Some of the first free ones, not always the very first: many take at the same time.
        keys = list(free.order_by("number").values_list("pk", flat=True)[: 1 if wanted else 8])
        for key in keys:
            if RangeAddress.objects.filter(pk=key, taken_by="").update(taken_by=by):
                return RangeAddress.objects.select_related("range").get(pk=key)
        if not keys:
            break
    if wanted:
        raise InsufficientAddresses(
            f"address {wanted} is not free in these ranges", tenant=f"The address {wanted} is not available."
        )
    raise InsufficientAddresses(
        "no address is free in these ranges", tenant="There is no free address for this request."
    )


@atomically
def give_back(address: RangeAddress) -> None:
    """Free again; of a lazy range the row goes. Safe to repeat."""
    if address.range.is_lazy:
        RangeAddress.objects.filter(pk=address.pk).delete()
    else:
        RangeAddress.objects.filter(pk=address.pk).update(taken_by="")


def public_ranges(zone: Zone, owner: Any) -> Q:
    """Ranges of public addresses that this owner may take from: its own ones before those of everybody."""
    return Q(zone=zone, network=None, pod=None, for_virtual_network=True, removed=None, is_lazy=False) & (
        Q(owner=owner) | Q(owner=None, domain=None)
    )


def take_public(zone: Zone, owner: Any, by: str, wanted: str | None = None) -> RangeAddress:
    rows = IpRange.all_tenants.filter(public_ranges(zone, owner), for_system_vms=False).order_by("-owner", "pk")
    return take(rows.values_list("pk", flat=True), by, wanted)
