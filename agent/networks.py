"""The networks of a host for the agent: where cards are plugged in, and routers. It knows both sides, which do not know
each other: machines and calls on the one, bridges and routers on the other.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agent.host.domain_xml import Bridge
from agent.host.specs import NicSpec, tap_of
from agent.http.errors import Busy, Invalid, Refused, Unknown
from agent.http.keys import Deadline
from agent.http.log import Log
from agent.net.layout import Layout, Segment
from agent.pace import Pace
from agent.router.routers import Routers
from agent.state import Store, errors

WATCH = 5.0  # seconds between glances, which start no program
LAYOUT, CARD = "layout", "card"  # kinds of what is kept
LINKS = Path("/sys/class/net")


@contextmanager
def said(failed: type[Exception] = Unknown) -> Iterator[None]:
    """In the words of calls."""
    try:
        yield
    except errors.Invalid as error:
        raise Invalid(str(error)) from error
    except errors.Busy as error:
        raise Busy(str(error)) from error
    except errors.Failed as error:
        raise failed(str(error)) from error


class HostNetworks:
    """``Segments`` and ``Networks`` of the host. Until the manager has told which physical networks there are, nothing
    is plugged in anywhere.
    """

    def __init__(self, root: Path, log: Log, pace: Pace = Pace()):  # noqa: B008 - it cannot be changed
        self._root, self._log, self._pace = root, log, pace
        self._store = Store(root / "host")
        self._lock = threading.Lock()
        self._routers: Routers | None = None
        if layout := self._store.get(LAYOUT, LAYOUT):
            with suppress(errors.Invalid):  # of another version of this program: the manager says it again
                self._routers = self._made(layout)

    def _made(self, layout: dict[str, Any]) -> Routers:
        return Routers(self._root, Layout.read(layout), grace=self._pace.keep)

    @property
    def routers(self) -> Routers:
        if self._routers is None:
            raise Refused("this host has not been told its physical networks")
        return self._routers

    def describe(self, layout: dict[str, Any], deadline: Deadline) -> None:
        """Which physical networks this host has: kept, and in force from now on."""
        with said(), self._lock:
            made = self._made(layout)
            if self._store.get(LAYOUT, LAYOUT) != layout:
                self._store.put(LAYOUT, LAYOUT, layout)
                self._routers = made

    # -- where cards are plugged in

    def ensure(self, nic: NicSpec, deadline: Deadline) -> Bridge:
        with said(Refused):
            segment = self.routers.layout.guest_segment(nic.segment or "untagged")
            self._store.put(CARD, nic.uuid, {"segment": nic.segment or "untagged"})
            self._store.touch(CARD, nic.uuid)
            plug = self.routers.bridges.add([segment], until=time.monotonic() + deadline.left())[segment]
        return Bridge(plug.bridge, plug.mtu)

    def plugged(self, vm: str, nic: NicSpec) -> None:
        """Its bridge is kept as long as its tap is there."""

    def unplugged(self, nic: str) -> None:
        self._store.delete(CARD, nic)

    def _cards(self) -> set[Segment]:
        """Segments of the cards that are there. What is kept of others goes when nothing can be on its way any more."""
        found = set()
        for nic in self._store.keys(CARD):
            kept = self._store.get(CARD, nic) or {}
            if (LINKS / tap_of(nic)).exists():
                with suppress(errors.Invalid):
                    found.add(self.routers.layout.guest_segment(str(kept.get("segment", ""))))
            elif self._store.age(CARD, nic) > self._pace.keep:
                self._store.delete(CARD, nic)
        return found

    # -- routers

    def apply(self, document: dict[str, Any], deadline: Deadline) -> int:
        with said():
            return self.routers.apply(document, within=deadline.left())

    def remove(self, network: str, deadline: Deadline) -> None:
        if self._routers is not None:
            with said():
                self._routers.remove(network, within=deadline.left())

    def generation(self, network: str, deadline: Deadline) -> int | None:
        with said():
            return self._routers.generation(network) if self._routers else None

    def status(self, network: str, deadline: Deadline) -> dict[str, Any]:
        with said():
            return self.routers.status(network, within=deadline.left())

    def generations(self) -> dict[str, int]:
        return self._routers.generations() if self._routers else {}

    def machines(self) -> dict[str, str]:
        """Networks by the uuids of their routers: to the manager these are machines too."""
        return self._routers.machines() if self._routers else {}

    def fetched_passwords(self) -> dict[str, list[str]]:
        return self._routers.fetched_passwords() if self._routers else {}

    # -- without being asked

    def keep_healed(self, stop: threading.Event) -> None:
        due = 0.0
        while not stop.is_set():
            thorough = time.monotonic() >= due
            self._carefully(lambda: self._heal(thorough=thorough))  # noqa: B023 - called before the next round
            due = time.monotonic() + self._pace.look if thorough else due
            stop.wait(WATCH)

    def _heal(self, *, thorough: bool) -> None:
        if self._routers is None:
            return
        healed = self._routers.heal(thorough=thorough)
        for network, words in healed.done.items():
            self._log("router put right", network=network, done=words)
        for network, reason in healed.failed.items():
            self._log("router not healed", network=network, reason=reason)
        if thorough:
            done = self._routers.bridges.ensure(self._routers.segments() | self._cards())
            if done:
                self._log("bridges put right", done=[*done.links, *done.flood], kept=list(done.kept))

    def _carefully(self, work: Callable[[], object]) -> None:
        """What fails now is tried again soon; the thread goes on."""
        try:
            work()
        except (errors.Busy, errors.Failed, errors.Invalid, OSError) as error:
            self._log("networks not looked after", reason=str(error))
        except Exception as error:
            self._log.failure("networks not looked after", error)
