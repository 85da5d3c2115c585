"""What networks ask of the apps above: devices that make a document true, and what stands in the document."""

from collections.abc import Callable
from typing import Any, Protocol

from apps.core.ports import Port
from apps.network.models import Network


class Provider(Protocol):
    """Who carries a network's services. Each verb ensures, and may be repeated; none is called in a transaction."""

    def names(self) -> tuple[str, ...]:
        """Names of providers in offerings that this one answers for."""

    def ensure(self, network: Network) -> None:
        """The devices exist and run. Raises Busy or Unknown to be asked again."""

    def apply(self, network: Network, document: dict[str, Any]) -> None:
        """The devices match the document, or a newer one."""

    def applied(self, network: Network) -> int:
        """The generation that all devices of the network match; 0 where there is none."""

    def remove(self, network: Network) -> None:
        """No device is left."""


providers: Port[Provider] = Port("network.providers", many=True, optional=True)

# A part of the document: (name, function of the network's key that gives plain values).
Section = tuple[str, Callable[[int], Any]]
sections: Port[Section] = Port("network.sections", many=True, optional=True)

# What keeps a network from going: words for the caller, or nothing.
in_use: Port[Callable[[Network], str]] = Port("network.in_use", many=True, optional=True)

# Does a machine run in the network? Asked before it is shut down.
is_busy: Port[Callable[[int], bool]] = Port("network.is_busy", many=True, optional=True)

# A network, or a public address, is given up: who has rows on it removes them, in the same transaction.
network_removed: Port[Callable[[Network], object]] = Port("network.network_removed", many=True, optional=True)
address_released: Port[Callable[[Any], object]] = Port("network.address_released", many=True, optional=True)

# Flags and names that a public address shows: by key of the address.
address_facts: Port[Callable[[Any], dict[int, dict[str, Any]]]] = Port(
    "network.address_facts", many=True, optional=True
)
