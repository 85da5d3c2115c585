"""Books of networks: what is taken is held by something that lives."""

from collections.abc import Iterator

from django.db.models import F

from apps.core.audit import audit
from apps.network.models import Network, PublicAddress, RangeAddress, Segment


@audit("networks: segments belong to networks that are up")
def segments() -> Iterator[str]:
    rows = Segment.objects.exclude(network=None)
    for number in rows.exclude(network__removed=None).values_list("number", flat=True):
        yield f"segment {number} is taken by a network that was deleted"
    for number in rows.filter(network__state=Network.State.ALLOCATED).values_list("number", flat=True):
        yield f"segment {number} is taken by a network that is down"


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
