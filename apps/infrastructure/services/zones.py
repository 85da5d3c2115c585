"""Zones and pods."""

import secrets
from typing import Any

from apps.core.errors import InvalidParameter
from apps.core.models import Detail
from apps.core.retry import atomically
from apps.infrastructure import addresses, ports
from apps.infrastructure.models import Allocation, Cluster, Host, PhysicalNetwork, Pod, PodAddress, Zone
from apps.infrastructure.services.places import hold, save_named

ADDRESSES = ("dns1", "dns2", "internal_dns1", "internal_dns2")


@atomically
def create(*, allocation_state: str = Allocation.DISABLED, **values: Any) -> Zone:
    _check(values)
    zone = Zone(token=secrets.token_hex(16), **values)
    save_named(zone)
    if allocation_state == Allocation.ENABLED:
        set_allocation(zone=zone, state=allocation_state)
    return zone


def _check(values: dict[str, Any]) -> None:
    for name in ADDRESSES:
        if values.get(name):
            addresses.address(values[name], name.replace("_", ""))
    if values.get("guest_cidr"):
        if values.get("network_type") == Zone.NetworkType.BASIC:
            raise InvalidParameter("guestcidraddress: a Basic zone has no guest networks of its own")
        addresses.cidr(values["guest_cidr"], "guestcidraddress")


@atomically
def update(*, zone: Zone, details: list[dict[str, str]] | None = None, is_public: bool = False, **values: Any) -> Zone:
    """``is_public`` ends that the zone is one domain's; it cannot begin here."""
    _check(values | {"network_type": zone.network_type})
    state = values.pop("allocation_state", None)
    if is_public:
        values["domain"] = None
    for name, value in values.items():
        setattr(zone, name, value)
    if values:
        save_named(zone, update_fields=list(values))
    for entry in details or ():
        which = Detail.objects.filter(kind="infrastructure.zone", row_id=zone.pk, name=entry.get("key", ""))
        if not which.update(value=entry.get("value", "")):
            Detail.objects.create(
                kind="infrastructure.zone", row_id=zone.pk, name=entry.get("key", ""), value=entry.get("value", "")
            )
    if state and state != zone.allocation_state:
        set_allocation(zone=zone, state=state)
    return zone


@atomically
def set_allocation(*, zone: Zone, state: str) -> None:
    zone.allocation_state = state
    zone.save(update_fields=["allocation_state"])
    if state == Allocation.ENABLED:
        for answer in ports.zone_enabled.all():
            answer(zone)


@atomically
def delete(*, zone: Zone) -> None:
    """Only an empty one: what is in it must be deleted first, and each of those deletions says what is in its way."""
    hold(zone)
    for model, word in ((Pod, "pods"), (Host, "hosts"), (PhysicalNetwork, "physical networks")):
        if model.all_tenants.filter(zone=zone).exists():
            raise InvalidParameter(f"id: zone {zone.name} still has {word}")
    ports.check_unused(zone)
    zone.mark_removed()


@atomically
def create_pod(*, zone: Zone, name: str, gateway: str, netmask: str, start_ip: str, end_ip: str, **values: Any) -> Pod:
    hold(zone)
    found = _pod_addresses(zone, gateway, netmask, start_ip, end_ip)
    place = {"gateway": gateway, "netmask": netmask, "start_ip": start_ip, "end_ip": end_ip}
    pod = Pod(zone=zone, name=name, **place, **values)
    save_named(pod)
    PodAddress.objects.bulk_create([PodAddress(pod=pod, ip=str(ip)) for ip in found], batch_size=5000)
    return pod


def _pod_addresses(zone: Zone, gateway: str, netmask: str, start_ip: str, end_ip: str, but: int = 0) -> list[Any]:
    found = addresses.span(start_ip, end_ip, addresses.network(gateway, netmask), gateway)
    others = Pod.all_tenants.filter(zone=zone).exclude(pk=but).values_list("start_ip", "end_ip")
    if addresses.overlap(start_ip, end_ip, list(others)):
        raise InvalidParameter("startip: the range overlaps that of another pod of the zone")
    return found


@atomically
def update_pod(*, pod: Pod, **values: Any) -> Pod:
    if values.keys() & {"gateway", "netmask", "start_ip", "end_ip"}:
        place = {n: values.get(n, getattr(pod, n)) for n in ("gateway", "netmask", "start_ip", "end_ip")}
        _move_range(pod, [str(ip) for ip in _pod_addresses(pod.zone, **place, but=pod.pk)])
    for name, value in values.items():
        setattr(pod, name, value)
    if values:
        save_named(pod, update_fields=list(values))
    return pod


def _move_range(pod: Pod, wanted: list[str]) -> None:
    rows, keep = PodAddress.objects.filter(pod=pod), set(wanted)
    there = set(rows.values_list("ip", flat=True))
    gone = sorted(there - keep)
    for start in range(0, len(gone), 500):  # free ones first: one that is taken meanwhile is seen, and stays
        rows.filter(ip__in=gone[start : start + 500], taken_by="").delete()
        if rows.filter(ip__in=gone[start : start + 500]).exists():
            raise InvalidParameter("startip: an address that would go is in use by a system machine")
    PodAddress.objects.bulk_create([PodAddress(pod=pod, ip=ip) for ip in wanted if ip not in there], batch_size=5000)


@atomically
def delete_pod(*, pod: Pod) -> None:
    hold(pod)
    for model, word in ((Cluster, "clusters"), (Host, "hosts")):
        if model.all_tenants.filter(pod=pod).exists():
            raise InvalidParameter(f"id: pod {pod.name} still has {word}")
    ports.check_unused(pod)
    PodAddress.objects.filter(pod=pod, taken_by="").delete()
    if PodAddress.objects.filter(pod=pod).exists():
        raise InvalidParameter(f"id: addresses of pod {pod.name} are in use by system machines")
    pod.mark_removed()
