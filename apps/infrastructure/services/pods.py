"""Pods and their management addresses: the range that a pod is made with, and further ones of the same network.

Each address has a row; one that a machine of the system has cannot go.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import Any

from apps.core.errors import InvalidParameter
from apps.core.retry import atomically
from apps.infrastructure import addresses, ports
from apps.infrastructure.models import Cluster, Host, Pod, PodAddress, PodRange, Zone
from apps.infrastructure.services.places import hold, save_named

PLACE = ("gateway", "netmask", "start_ip", "end_ip")
Span = tuple[str, str]


@atomically
def create(*, zone: Zone, name: str, gateway: str, netmask: str, start_ip: str, end_ip: str, **values: Any) -> Pod:
    hold(zone)
    pod = Pod(zone=zone, name=name, gateway=gateway, netmask=netmask, start_ip=start_ip, end_ip=end_ip, **values)
    found = _checked(pod, (start_ip, end_ip), but=())
    save_named(pod)
    _add(pod, found)
    return pod


def _checked(pod: Pod, span: Span, but: Iterable[Span]) -> list[IPv4Address]:
    """The addresses of a range of the pod, which no other range of the zone has; ``but`` are those that it replaces."""
    found = addresses.span(*span, addresses.network(pod.gateway, pod.netmask), pod.gateway)
    others = list(Pod.all_tenants.filter(zone=pod.zone_id).values_list("start_ip", "end_ip"))
    others += list(PodRange.objects.filter(pod__zone=pod.zone_id).values_list("start_ip", "end_ip"))
    for replaced in but:
        others.remove(replaced)
    if addresses.overlap(*span, others):
        raise InvalidParameter("startip: the range overlaps another one of a pod of the zone")
    return found


def _add(pod: Pod, found: Iterable[IPv4Address]) -> None:
    PodAddress.objects.bulk_create([PodAddress(pod=pod, ip=str(ip)) for ip in found], batch_size=5000)


def _take_away(pod: Pod, gone: Iterable[str]) -> None:
    """Free ones first: one that is taken meanwhile is seen, and stays."""
    keys = sorted(gone)
    for start in range(0, len(keys), 500):
        rows = PodAddress.objects.filter(pod=pod, ip__in=keys[start : start + 500])
        rows.filter(taken_by="").delete()
        if rows.exists():
            raise InvalidParameter("startip: an address that would go is in use by a system machine")


@atomically
def update(*, pod: Pod, **values: Any) -> Pod:
    hold(pod)
    old = (pod.start_ip, pod.end_ip)
    for name, value in values.items():
        setattr(pod, name, value)
    if values.keys() & set(PLACE):
        _move(pod, old, (pod.start_ip, pod.end_ip))
        _check_ranges(pod)
    if values:
        save_named(pod, update_fields=list(values))
    return pod


def _move(pod: Pod, old: Span, new: Span) -> None:
    wanted = {str(ip) for ip in _checked(pod, new, but=[old])}
    there = {str(ip) for ip in _all(old)}
    _take_away(pod, there - wanted)
    _add(pod, (IPv4Address(ip) for ip in sorted(wanted - there, key=lambda ip: int(IPv4Address(ip)))))


def _all(span: Span) -> list[IPv4Address]:
    first, last = (int(IPv4Address(end)) for end in span)
    return [IPv4Address(number) for number in range(first, last + 1)]


def _check_ranges(pod: Pod) -> None:
    """Those that were added stay in the network of the pod."""
    inside = addresses.network(pod.gateway, pod.netmask)
    for row in PodRange.objects.filter(pod=pod):
        addresses.span(row.start_ip, row.end_ip, inside, pod.gateway)


@atomically
def delete(*, pod: Pod) -> None:
    hold(pod)
    for model, word in ((Cluster, "clusters"), (Host, "hosts")):
        if model.all_tenants.filter(pod=pod).exists():
            raise InvalidParameter(f"id: pod {pod.name} still has {word}")
    ports.check_unused(pod)
    PodAddress.objects.filter(pod=pod, taken_by="").delete()
    if PodAddress.objects.filter(pod=pod).exists():
        raise InvalidParameter(f"id: addresses of pod {pod.name} are in use by system machines")
    PodRange.objects.filter(pod=pod).delete()
    pod.mark_removed()


@atomically
def add_range(
    *, pod: Pod, gateway: str, netmask: str, start_ip: str, end_ip: str, vlan: str = "", for_system_vms: bool = False
) -> Pod:
    hold(pod)
    if (gateway, netmask) != (pod.gateway, pod.netmask):
        raise InvalidParameter(f"gateway: the management network of pod {pod.name} is {pod.gateway}, {pod.netmask}")
    found = _checked(pod, (start_ip, end_ip), but=())
    PodRange.objects.create(pod=pod, start_ip=start_ip, end_ip=end_ip, vlan=vlan, for_system_vms=for_system_vms)
    _add(pod, found)
    return pod


def _range_of(pod: Pod, start_ip: str, end_ip: str, **more: str) -> PodRange:
    row = PodRange.objects.filter(pod=pod, start_ip=start_ip, end_ip=end_ip, **more).first()
    if row is None:
        raise InvalidParameter(f"startip: pod {pod.name} has no range from {start_ip} to {end_ip} that was added to it")
    return row


@atomically
def delete_range(*, pod: Pod, start_ip: str, end_ip: str, vlan: str) -> None:
    hold(pod)
    row = _range_of(pod, start_ip, end_ip, vlan=vlan)
    _take_away(pod, (str(ip) for ip in _all((start_ip, end_ip))))
    row.delete()


@atomically
def update_range(*, pod: Pod, start_ip: str, end_ip: str, new_start: str = "", new_end: str = "") -> None:
    """Of one that was added, or of the first one, which is the pod's own."""
    hold(pod)
    new = (new_start or start_ip, new_end or end_ip)
    if (start_ip, end_ip) == (pod.start_ip, pod.end_ip):
        update(pod=pod, start_ip=new[0], end_ip=new[1])
        return
    row = _range_of(pod, start_ip, end_ip)
    _move(pod, (start_ip, end_ip), new)
    row.start_ip, row.end_ip = new
    row.save(update_fields=["start_ip", "end_ip"])
