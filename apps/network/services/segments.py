"""The ids of physical networks as rows: who has which, and what keeps places from being deleted."""

from typing import Any

from django.utils import timezone

from apps.core.errors import InsufficientCapacity, InvalidParameter
from apps.core.retry import atomically
from apps.infrastructure.models import PhysicalNetwork, Pod, Zone
from apps.network.models import IpRange, Network, Segment

TRIES = 20


def change(network: PhysicalNetwork, ranges: list[tuple[int, int]]) -> None:
    """Make the dynamic ids of the physical network these; one that a network has cannot go, or come."""
    wanted = {number for first, last in ranges for number in range(first, last + 1)}
    rows = Segment.objects.filter(physical_network=network)
    dynamic = rows.filter(is_dynamic=True)
    there = set(dynamic.values_list("number", flat=True))
    gone = there - wanted
    used = set(dynamic.exclude(network=None).values_list("number", flat=True)) & gone
    used |= set(rows.filter(is_dynamic=False).values_list("number", flat=True)) & wanted
    if used:
        raise InvalidParameter(f"vlan: {min(used)} is in use and must stay as it is")
    for start in range(0, len(gone), 500):
        dynamic.filter(number__in=sorted(gone)[start : start + 500], network=None).delete()
    fresh = [Segment(physical_network=network, number=number) for number in sorted(wanted - there)]
    Segment.objects.bulk_create(fresh, batch_size=5000)


def number_of(text: str) -> int | None:
    """ "50", "vlan://50" or "untagged"."""
    tag = text.removeprefix("vlan://")
    if tag in ("", "untagged"):
        return None
    if not tag.isdecimal() or not 0 < int(tag) <= 16_777_215:
        raise InvalidParameter(f"vlan: {text!r} is no VLAN id")
    return int(tag)


def label(network: Network) -> str:
    """How hosts call the segment: by what keeps it apart on its physical network. "" is the untagged one."""
    number = number_of(network.vlan)
    if number is None:
        return ""
    place = network.physical_network
    kind = "vxlan" if place is not None and "VXLAN" in place.isolation_methods else "vlan"
    return f"{kind}:{number}"


@atomically
def choose(network: Network, number: int) -> None:
    """The id that an operator wants for this network: it is nobody's, and none that networks get by themselves."""
    row = Segment(physical_network=network.physical_network, number=number, network=network, is_dynamic=False)
    row.taken = timezone.now()
    Segment.objects.bulk_create([row], ignore_conflicts=True)  # the unique key decides, without an error
    if not Segment.objects.filter(network=network, number=number).exists():
        raise InvalidParameter(f"vlan: {number} is in use on this physical network")


@atomically
def allocate(network: Network) -> None:
    """An id that keeps the network apart, by compare-and-swap; the one that it has already."""
    if network.vlan or Segment.objects.filter(network=network).exists():
        return
    network.vlan = str(_take(network).number)
    network.save(update_fields=["vlan"])


def _take(network: Network) -> Segment:
    rows = Segment.objects.filter(physical_network=network.physical_network_id, is_dynamic=True, network=None)
    for _ in range(TRIES):
        keys = list(rows.order_by("number").values_list("pk", flat=True)[:8])
        for key in keys:
            if rows.filter(pk=key).update(network=network, taken=timezone.now()):
                return Segment.objects.get(pk=key)
        if not keys:
            break
    raise InsufficientCapacity(
        f"no VLAN is free on the physical network of {network.uuid}",
        tenant="There is no free segment for this network.",
    )


@atomically
def free(network: Network) -> None:
    """Others may take it; one that was chosen stays the network's until it is removed."""
    if Segment.objects.filter(network=network, is_dynamic=True).update(network=None, taken=None):
        network.vlan = ""
        network.save(update_fields=["vlan"])


@atomically
def give_up(network: Network) -> None:
    free(network)
    Segment.objects.filter(network=network, is_dynamic=False).delete()


def in_use(row: Any) -> str:
    if isinstance(row, Zone):
        if Network.all_tenants.filter(zone=row).exists():
            return "networks"
        return "ranges of addresses" if IpRange.all_tenants.filter(zone=row).exists() else ""
    if isinstance(row, PhysicalNetwork):
        if Network.all_tenants.filter(physical_network=row).exists():
            return "networks"
        return "ranges of addresses" if IpRange.all_tenants.filter(physical_network=row).exists() else ""
    if isinstance(row, Pod):
        return "ranges of addresses" if IpRange.all_tenants.filter(pod=row).exists() else ""
    return ""
