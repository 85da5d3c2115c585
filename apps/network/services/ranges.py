"""Ranges of addresses that operators give, and who has which address. Taking one is a compare-and-swap on its row."""

from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import Any

from django.db.models import Q, QuerySet

from apps.core.errors import InsufficientAddresses, InvalidParameter
from apps.core.reach import under
from apps.core.retry import atomically
from apps.core.settings import Setting
from apps.domains.models import Domain
from apps.infrastructure import addresses
from apps.infrastructure.models import PhysicalNetwork, Pod, Zone
from apps.network.models import IpRange, Network, PublicAddress, RangeAddress

TRIES = 20
USE_SYSTEM = Setting(
    "use.system.public.ips",
    True,
    scope="account",
    help_text="May an account with public ranges of its own take addresses of everybody's when those are used up.",
)


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
    place = {"gateway": gateway, "netmask": netmask, "start_ip": start_ip, "end_ip": end_ip}
    row = IpRange(zone=zone, vlan=vlan, network=network, pod=pod, physical_network=physical_network, **values)
    for name, value in place.items():
        setattr(row, name, value)
    _check_overlap(row, start_ip, end_ip)
    row.save()
    _add(row, found)
    return row


def _add(row: IpRange, found: Iterable[IPv4Address]) -> None:
    fresh = (RangeAddress(range=row, ip=str(ip), number=int(ip)) for ip in found)
    RangeAddress.objects.bulk_create(fresh, batch_size=5000)


def _check_overlap(row: IpRange, start_ip: str, end_ip: str) -> None:
    """An address is one of a zone's public ones, or of a network, once."""
    others = IpRange.all_tenants.filter(zone=row.zone_id, network=row.network_id, is_lazy=False).exclude(pk=row.pk)
    if addresses.overlap(start_ip, end_ip, list(others.values_list("start_ip", "end_ip"))):
        raise InvalidParameter("startip: the range overlaps another one")


@atomically
def update(*, row: IpRange, for_system_vms: bool | None = None, **place: str) -> IpRange:
    """Give the range other ends; addresses in use stay in it."""
    now = {name: place.get(name) or getattr(row, name) for name in ("gateway", "netmask", "start_ip", "end_ip")}
    wanted = addresses.span(now["start_ip"], now["end_ip"], addresses.network(now["gateway"], now["netmask"]))
    if int(IPv4Address(now["gateway"])) in range(int(wanted[0]), int(wanted[-1]) + 1):
        raise InvalidParameter("gateway: it is one of the addresses of the range")
    _check_overlap(row, now["start_ip"], now["end_ip"])
    rows = RangeAddress.objects.filter(range=row)
    outside = rows.filter(Q(number__lt=int(wanted[0])) | Q(number__gt=int(wanted[-1])))
    used = outside.exclude(taken_by="").count()
    outside.filter(taken_by="").delete()
    if used:
        raise InvalidParameter(f"startip: {used} addresses that would go are in use")
    there = set(rows.values_list("number", flat=True))
    _add(row, (ip for ip in wanted if int(ip) not in there))
    changes: dict[str, Any] = now | ({} if for_system_vms is None else {"for_system_vms": for_system_vms})
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(update_fields=list(changes))
    return row


@atomically
def delete(*, row: IpRange) -> None:
    """Free addresses go first: one that is taken meanwhile is seen, and keeps the range."""
    RangeAddress.objects.filter(range=row, taken_by="").delete()
    if RangeAddress.objects.filter(range=row).exists():
        raise InvalidParameter("id: addresses of the range are in use")
    row.mark_removed()


@atomically
def dedicate(*, row: IpRange, owner: Any = None, domain: Domain | None = None) -> IpRange:
    """Only this account, or this domain and those below it, take addresses of the range from now on."""
    if row.network_id or not row.for_virtual_network:
        raise InvalidParameter("id: only ranges of public addresses are given to an account or a domain")
    if row.owner_id or row.domain_id:
        raise InvalidParameter("id: the range belongs to an account or a domain already")
    held = PublicAddress.all_tenants.filter(address__range=row)
    if held.exclude(under(domain.path) if domain else Q(owner=owner)).exists():
        raise InvalidParameter("id: another account has addresses of the range")
    row.owner, row.domain = owner, domain
    row.save(update_fields=["owner", "domain"])
    return row


@atomically
def undedicate(*, row: IpRange) -> None:
    if not (row.owner_id or row.domain_id):
        raise InvalidParameter("id: the range belongs to no account and no domain")
    row.owner = row.domain = None
    row.save(update_fields=["owner", "domain"])


def take(ranges: Iterable[int], by: str, wanted: str | None = None) -> RangeAddress:
    """A free address of these ranges, now ``by``'s; ``wanted`` or none. In the caller's transaction."""
    row = find(ranges, by, wanted)
    if row is not None:
        return row
    if wanted:
        raise InsufficientAddresses(
            f"address {wanted} is not free in these ranges", tenant=f"The address {wanted} is not available."
        )
    raise InsufficientAddresses(
        "no address is free in these ranges", tenant="There is no free address for this request."
    )


def find(ranges: Iterable[int], by: str, wanted: str | None = None) -> RangeAddress | None:
    free = RangeAddress.objects.filter(range__in=list(ranges), taken_by="")
    if wanted:
        free = free.filter(number=int(IPv4Address(wanted)))
    for _ in range(TRIES):
        # Several of the first free ones: many take at the same time.
        keys = list(free.order_by("number").values_list("pk", flat=True)[:8])
        for key in keys:
            if RangeAddress.objects.filter(pk=key, taken_by="").update(taken_by=by):
                return RangeAddress.objects.select_related("range").get(pk=key)
        if not keys:
            break
    return None


@atomically
def give_back(address: RangeAddress) -> None:
    """Free again; of a lazy range the row goes. Safe to repeat."""
    if address.range.is_lazy:
        RangeAddress.objects.filter(pk=address.pk).delete()
    else:
        RangeAddress.objects.filter(pk=address.pk).update(taken_by="")


def public(zone: Zone | None = None) -> QuerySet[IpRange]:
    """Ranges whose addresses accounts acquire."""
    rows = IpRange.all_tenants.filter(network=None, pod=None, for_virtual_network=True, for_system_vms=False)
    return rows.filter(zone=zone) if zone else rows


def usable_by(owner: Any) -> Q:
    """Its own ranges, those of its domain and of the ones above, and everybody's."""
    above = [int(key) for key in owner.domain.path.strip("/").split("/")]
    return Q(owner=owner) | Q(owner=None, domain__in=above) | Q(owner=None, domain=None)


def take_public(zone: Zone, owner: Any, by: str, wanted: str | None = None) -> RangeAddress:
    """Of what was given to the owner or its domain before what is everybody's."""
    rows = list(public(zone).filter(usable_by(owner)).order_by("pk").values_list("pk", "owner", "domain"))
    own = [key for key, account, domain in rows if account or domain]
    if own and (found := find(own, by, wanted)):
        return found
    if own and not USE_SYSTEM.value(owner):
        return take(own, by, wanted)
    return take([key for key, account, domain in rows if not (account or domain)], by, wanted)
