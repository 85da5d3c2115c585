"""Which networks a new machine is in, and with which addresses."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.errors import InvalidParameter, PermissionDenied
from apps.core.prepared import Prepared, Slot
from apps.infrastructure.models import Zone
from apps.network.flows.implement import join_implemented
from apps.network.models import Network
from apps.network.services import networks, sharing

MOST = 16  # network cards of a machine
MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True)
class NicOrder:
    """``network`` None is the default network of the owner, which is found, or made, when the machine is."""

    network: Network | None
    ip: str | None = None
    mac: str | None = None


def order(
    owner: Any,
    zone: Zone,
    networks: Sequence[Network],
    addresses: Sequence[NicOrder],
    ip: str | None,
    mac: str | None,
) -> list[NicOrder]:
    """The first one is the default. ``ip`` and ``mac`` are those of the default card. Nothing named is nothing ordered:
    what ``settled`` makes of it is for the transaction that makes the machine.
    """
    if addresses and (networks or ip or mac):
        raise InvalidParameter("iptonetworklist cannot be given together with networkids, ipaddress or macaddress")
    chosen = list(addresses) or [NicOrder(network) for network in networks]
    for network in (nic.network for nic in chosen if nic.network):
        check(network, owner, zone)
    if len({nic.network for nic in chosen}) != len(chosen):
        raise InvalidParameter("networkids: a network is named twice")
    if len(chosen) > MOST:
        raise InvalidParameter(f"networkids: an instance has {MOST} network cards at most")
    if ip or mac:
        first = NicOrder(chosen[0].network if chosen else None, address(ip, "ipaddress"), mac_address(mac))
        return [first, *chosen[1:]]
    return chosen


def settled(orders: Sequence[NicOrder], owner: Any, zone: Zone) -> list[tuple[Network, NicOrder]]:
    """Each card with its network: those that were named, or the default one of the owner."""
    named = [(nic.network, nic) for nic in orders if nic.network]
    if named:
        return named
    default = orders[0] if orders else NicOrder(None)
    first, *others = default_networks(owner, zone)
    return [(first, default), *((network, NicOrder(network)) for network in others)]


def default_networks(owner: Any, zone: Zone) -> list[Network]:
    return list(networks.for_deployment(owner, zone))


def check(network: Network, owner: Any, zone: Zone) -> None:
    if not sharing.may_use(network, owner):
        raise PermissionDenied(f"networkids: network {network.uuid} is not for the account of the instance")
    if network.zone_id != zone.pk:
        raise InvalidParameter(f"networkids: network {network.name} is in another zone")
    if network.traffic_type != "Guest":
        raise InvalidParameter(f"networkids: network {network.name} is not for instances")


def address(text: str | None, parameter: str) -> str | None:
    if not text:
        return None
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise InvalidParameter(f"{parameter}: {text} is no IPv4 address") from None


def mac_address(text: str | None, parameter: str = "macaddress") -> str | None:
    if not text:
        return None
    mac = text.lower().replace("-", ":")
    if not MAC.fullmatch(mac) or int(mac[:2], 16) & 1:
        raise InvalidParameter(f"{parameter}: {text} is no MAC address of a card")
    return mac


NETWORKS = Prepared(lambda: _networks(Slot("vm")).order_by("pk").values_list("pk", flat=True))


def _networks(vm: Any) -> Any:
    return Network.including_removed.filter(nics__vm=vm, nics__removed=None)


def ensure_implemented(children: dict[str, int], vm_id: int) -> None:
    """For a step of a flow: be through when every network of the machine is up and knows the machine."""
    for network in NETWORKS(vm=vm_id):
        join_implemented(children, network)
