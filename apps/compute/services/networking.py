"""Which networks a new machine is in, and with which addresses."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.errors import InvalidParameter, PermissionDenied
from apps.infrastructure.models import Zone
from apps.network.flows.implement import join_implemented
from apps.network.models import Network
from apps.network.services import networks, sharing

MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True)
class NicOrder:
    network: Network
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
    """The first one is the default. ``ip`` and ``mac`` are those of the default card."""
    if addresses and (networks or ip or mac):
        raise InvalidParameter("iptonetworklist cannot be given together with networkids, ipaddress or macaddress")
    chosen = list(addresses) or [NicOrder(network) for network in networks]
    for nic in chosen:
        check(nic.network, owner, zone)
    chosen = chosen or [NicOrder(network) for network in default_networks(owner, zone)]
    if len({nic.network.pk for nic in chosen}) != len(chosen):
        raise InvalidParameter("networkids: a network is named twice")
    if (ip or mac) and not chosen:
        raise InvalidParameter("ipaddress: the instance is in no network")
    if ip or mac:
        chosen[0] = NicOrder(chosen[0].network, address(ip, "ipaddress"), mac_address(mac))
    return chosen


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


def ensure_implemented(children: dict[str, int], vm_id: int) -> None:
    """For a step of a flow: be through when every network of the machine is up and knows the machine."""
    for network in Network.including_removed.filter(nics__vm=vm_id, nics__removed=None).order_by("pk"):
        join_implemented(children, network.pk)
