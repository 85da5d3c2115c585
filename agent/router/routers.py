"""All routers of a host: what the agent calls. Every call ensures, and may be repeated."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.net.layout import Layout, Segment
from agent.net.names import Names
from agent.net.segments import Bridges
from agent.net.tools import Tools
from agent.router import health, pulse, space
from agent.router.document import loose_ends, read
from agent.router.home import NETWORK, SPACES, Home
from agent.router.metadata.service import Service
from agent.router.router import Plan, Router, segments
from agent.state import Store, files
from agent.state.errors import Busy, Failed, Invalid
from agent.state.locks import locked
from agent.strict import uuid

WITHIN = 60.0
WAIT = 5.0
BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Healed:
    """By network: what was done, and why nothing could be done."""

    done: dict[str, list[str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


class Routers:
    """``root`` is the agent's folder. After a start of the host nothing of before comes up by itself: the manager may
    have put the routers elsewhere, and it will say so if it has not.
    """

    def __init__(self, root: Path, layout: Layout, *, prefix: str = "cp", boot: str = "", grace: float = 0.0):
        self.home = Home(root, Names(prefix)).prepared()
        self.layout = layout
        self.bridges = Bridges(self.home.names, self.home.lock("bridges"), grace)
        self.store = Store(root / "desired")
        self.boot = boot or BOOT.read_text().strip()
        self._pulses: dict[str, str] = {}  # as they were when all was as it must be

    def apply(self, raw: Any, *, within: float = WITHIN) -> int:
        """Make the router of a network match its document, or a newer one that came before; the generation that holds
        there now. Raises Invalid with nothing changed, Busy with nothing begun, or Failed.
        """
        document = read(raw)
        segments(self.layout, document)
        with self._router(document.network, within) as router:
            self.store.put(NETWORK, document.network, raw)
            files.folder(router.folder)
            files.update(router.folder / "boot", self.boot.encode())
            self._ensure(router)
            return read(self.store.get(NETWORK, document.network)).generation

    def _ensure(self, router: Router) -> Plan:
        raw = self.store.get(NETWORK, router.network)
        document = read(raw)
        plan = router.ensure(document, raw or {}, segments(self.layout, document))
        self._pulses[router.network] = pulse.look(router.where)
        return plan

    def would_change(self, raw: Any) -> Plan:
        """What ``apply`` would do now."""
        document = read(raw)
        cards = segments(self.layout, document)
        plugs = self.bridges.plugs(cards.values())
        router = self._seen(document.network)
        return router.plan(router.target(document, {name: plugs[segment] for name, segment in cards.items()}))

    def remove(self, network: str, *, within: float = WITHIN) -> None:
        """Ensure the host has nothing of the network's router."""
        with self._router(network, within) as router:
            self.store.delete(NETWORK, network)
            router.remove()
            self.home.lock(network).unlink(missing_ok=True)
            self._pulses.pop(network, None)
        Service(self.home).end_if_idle()

    def generation(self, network: str) -> int | None:
        """What was applied to its end; None if there is no router."""
        router = self._seen(network)
        document = router.applied() if space.exists(router.where) else None
        return document.generation if document else None

    def generations(self) -> dict[str, int]:
        """Of all networks that have a router here."""
        found = {network: self.generation(network) for network in self.store.keys(NETWORK)}
        return {network: generation for network, generation in found.items() if generation is not None}

    def heal(self, *, thorough: bool = True, within: float = WITHIN) -> Healed:
        """At the start of the agent and now and then: what died is started, what somebody changed is put right, what
        nobody wants is removed. Without ``thorough`` only routers are looked at as a whole of which a glance says that
        something died or was changed, which starts no program: that is for every few seconds.
        """
        healed = Healed()
        served = Service(self.home).holds() or {}
        for network in self.awake():
            if not thorough and self._looks_good(network, served):
                continue
            try:
                with self._router(network, within, wait=0.0) as router:
                    if self.store.get(NETWORK, network) is not None and (plan := self._ensure(router)):
                        healed.done[network] = plan.words()
            except Busy:
                continue  # whoever has it sees to it
            except (Failed, Invalid) as error:
                healed.failed[network] = str(error)
        for network in self._unwanted():
            self._remove_unwanted(network, within)
        return healed

    def _looks_good(self, network: str, served: dict[str, dict[str, Any]]) -> bool:
        router = self._seen(network)
        try:
            if not router.looks_alive(served):
                return False
            now = pulse.look(router.where)
        except (Failed, OSError):  # it went just now
            return False
        return self._pulses.setdefault(network, now) == now

    def awake(self) -> list[str]:
        """Networks whose documents came since the host was started."""
        return [
            network
            for network in self.store.keys(NETWORK)
            if files.read(self.home.folder(network) / "boot") == self.boot.encode()
        ]

    def segments(self) -> set[Segment]:
        """Where routers are plugged in: they are wanted, whoever else is."""
        documents = [read(self.store.get(NETWORK, network)) for network in self.awake()]
        return {segment for document in documents for segment in segments(self.layout, document).values()}

    def machines(self) -> dict[str, str]:
        """Uuids by which the manager knows the routers that run, and their networks: for the power report."""
        found = {}
        for network in self.awake():
            router = self._seen(network)
            document = router.applied()
            if document is not None and document.own.uuid and space.exists(router.where):
                found[document.own.uuid] = network
        return found

    def fetched_passwords(self) -> dict[str, list[str]]:
        """Machines by network that said that they have their password: the manager may forget it."""
        folders = {network: self._seen(network).told.fetched() for network in self.store.keys(NETWORK)}
        return {network: sorted(machines) for network, machines in folders.items() if machines}

    def status(self, network: str, *, within: float = WITHIN) -> dict[str, Any]:
        """How the router is. It changes nothing, so it may be asked while something changes."""
        router = self._seen(network, within)
        raw = self.store.get(NETWORK, network)
        document = read(raw) if raw else None
        running = space.exists(router.where)
        used = router.usage()
        return {
            "network": network,
            "router": document.own.uuid if document else "",
            "running": running,
            "wanted": document.generation if document else None,
            "generation": self.generation(network),
            "loose_ends": list(loose_ends(document)) if document else [],
            "checks": [check.answer() for check in health.checks(router, document)] if document and running else [],
            "usage": {"epoch": used.epoch, "addresses": {ip: vars(count) for ip, count in used.bytes}},
            "fetched_passwords": sorted(router.told.fetched()),
        }

    def _unwanted(self) -> set[str]:
        wanted = set(self.store.keys(NETWORK))
        there = {self.home.names.network_of(path.name) for path in SPACES.iterdir()} if SPACES.is_dir() else set()
        folders = [self.home.root / "routers", self.home.metadata / "data", self.home.metadata / "receipts"]
        there |= {path.name for folder in folders if folder.is_dir() for path in folder.iterdir()}
        return there - wanted - {""}

    def _remove_unwanted(self, network: str, within: float) -> None:
        try:
            with self._router(network, within, wait=0.0) as router:
                if self.store.get(NETWORK, network) is not None:
                    return
                router.remove()
                self.home.lock(network).unlink(missing_ok=True)
        except Busy:
            return
        Service(self.home).end_if_idle()

    def _seen(self, network: str, within: float = WITHIN) -> Router:
        """To look at, by whoever has no lock."""
        return Router(self.home, self.bridges, uuid(network, "network"), Tools(until=time.monotonic() + within))

    @contextmanager
    def _router(self, network: str, within: float, wait: float = WAIT) -> Iterator[Router]:
        until = time.monotonic() + within
        with locked(self.home.lock(uuid(network, "network")), wait=min(wait, within)) as lock:
            try:
                yield Router(self.home, self.bridges, network, Tools(lock, until))
            except OSError as error:  # a full disk, a kernel that will not
                raise Failed(str(error)) from error
