"""Addresses of network cards: from the CIDR of an isolated network, or from the ranges of a shared one.

An isolated network has a cursor: one UPDATE moves it and counts the generation of the document up, so that taking an
address costs the same in a full network as in an empty one. Behind the end of the CIDR the gaps are looked for.
"""

import secrets
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from django.db.models import F

from apps.core.errors import InsufficientAddresses, InvalidParameter, ResourceInUse
from apps.core.retry import atomically
from apps.network.models import IpRange, Network, RangeAddress
from apps.network.services import ranges


@dataclass(frozen=True)
class Address:
    """Of a card: ``row`` is what is given back."""

    ip: str | None
    gateway: str | None
    netmask: str | None
    mac: str
    row: RangeAddress | None


def new_mac() -> str:
    """Locally administered, unicast (IEEE 802), 40 random bits."""
    number = secrets.randbits(40)
    return "02:" + ":".join(f"{(number >> shift) & 255:02x}" for shift in (32, 24, 16, 8, 0))


@atomically
def take(network: Network, *, by: str, wanted_ip: str | None = None, wanted_mac: str | None = None) -> Address:
    """An address for a card in ``network``, held until it is given back. ``by`` is the lock key of the machine."""
    mac = wanted_mac or new_mac()
    hold(network)
    if network.guest_type == "L2":
        if wanted_ip:
            raise InvalidParameter(f"ipaddress: network {network.name} has no addresses to give")
        return Address(None, None, None, mac, None)
    row = _of_cidr(network, by, wanted_ip) if network.guest_type == "Isolated" else _of_ranges(network, by, wanted_ip)
    return Address(row.ip, row.range.gateway, row.range.netmask, mac, row)


def hold(network: Network) -> None:
    """The document changes, and until this transaction ends nobody removes the network or shuts it down."""
    living = Network.all_tenants.filter(pk=network.pk).exclude(state=Network.State.DESTROY)
    if not living.update(generation=F("generation") + 1):
        raise ResourceInUse(f"network {network.name} is being deleted")


def _of_ranges(network: Network, by: str, wanted: str | None) -> RangeAddress:
    keys = IpRange.all_tenants.filter(network=network).order_by("pk").values_list("pk", flat=True)
    return ranges.take(keys, by, wanted)


def _of_cidr(network: Network, by: str, wanted: str | None) -> RangeAddress:
    inside = IPv4Network(network.cidr)
    owned = IpRange.all_tenants.get(network=network, is_lazy=True)
    if wanted:
        return _insert(owned, _checked(inside, owned, wanted), by) or _refuse(network, wanted)
    Network.all_tenants.filter(pk=network.pk).update(cursor=F("cursor") + 1)
    offset = Network.all_tenants.filter(pk=network.pk).values_list("cursor", flat=True)[0]
    number = int(inside.network_address) + 1 + offset
    if number < int(inside.broadcast_address) and (row := _insert(owned, number, by)):
        return row
    return _gap(network, owned, inside, by)


def _checked(inside: IPv4Network, owned: IpRange, wanted: str) -> int:
    address = IPv4Address(wanted)
    reserved = (inside.network_address, inside.broadcast_address, IPv4Address(owned.gateway))
    if address not in inside or address in reserved:
        raise InvalidParameter(f"ipaddress: {wanted} is not an address for a machine in {inside}")
    return int(address)


def _insert(owned: IpRange, number: int, by: str) -> RangeAddress | None:
    """None if it is taken: the unique key decides, without an error that would end the transaction."""
    if number == int(IPv4Address(owned.gateway)):
        return None
    row = RangeAddress(range=owned, ip=str(IPv4Address(number)), number=number, taken_by=by)
    RangeAddress.objects.bulk_create([row], ignore_conflicts=True)
    found = RangeAddress.objects.filter(range=owned, number=number, uuid=row.uuid).first()
    if found is not None:
        found.range = owned
    return found


def _gap(network: Network, owned: IpRange, inside: IPv4Network, by: str) -> RangeAddress:
    taken = set(RangeAddress.objects.filter(range=owned).values_list("number", flat=True))
    for number in range(int(inside.network_address) + 1, int(inside.broadcast_address)):
        if number not in taken and (row := _insert(owned, number, by)):
            return row
    return _refuse(network, None)


def _refuse(network: Network, wanted: str | None) -> RangeAddress:
    what = f"Address {wanted} is not free" if wanted else "No address is free"
    raise InsufficientAddresses(f"{what} in network {network.uuid}", tenant=f"{what} in network {network.name}.")


@atomically
def give_back(address: RangeAddress) -> None:
    if address.range.network_id:
        changed(address.range.network_id)
    ranges.give_back(address)


def changed(network: int) -> None:
    """The document of the network is another one now."""
    Network.all_tenants.filter(pk=network).update(generation=F("generation") + 1)
