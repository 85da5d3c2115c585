"""The devices of networks: who they are, whether they run, and that they match the document of their network.

A device never goes back to an older document, so nobody needs a lock to give it one: what serves one who waits serves
all who wait for an older generation. A device that does not run is given nothing; it gets the document when it starts.
"""

from apps.core.errors import ResourceUnavailable
from apps.core.prepared import Prepared, Slot
from apps.hypervisors.errors import DriverError
from apps.network import document, ports
from apps.network.models import Network

UP = (Network.State.IMPLEMENTED, Network.State.SETUP)

WHOLE = ("offering", "zone", "owner__domain", "owner__role")
NETWORK = Prepared(lambda: Network.including_removed.select_related(*WHOLE).filter(pk=Slot("key")))


def read(network_id: int) -> Network:
    return NETWORK.one(key=network_id)


def providers_of(network: Network) -> list[ports.Provider]:
    named = {name for givers in network.offering.services.values() for name in givers}
    return [provider for provider in ports.providers.all() if named.intersection(provider.names())]


def ensure(network: Network) -> None:
    """Those that its offering asks for run; those of an offering that it had before are gone."""
    asked = providers_of(network)
    for provider in ports.providers.all():
        if provider not in asked:
            provider.remove(network)
    for provider in asked:
        provider.ensure(network)


def remove(network: Network) -> None:
    """Also devices that its offering does not ask for any more."""
    for provider in ports.providers.all():
        provider.remove(network)


def abandon(network: Network) -> None:
    for provider in ports.providers.all():
        provider.abandon(network)


def is_up(network: Network) -> bool:
    """Nothing has to be implemented before a machine can run there."""
    if network.state not in UP:
        return False
    return all(provider.applied(network) is not None for provider in providers_of(network))


def ensure_applied(network_id: int, wanted: int | None = None) -> None:
    """What runs matches the document of now, or at least generation ``wanted``."""
    network = read(network_id)
    wanted = network.generation if wanted is None else wanted
    rendered = None
    for provider in providers_of(network):
        holds = provider.applied(network)
        if holds is not None and holds < wanted:
            rendered = rendered or document.render(network_id)
            provider.apply(network, rendered)


def catch_up(network_id: int) -> None:
    """The same, and rows that left the document before go for good: no device has them any more."""
    marked = [(leaving, leaving.marked(network_id)) for leaving in ports.leaving.all()]
    ensure_applied(network_id)
    for leaving, keys in marked:
        leaving.gone(keys)


def tell(network_id: int) -> None:
    """For commands, which hold the lock of the network. What could not be told now is told by a schedule."""
    try:
        catch_up(network_id)
    except DriverError as error:
        name = read(network_id).name
        raise ResourceUnavailable(
            f"a device of network {name} does not take the change now",
            tenant=f"The router of network {name} does not answer; it gets the change when it does.",
        ) from error
