"""Public addresses of accounts: acquired, kept, given back."""

from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address
from typing import Any
from uuid import uuid4

from django.db.models import QuerySet

from apps.core.errors import InvalidParameter, ResourceInUse
from apps.core.ownership import admit, release
from apps.core.retry import atomically
from apps.infrastructure.models import Zone
from apps.network import ports
from apps.network.models import Network, PublicAddress, RangeAddress
from apps.network.services import addressing, ranges
from apps.network.states import ADDRESS

A = PublicAddress.State


@atomically
def acquire(
    *, owner: Any, zone: Zone, network: Network | None = None, wanted: str | None = None, **values: Any
) -> PublicAddress:
    """One of the zone's free addresses, now the owner's and, if given, of its network; Allocating until its devices
    know it. The first one of a network with source NAT is what its machines are seen under.
    """
    if network:
        addressing.hold(network)
        values.setdefault("is_source_nat", needs_source_nat(network))
    taken = ranges.take_public(zone, owner, "public", wanted)
    row = admit(
        PublicAddress,
        owner,
        **{"state": A.ALLOCATING, **values},
        uuid=taken.uuid,
        address=taken,
        ip=taken.ip,
        zone=zone,
        network=network,
    )
    # The name goes with the account that has the address now; when it is free again it has another one.
    RangeAddress.objects.filter(pk=taken.pk).update(taken_by=row.lock_key, uuid=uuid4())
    return row


def read(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except AddressValueError:
        raise InvalidParameter(f"ipaddress: {text!r} is no IPv4 address") from None


@atomically
def reserve(*, owner: Any, free: RangeAddress, **values: Any) -> PublicAddress:
    """Keep a free address for an account, for no network yet."""
    return acquire(owner=owner, zone=free.range.zone, wanted=free.ip, state=A.RESERVED, **values)


@atomically
def associate(*, owner: Any, zone: Zone, network: Network, wanted: str | None = None, **values: Any) -> PublicAddress:
    """An address for the network: a free one, or one that its owner reserved."""
    mine = PublicAddress.all_tenants.filter(owner=owner, zone=zone, ip=wanted, state=A.RESERVED)
    reserved = mine.select_related("owner__domain").first() if wanted else None
    if reserved is None:
        return acquire(owner=owner, zone=zone, network=network, wanted=wanted, **values)
    addressing.hold(network)
    changes = {"network": network, "is_source_nat": needs_source_nat(network), **values}
    return ADDRESS.fire(reserved, "Associated", **changes)


def needs_source_nat(network: Network) -> bool:
    return "SourceNat" in network.offering.services and source_nat(network) is None


def source_nat(network: Network) -> PublicAddress | None:
    rows = PublicAddress.all_tenants.filter(network=network, is_source_nat=True).exclude(state=A.RELEASING)
    return rows.select_related("address", "owner__domain").first()


@atomically
def ensure_source_nat(network: Network) -> PublicAddress:
    addressing.hold(network)  # who acquires the first address of the network at this moment comes before or after
    return source_nat(network) or assigned(acquire(owner=network.owner, zone=network.zone, network=network))


@atomically
def assigned(row: PublicAddress) -> PublicAddress:
    return ADDRESS.fire(row, "Assigned") if row.state == A.ALLOCATING else row


@atomically
def begin_release(row: PublicAddress) -> None:
    """Its rules go, and it leaves the document; it is free for others when the devices know that: ``let_go``."""
    if row.network_id:
        addressing.changed(row.network_id)  # first: its row is locked, and no rule is made after those that go here
    for answer in ports.address_released.all():
        answer(row)
    ADDRESS.fire(row, "Refused" if row.state == A.ALLOCATING else "Release")


@atomically
def let_go(row: PublicAddress) -> None:
    """Free for others. The devices have it no more, or are gone themselves. Safe to repeat."""
    if row.state in (A.ALLOCATING, A.ALLOCATED):
        begin_release(row)
    if not release(row):
        return
    ADDRESS.fire(row, "Released")
    address = row.address
    PublicAddress.including_removed.filter(pk=row.pk).update(address=None)
    if address:
        ranges.give_back(address)


def check_releasable(row: PublicAddress) -> None:
    if row.is_source_nat and row.state != A.RELEASING:
        raise InvalidParameter("id: the source NAT address goes with its network only")
    if row.is_system:
        raise InvalidParameter("id: the address is the system's")


@atomically
def change_source_nat(*, network: Network, wanted: str) -> None:
    """Another address of the network is what its machines are seen under from now on."""
    rows = PublicAddress.all_tenants.filter(network=network)
    chosen = rows.filter(ip=wanted, state=A.ALLOCATED).first()
    if chosen is None:
        raise InvalidParameter(f"sourcenatipaddress: {wanted} is no address of network {network.name}")
    if any(answer([chosen.pk]).get(chosen.pk, {}).get("isstaticnat") for answer in ports.address_facts.all()):
        raise ResourceInUse(f"sourcenatipaddress: {wanted} is mapped to one instance")
    rows.filter(is_source_nat=True).update(is_source_nat=False)
    rows.filter(pk=chosen.pk).update(is_source_nat=True)
    addressing.changed(network.pk)


class Releasing:
    """Answers ``network.leaving``."""

    def networks(self) -> QuerySet:
        return PublicAddress.all_tenants.filter(state=A.RELEASING).exclude(network=None).values("network")

    def marked(self, network: int) -> list[int]:
        rows = PublicAddress.all_tenants.filter(network=network, state=A.RELEASING)
        return list(rows.order_by("pk").values_list("pk", flat=True))

    def gone(self, keys: Iterable[int]) -> None:
        rows = PublicAddress.all_tenants.filter(pk__in=list(keys), state=A.RELEASING)
        for row in rows.select_related("address__range", "owner__domain").order_by("pk"):
            let_go(row)
