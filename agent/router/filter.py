"""The rule set of a router in the kernel, and connections that it no longer means."""

from collections.abc import Iterator
from pathlib import Path

from agent.net.tools import Tools
from agent.router.document import Document, Forwarding
from agent.router.rules import TABLE, mark_of

MANY_PORTS = 16


def held(tools: Tools, where: Path) -> str:
    """The digest of the rule set that is in force; "" if there is none."""
    done = tools.attempt("nft", "-t", "list", "table", *TABLE.split(), space=str(where))
    return "" if done.returncode else mark_of(done.stdout)


def load(tools: Tools, where: Path, rendered: str) -> None:
    """In one transaction: each packet sees the old rules or the new ones."""
    tools.run("nft", "-f", "-", stdin=rendered, space=str(where))


def forget(tools: Tools, where: Path, before: Document | None, after: Document) -> None:
    """A translation lives as long as its connection, whatever becomes of the rule; end those whose rule went."""
    for words in stale(before, after) if before else ():
        tools.attempt("conntrack", "-D", *words, space=str(where))  # its refusal says that there were none


def stale(before: Document, after: Document) -> list[tuple[str, ...]]:
    """Matches for ``conntrack -D``."""
    gone = sorted({row.ip for row in before.public} - {row.ip for row in after.public})
    moved = sorted(nat.ip for nat in set(before.static_nat) - set(after.static_nat) if nat.ip not in gone)
    found = [(flag, str(ip)) for ip in (*gone, *moved) for flag in ("--orig-dst", "--reply-dst")]
    ended = [row for row in before.port_forwarding if row not in after.port_forwarding and row.ip not in gone]
    return [*found, *dict.fromkeys(words for row in ended for words in _ports(row))]


def _ports(row: Forwarding) -> Iterator[tuple[str, ...]]:
    match = ("--proto", row.protocol, "--orig-dst", str(row.ip))
    if len(row.ports) > MANY_PORTS:
        yield match
        return
    for port in range(row.ports.first, row.ports.last + 1):
        yield (*match, "--orig-port-dst", str(port))
