"""What machines need of the network of their host: ``agent.networks`` brings it."""

from typing import Protocol

from agent.host.domain_xml import Bridge
from agent.host.specs import NicSpec
from agent.http.keys import Deadline


class Segments(Protocol):
    """The host's own part of networks: where cards are plugged in. ``plugged`` and ``unplugged`` come as soon as they
    can, but an agent that is killed in between, or a guest that ends by itself, tells neither: whoever keeps something
    for a card looks at the taps there are (``tap_of``) after a start of the agent and now and then.
    """

    def ensure(self, nic: NicSpec, deadline: Deadline) -> Bridge:
        """The bridge of the card's network and segment, which is there when this returns."""

    def plugged(self, vm: str, nic: NicSpec) -> None:
        """The card is there, with ``nic.tap`` as its end: rules and shaping can be applied."""

    def unplugged(self, nic: str) -> None:
        """It is gone, with its tap; also told for cards that never came to be."""
