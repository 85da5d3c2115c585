"""What machines need of the network of their host. The agent's network part brings it; ``PlainBridges`` is for hosts
without one: a bridge for each network, which ends at the host.
"""

import json
import subprocess
from typing import Any, Protocol

from agent.host.domain_xml import Bridge
from agent.host.specs import NicSpec
from agent.http.errors import Refused
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


class Networks(Protocol):
    """Routers of networks."""

    def apply(self, document: dict[str, Any], deadline: Deadline) -> int: ...
    def remove(self, network: str, deadline: Deadline) -> None: ...
    def generation(self, network: str, deadline: Deadline) -> int | None: ...
    def generations(self) -> dict[str, int]:
        """Of all networks that this host has something of."""


def ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=10)
    if done.returncode:
        raise Refused(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class PlainBridges:
    def ensure(self, nic: NicSpec, deadline: Deadline) -> Bridge:
        name = f"cb{nic.network.replace('-', '')[:13]}"
        if name not in {link["ifname"] for link in json.loads(ip("-j", "link", "show", "type", "bridge") or "[]")}:
            ip("link", "add", name, "type", "bridge", "mcast_snooping", "0", "forward_delay", "0")
        ip("link", "set", name, "up")
        return Bridge(name)

    def plugged(self, vm: str, nic: NicSpec) -> None:
        """Nothing to do."""

    def unplugged(self, nic: str) -> None:
        """Nothing to do."""


class NoRouters:
    """Only remembers documents, for hosts without the network part."""

    def __init__(self) -> None:
        self._held: dict[str, int] = {}

    def apply(self, document: dict[str, Any], deadline: Deadline) -> int:
        network, generation = document["network"], document.get("generation")
        if not isinstance(generation, int):
            raise Refused("document: it has no generation")
        self._held[network] = max(generation, self._held.get(network, 0))
        return self._held[network]

    def remove(self, network: str, deadline: Deadline) -> None:
        self._held.pop(network, None)

    def generation(self, network: str, deadline: Deadline) -> int | None:
        return self._held.get(network)

    def generations(self) -> dict[str, int]:
        return dict(self._held)
