"""Where a machine may run, as placement hears it: what an administrator wished, affinity, what failed before."""

from collections.abc import Iterable, Mapping
from typing import Any

from apps.compute.services import affinity
from apps.infrastructure.models import Host
from apps.machines.models import VirtualMachine
from apps.machines.services import placement
from apps.storage.models import Volume


def reserve(vm: VirtualMachine, wish: Mapping[str, int], avoid: Iterable[int]) -> Host:
    together, apart = affinity.bounds(vm)
    return placement.reserve(vm, {*avoid, *apart})


def reserve_pool(volume: Volume, host: Host) -> None:
    """Storage that the host reaches; until placement chooses pools a volume has none."""


def plan(vm: VirtualMachine, wish: Mapping[str, int]) -> dict[str, Any]:
    return {"hosts": [host.name for host in placement.candidates(vm)]}
