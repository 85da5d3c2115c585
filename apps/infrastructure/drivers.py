"""The only door to a driver. Not inside a transaction: a hypervisor that takes a minute would hold row locks."""

from collections.abc import Callable
from typing import Any

from apps.core.errors import ResourceUnavailable
from apps.core.retry import outside_transaction
from apps.hypervisors.base import HostAddress
from apps.infrastructure.models import Host

DEADLINE = 60.0  # seconds of one call; lease.LEASE and Outcome.within are longer
Connect = Callable[[HostAddress], Any]
DRIVERS: dict[str, Connect] = {}  # by type of hypervisor, as the wire spells it


def register(hypervisor: str, connect: Connect) -> None:
    """Called in ``AppConfig.ready()`` of whoever brings a driver."""
    if hypervisor in DRIVERS:
        raise RuntimeError(f"two drivers for {hypervisor}")
    DRIVERS[hypervisor] = connect


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
    return Guarded(connect(HostAddress(host.pk, host.name, host.url)), "driver")
