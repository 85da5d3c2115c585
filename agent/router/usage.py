"""Bytes by public address, both ways, counted by the kernel in a table of its own that outlives changes of the rules.

Counted is what passes: to an address behind the firewall, from one after it was given. Counters begin at zero with the
namespace; ``epoch`` says which beginning, so that who adds up differences knows a new one from a step back.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from uuid import uuid4

from agent.net.tools import Tools
from agent.router.rules import OUTSIDE

TABLE = "inet usage"
SETS = ("received", "sent")
CHAINS = ("arriving", "leaving")
EPOCH = "epoch-"


@dataclass(frozen=True)
class Count:
    received: int = 0
    sent: int = 0


@dataclass(frozen=True)
class Usage:
    epoch: str = ""
    bytes: tuple[tuple[str, Count], ...] = ()

    @property
    def addresses(self) -> frozenset[str]:
        return frozenset(ip for ip, _ in self.bytes)


def look(tools: Tools, where: Path) -> Usage:
    done = tools.attempt("nft", "-j", "list", "table", *TABLE.split(), space=str(where))
    if done.returncode:
        return Usage()
    rows = json.loads(done.stdout)["nftables"]
    counted = {row["set"]["name"]: dict(map(_counted, row["set"].get("elem", ()))) for row in rows if "set" in row}
    names = [row["chain"]["name"] for row in rows if "chain" in row]
    if sorted(row["rule"]["chain"] for row in rows if "rule" in row) != list(CHAINS):
        return Usage()  # somebody has changed it: nothing is counted, or too much
    received, sent = (counted.get(name, {}) for name in SETS)
    return Usage(
        next((name.removeprefix(EPOCH) for name in names if name.startswith(EPOCH)), ""),
        tuple((ip, Count(received[ip], sent.get(ip, 0))) for ip in sorted(received, key=IPv4Address)),
    )


def _counted(element: dict[str, Any]) -> tuple[str, int]:
    return element["elem"]["val"], element["elem"]["counter"]["bytes"]


def changes(now: Usage, wanted: Iterable[IPv4Address]) -> str:
    """For ``nft -f``; what stays goes on counting."""
    addresses = {str(ip) for ip in wanted}
    if not now.epoch:
        return _table(sorted(addresses, key=IPv4Address))
    lines = [_elements("add", addresses - now.addresses), _elements("delete", now.addresses - addresses)]
    return "".join(lines)


def _elements(verb: str, addresses: Iterable[str]) -> str:
    listed = ", ".join(sorted(addresses, key=IPv4Address))
    return "".join(f"{verb} element {TABLE} {name} {{ {listed} }}\n" for name in SETS) if listed else ""


def _table(addresses: list[str]) -> str:
    elements = f"elements = {{ {', '.join(addresses)} }}" if addresses else ""
    received, sent = (f"set {name} {{\ntype ipv4_addr\ncounter\n{elements}\n}}\n" for name in SETS)
    arriving = f'type filter hook prerouting priority -149\niifname "{OUTSIDE}" ip daddr @received'
    leaving = f'type filter hook postrouting priority 150\noifname "{OUTSIDE}" ip saddr @sent'
    chains = {f"{EPOCH}{uuid4().hex[:12]}": "", "arriving": arriving, "leaving": leaving}
    body = received + sent + "".join(f"chain {name} {{\n{lines}\n}}\n" for name, lines in chains.items())
    return f"table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n{body}}}\n"
