"""The only door to a driver. Not inside a transaction: a hypervisor that takes a minute would hold row locks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apps.core.errors import ResourceUnavailable
from apps.core.retry import outside_transaction
from apps.hypervisors.base import HostAddress, HostFacts
from apps.infrastructure.models import Host

DEADLINE = 60.0  # seconds of one call; lease.LEASE and Outcome.within are longer
Connect = Callable[[HostAddress], Any]
DRIVERS: dict[str, Connect] = {}  # by type of hypervisor, as the wire spells it


@dataclass(frozen=True)
class Joined:
    """A host that is ours from now on: what its row will be called, and what it said of itself."""

    uuid: str
    facts: HostFacts


Join = Callable[..., Joined]  # (zone=, url=, username=, password=): raises a CloudError with nothing half-made
JOINS: dict[str, Join] = {}
WITHOUT_SYSTEM_MACHINES: set[str] = set()


def register(hypervisor: str, connect: Connect, *, join: Join | None = None, has_system_machines: bool = True) -> None:
    """Called in ``AppConfig.ready()`` of whoever brings a driver. ``join``: what has to be done with a host before it
    can be asked anything. Without system machines routers are made by hosts themselves, and there are no others.
    """
    if hypervisor in DRIVERS:
        raise RuntimeError(f"two drivers for {hypervisor}")
    DRIVERS[hypervisor] = connect
    if join:
        JOINS[hypervisor] = join
    if not has_system_machines:
        WITHOUT_SYSTEM_MACHINES.add(hypervisor)


class Guarded:
    def __init__(self, inner: Any, name: str):
        self._inner, self._name = inner, name

    def __getattr__(self, name: str) -> Any:
        outside_transaction(f"{self._name}.{name}")
        value = getattr(self._inner, name)
        return value if callable(value) else Guarded(value, f"{self._name}.{name}")


def driver_for(host: Host) -> Any:
    connect = DRIVERS.get(host.hypervisor)
    if connect is None:
        raise ResourceUnavailable(f"no driver for hypervisor {host.hypervisor}")
    return Guarded(connect(HostAddress(host.pk, host.name, host.url, str(host.uuid))), "driver")
