"""What networks ask of the apps above: devices that make a document true, and what stands in the document."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from django.db.models import QuerySet

from apps.core.ports import Port
from apps.network.models import Network


class Provider(Protocol):
    """Who carries a network's services. Each verb ensures, and may be repeated; none is called in a transaction."""

    def names(self) -> tuple[str, ...]:
        """Names of providers in offerings that this one answers for."""

    def ensure(self, network: Network) -> None:
        """The devices exist and run. Raises Busy or Unknown to be asked again."""

    def apply(self, network: Network, document: dict[str, Any]) -> None:
        """The running devices match the document, or a newer one."""

    def applied(self, network: Network) -> int | None:
        """The generation that the running devices match; None where none runs: what starts gets the document then."""

    def lagging(self) -> Iterable[int]:
        """Networks whose running devices match an older generation than there is: some of them, in any order."""

    def remove(self, network: Network) -> None:
        """No device is left."""

    def abandon(self, network: Network) -> None:
        """The network goes although its devices cannot be reached: they are removed when that is possible."""


providers: Port[Provider] = Port("network.providers", many=True, optional=True)

# A part of the document: (name, function of the network's key that gives plain values).
Section = tuple[str, Callable[[int], Any]]
sections: Port[Section] = Port("network.sections", many=True, optional=True)


class Leaving(Protocol):
    """Rows that are in the document no more, and go when the devices know that."""

    def networks(self) -> QuerySet:
        """Keys of networks that have such rows."""

    def marked(self, network: int) -> list[int]: ...

    def gone(self, keys: list[int]) -> None: ...


leaving: Port[Leaving] = Port("network.leaving", many=True, optional=True)

# What keeps a network from going: words for the caller, or nothing.
in_use: Port[Callable[[Network], str]] = Port("network.in_use", many=True, optional=True)

# The same for services that an offering would take away.
service_in_use: Port[Callable[[Network, set[str]], str]] = Port("network.service_in_use", many=True, optional=True)

# Does this account have machines in the network?
used_by: Port[Callable[[Network, int], bool]] = Port("network.used_by", many=True, optional=True)

# Keys of networks in which a machine runs or begins to: a subquery, for one network and for all.
busy: Port[Callable[[], QuerySet]] = Port("network.busy", many=True, optional=True)

# A network, or a public address, is given up: who has rows on it removes them, in the same transaction.
network_removed: Port[Callable[[Network], object]] = Port("network.network_removed", many=True, optional=True)
address_released: Port[Callable[[Any], object]] = Port("network.address_released", many=True, optional=True)

# Flags and names that a public address shows: by key of the address.
address_facts: Port[Callable[[Any], dict[int, dict[str, Any]]]] = Port(
    "network.address_facts", many=True, optional=True
)
