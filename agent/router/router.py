"""One router of this host: what is there, what would change, and the change.

What is there is asked of the kernel and of the processes, never remembered: so it does not matter where an earlier
attempt ended. Two things cannot be asked, whether a daemon has read its lists since they were written and whether
connections of old rules were ended; for these the file ``pending`` lies there from before the first step until after
the last one.
"""

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from agent.net.layout import Layout, Segment
from agent.net.segments import Bridges, Plug
from agent.net.tools import Tools
from agent.router import arp, dnsmasq, filter, kernel, observe, rules, space, usage, wiring
from agent.router.document import Document, read
from agent.router.home import Home
from agent.router.metadata import files as metadata
from agent.router.metadata.service import Service
from agent.router.rules import GUEST
from agent.router.wiring import Observed, Steps, Wiring
from agent.state import files
from agent.state.errors import Failed, Invalid

ROUNDS = 4
NOTHING = Observed({}, frozenset())


@dataclass(frozen=True)
class Target:
    """What must be, rendered."""

    document: Document
    wiring: Wiring
    rules: str
    dnsmasq: dnsmasq.Rendered | None
    told: metadata.Rendered


@dataclass(frozen=True)
class Plan:
    """What differs."""

    space: bool = False
    settings: tuple[str, ...] = ()
    rules: bool = False
    steps: Steps = Steps()
    usage: str = ""
    dnsmasq: str = ""
    told: bool = False
    sockets: bool = False
    pending: bool = False

    def __bool__(self) -> bool:
        return self != Plan()

    def words(self) -> list[str]:
        found = ["make the namespace"] if self.space else []
        found += [f"set {name}" for name in self.settings]
        found += ["replace the rules"] if self.rules else []
        found += [f"ip {line}" for line in (*self.steps.outside, *self.steps.inside)]
        found += ["change what is counted"] if self.usage else []
        found += [f"{self.dnsmasq} dnsmasq"] if self.dnsmasq else []
        found += ["change what machines are told"] if self.told else []
        found += ["change the sockets of the metadata service"] if self.sockets else []
        return [*found, "finish what was begun"] if self.pending else found


def segments(layout: Layout, document: Document) -> dict[str, Segment]:
    """Where each card of the router goes."""
    found = {GUEST: layout.guest_segment(document.segment, document.guest_label)}
    for name, vlan in wiring.card_names(document).items():
        found[name] = layout.public_segment(vlan, document.public_label, "public.vlan")
    return found


class Router:
    """``ensure`` and ``remove`` are for who has the lock of the network."""

    def __init__(self, home: Home, bridges: Bridges, network: str, tools: Tools):
        self.home, self.bridges, self.network, self.tools = home, bridges, network, tools
        self.folder, self.where = home.folder(network), home.space(network)
        self.service = Service(home)
        self.told = metadata.Folder(home.metadata, network)
        self.daemon = dnsmasq.Daemon(self.folder, self.where)

    def ensure(self, document: Document, raw: dict[str, Any], cards: dict[str, Segment]) -> Plan:
        """Make it so; what had to be done for it. Nothing the second time."""
        plugs = self.bridges.add(set(cards.values()), until=self.tools.until)
        target = self.target(document, {name: plugs[segment] for name, segment in cards.items()})
        plan = self.plan(target)
        if plan:
            files.folder(self.folder)
            files.replace(self._pending, b"")
            self._carry_out(plan, target)
        if plan or self.applied_raw() != raw:
            files.replace(self.folder / "applied.json", json.dumps(raw).encode(), mode=0o600)
        self._pending.unlink(missing_ok=True)
        return plan

    def target(self, document: Document, plugs: dict[str, Plug]) -> Target:
        mtu = min(plugs[GUEST].mtu, document.mtu or plugs[GUEST].mtu)
        plugs = {**plugs, GUEST: replace(plugs[GUEST], mtu=mtu)}
        return Target(
            document,
            wiring.wanted(self.home.names, document, plugs),
            rules.render(document),
            dnsmasq.render(document, self.folder, mtu),
            metadata.render(document, self.told.fetched()),
        )

    def plan(self, target: Target) -> Plan:
        there = space.exists(self.where)
        return Plan(
            space=not there,
            settings=tuple(kernel.differing(self.where) if there else kernel.SETTINGS),
            rules=not there or filter.differs(self.tools, self.where, self.folder, target.rules),
            steps=wiring.steps(self.where.name, target.wiring, self._seen(target)),
            usage=usage.changes(self.usage(), (row.ip for row in target.document.public)),
            dnsmasq=self.daemon.verdict(target.dnsmasq, target.document),
            told=self.told.differs(target.told),
            sockets=not there or self.service.differs(target.document, self.where),
            pending=self._pending.exists(),
        )

    def _carry_out(self, plan: Plan, target: Target) -> None:
        """Rules stand before the first card is there. What a guest is told stands before it can ask."""
        space.ensure(self.tools, self.where)
        if plan.settings:
            kernel.ensure(self.where, list(plan.settings))
        if plan.rules:
            filter.load(self.tools, self.where, self.folder, target.rules)
        if plan.usage:
            self.tools.run("nft", "-f", "-", stdin=plan.usage, space=str(self.where))
        before = NOTHING if plan.pending else self._seen(target)
        if plan.steps:
            self._rewire(plan.steps, target)
        self._announce(before, target)
        filter.forget(self.tools, self.where, self.applied(), target.document)
        self.told.forget_receipts(target.document)
        self.told.update(target.told)
        if plan.sockets:
            self.service.ensure(target.document, self.where, self.tools)
        # Asked again: a card that was made anew makes it deaf.
        verdict = self.daemon.verdict(target.dnsmasq, target.document)
        verdict = verdict or ("reload" if plan.pending and target.dnsmasq else "")
        self.daemon.carry_out(verdict, target.dnsmasq, target.document, self.tools)

    def _rewire(self, steps: Steps, target: Target) -> None:
        """Until nothing is left to do: the kernel takes routes away with links and addresses."""
        wrong = ""
        for _ in range(ROUNDS):
            wrong = self.tools.force(steps.outside) or self.tools.force(steps.inside, self.where.name)
            steps = wiring.steps(self.where.name, target.wiring, self._seen(target))
            if not steps:
                return
        raise Failed(f"ip: {wrong or 'the wiring of the router does not come to an end'}")

    def _announce(self, before: Observed, target: Target) -> None:
        """Addresses that are new, or of which nobody knows whether they were announced."""
        for card in target.wiring.cards:
            held = before.cards[card.name].addresses if card.name in before.cards else ()
            fresh = [address.partition("/")[0] for address in card.addresses if address not in held]
            if fresh:
                space.inside(self.where, partial(arp.announce, card.name, card.mac, fresh))

    def _seen(self, target: Target) -> Observed:
        if space.exists(self.where):
            return observe.wiring(self.tools, self.where, target.wiring)
        return replace(NOTHING, cables=observe.cables(self.tools, target.wiring))

    def looks_alive(self, served: dict[str, dict[str, Any]]) -> bool:
        """Do namespace, settings and processes live? It starts no program; ``served`` is what the metadata process
        holds.
        """
        if self._pending.exists() or not space.exists(self.where) or not self.daemon.looks_alive():
            return False
        if kernel.differing(self.where):
            return False
        held = served.get(self.network)
        return held["space"] == space.inode(self.where) if held else not self.told.has_data()

    def usage(self) -> usage.Usage:
        return usage.look(self.tools, self.where) if space.exists(self.where) else usage.Usage()

    def applied(self) -> Document | None:
        """The last document that was applied to its end."""
        with suppress(Invalid):  # of another version of this program
            return read(self.applied_raw())
        return None

    def applied_raw(self) -> dict[str, Any] | None:
        content = files.read(self.folder / "applied.json")
        return dict(json.loads(content)) if content else None

    def _cables(self) -> list[str]:
        """Those that are there, and those that were: the namespace may have gone before."""
        applied = self.applied()
        cards = {GUEST, *(wiring.card_names(applied) if applied else ())}
        if space.exists(self.where):
            answers = self.tools.ask(["link show type veth"], self.where.name)
            cards |= {row["ifname"] for rows in answers for row in rows}
        return [self.home.names.cable(self.network, card) for card in sorted(cards)]

    @property
    def _pending(self) -> Path:
        return self.folder / "pending"

    def remove(self) -> None:
        """All of it, from whatever state. Nothing may hold the namespace when it goes, or it would live on unseen."""
        self.service.close(self.network, None)
        self.tools.force([f"link del {cable}" for cable in self._cables()])
        self.daemon.stop()
        space.remove(self.tools, self.where)
        self.told.remove()
        if self.folder.exists():
            shutil.rmtree(self.folder)
