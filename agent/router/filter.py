"""The rule set of a router in the kernel, and connections that it no longer means.

The mark of a rule set says from which text it was made. Who changes it by hand leaves the mark as it is; therefore the
kernel's listing of when it was loaded is compared as well.
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from agent.net.tools import Tools
from agent.router import usage
from agent.router.document import Document, Forwarding
from agent.router.rules import TABLE, mark_of
from agent.state import files

MANY_PORTS = 16
LISTED = "rules.listed"  # the file with the digest of the listing


def differs(tools: Tools, where: Path, folder: Path, rendered: str) -> bool:
    """Is anything else in force than what is rendered, by whomever? What is counted is another's subject."""
    tables = _tables(tools, where)
    ours = tables.get(TABLE, "")
    if _foreign(tables) or mark_of(ours) != mark_of(rendered):
        return True
    return files.read(folder / LISTED) != _digest(ours)


def load(tools: Tools, where: Path, folder: Path, rendered: str) -> None:
    """In one transaction: each packet sees the old rules or the new ones."""
    gone = "".join(f"delete table {name}\n" for name in _foreign(_tables(tools, where)))
    tools.run("nft", "-f", "-", stdin=gone + rendered, space=str(where))
    files.replace(folder / LISTED, _digest(_tables(tools, where).get(TABLE, "")), durable=False)


def _tables(tools: Tools, where: Path) -> dict[str, str]:
    """All that the namespace has, without counts."""
    found: dict[str, str] = {}
    name = ""
    for line in tools.run("nft", "-s", "list", "ruleset", space=str(where)).splitlines(keepends=True):
        if line.startswith("table "):
            name = line.removeprefix("table ").partition(" {")[0]
        found[name] = found.get(name, "") + line
    return found


def _foreign(tables: dict[str, str]) -> list[str]:
    return sorted(tables.keys() - {TABLE, usage.TABLE})


def _digest(listing: str) -> bytes:
    return sha256(listing.encode()).hexdigest().encode()


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
