"""What the kernel has of a router: cards, routes and rules of routing, as ``wiring`` says them."""

from pathlib import Path
from typing import Any

from agent.net.tools import Tools
from agent.router.wiring import FIRST_RULE, OURS, SPECIFIC, Observed, Seen, Wiring
from agent.state.errors import Failed

Row = dict[str, Any]


QUESTIONS = ("address show", f"route show table all proto {OURS}", "rule show")


def wiring(tools: Tools, where: Path, wanted: Wiring) -> Observed:
    """Of a namespace that is there."""
    ends = _cables(tools, wanted)
    answers = tools.ask(QUESTIONS, where.name)
    if len(answers) != len(QUESTIONS):
        raise Failed(f"{where.name}: the namespace cannot be looked at")
    addresses, *rest = answers
    links = {row["ifname"]: row for row in addresses}
    loopback = links.pop("lo")
    routes = [row for rows in rest for row in rows if "dst" in row]
    rules = [row for rows in rest for row in rows if SPECIFIC <= row.get("priority", 0) < FIRST_RULE + 1000]
    return Observed(
        {name: _seen(row, ends.get(name, {})) for name, row in links.items()},
        frozenset(end["ifname"] for end in ends.values()),
        "UP" in loopback["flags"],
        tuple(sorted(map(_route, routes))),
        tuple(sorted(map(_rule, rules))),
    )


def cables(tools: Tools, wanted: Wiring) -> frozenset[str]:
    """The host's ends that are there."""
    return frozenset(end["ifname"] for end in _cables(tools, wanted).values())


def _cables(tools: Tools, wanted: Wiring) -> dict[str, Row]:
    answers = tools.ask(f"link show dev {card.cable}" for card in wanted.cards)
    there = {row["ifname"]: row for rows in answers for row in rows}
    return {card.name: there[card.cable] for card in wanted.cards if card.cable in there}


def _seen(card: Row, end: Row) -> Seen:
    return Seen(
        card["address"],
        card["mtu"],
        "UP" in card["flags"],
        tuple(f"{one['local']}/{one['prefixlen']}" for one in card["addr_info"] if one["family"] == "inet"),
        end.get("master", ""),
        end.get("mtu", 0),
        "UP" in end.get("flags", ()),
    )


def _route(row: Row) -> str:
    words = f"{row['dst']} via {row.get('gateway', '')} dev {row['dev']}"
    words += f" src {row['prefsrc']}" if "prefsrc" in row else ""
    return f"{words} table {row['table']}" if row.get("table", "main") != "main" else words


def _rule(row: Row) -> str:
    words = f"pref {row['priority']} from {row['src']}"
    words += f" fwmark {row['fwmark']}" if "fwmark" in row else ""
    words += f" table {row['table']}"
    return f"{words} suppress_prefixlength {row['suppress_prefixlen']}" if "suppress_prefixlen" in row else words
