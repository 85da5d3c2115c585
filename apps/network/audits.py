"""Books of networks: what is taken is held by something that lives, and what lives has what it needs."""

from collections.abc import Iterator

from django.db.models import F, Q

from apps.core.audit import audit
from apps.network.models import IpRange, Network, PublicAddress, RangeAddress, Segment

S, A = Network.State, PublicAddress.State
UP = (S.IMPLEMENTED, S.IMPLEMENTING, S.SHUTDOWN)


@audit("networks: segments belong to networks that are up")
def segments() -> Iterator[str]:
    rows = Segment.objects.exclude(network=None)
    for number in rows.exclude(network__removed=None).values_list("number", flat=True):
        yield f"segment {number} is taken by a network that was deleted"
    down = rows.filter(is_dynamic=True, network__removed=None).exclude(network__state__in=UP)
    for number in down.values_list("number", flat=True):
        yield f"segment {number} is taken by a network that is down"
    living = rows.filter(network__removed=None)
    for number, vlan in living.exclude(network__vlan="").values_list("number", "network__vlan"):
        if str(number) != vlan:
            yield f"segment {number} is taken by a network on VLAN {vlan}"
    up = Network.all_tenants.filter(state=S.IMPLEMENTED, guest_type__in=("Isolated", "L2"))
    for name in up.filter(vlan="").values_list("name", flat=True):
        yield f"network {name} is up and has no segment"


@audit("networks: public addresses and their rows in the ranges agree")
def public_addresses() -> Iterator[str]:
    for ip in PublicAddress.all_tenants.filter(address=None).values_list("ip", flat=True):
        yield f"address {ip} is allocated and has no row in a range"
    for ip in PublicAddress.all_tenants.exclude(address__ip=F("ip")).exclude(address=None).values_list("ip", flat=True):
        yield f"address {ip} has the row of another address"
    for ip in PublicAddress.including_removed.exclude(removed=None).exclude(address=None).values_list("ip", flat=True):
        yield f"address {ip} was released and still holds its row"
    held = PublicAddress.all_tenants.exclude(address=None).values("address")
    taken = RangeAddress.objects.filter(taken_by__startswith="network.publicaddress:").exclude(pk__in=held)
    for ip in taken.values_list("ip", flat=True):
        yield f"address {ip} is taken by no allocated address"
    free = PublicAddress.all_tenants.filter(address__taken_by="")
    for ip in free.values_list("ip", flat=True):
        yield f"address {ip} is allocated and its row is marked as free"


@audit("networks: public addresses are of networks that live, and one of them at most is the source NAT address")
def source_nat() -> Iterator[str]:
    rows = PublicAddress.all_tenants.exclude(network=None)
    for ip in rows.exclude(network__removed=None).values_list("ip", flat=True):
        yield f"address {ip} is of a network that was deleted"
    nat = rows.filter(is_source_nat=True).exclude(state=A.RELEASING)
    other = Q(network__public_addresses__is_source_nat=True, network__public_addresses__removed=None)
    other &= Q(network__public_addresses__state__in=(A.ALLOCATING, A.ALLOCATED))
    for ip in nat.filter(other, network__public_addresses__pk__gt=F("pk")).values_list("ip", flat=True):
        yield f"address {ip} is not the only source NAT address of its network"


@audit("networks: ranges and their addresses are of networks that live")
def ranges() -> Iterator[str]:
    gone = IpRange.all_tenants.exclude(network=None).exclude(network__removed=None)
    for first in gone.values_list("start_ip", flat=True):
        yield f"the range from {first} is of a network that was deleted"
    left = RangeAddress.objects.exclude(range__removed=None)
    for ip in left.values_list("ip", flat=True):
        yield f"address {ip} is of a range that was deleted"
