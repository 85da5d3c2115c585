"""Settings of the kernel in a router's namespace."""

from pathlib import Path

from agent.router import space

ROOT = Path("/proc/sys/net")
SETTINGS = {
    "ipv6/conf/all/disable_ipv6": "1",  # nothing here speaks it yet, and nothing filters it
    "ipv6/conf/default/disable_ipv6": "1",
    "ipv4/ip_forward": "1",
    "ipv4/conf/all/rp_filter": "0",  # with several uplinks answers come another way; the rules drop what is spoofed
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/conf/all/arp_ignore": "1",  # each side asks for its own addresses only
    "ipv4/conf/all/arp_announce": "2",
    "ipv4/conf/all/accept_redirects": "0",
    "ipv4/conf/default/accept_redirects": "0",
    "ipv4/conf/all/send_redirects": "0",  # hairpin traffic has to come back here
    "ipv4/conf/default/send_redirects": "0",
    "ipv4/conf/all/promote_secondaries": "1",  # the first address of a network may go before the others
    "ipv4/conf/default/promote_secondaries": "1",
}


def differing(where: Path) -> list[str]:
    return space.inside(where, _differing)


def ensure(where: Path, names: list[str]) -> None:
    space.inside(where, lambda: _write(names))


def _differing() -> list[str]:
    return [name for name, value in SETTINGS.items() if _read(name) not in (value, None)]


def _read(name: str) -> str | None:
    """None where the kernel has none: one without IPv6."""
    path = ROOT / name
    return path.read_text().strip() if path.exists() else None


def _write(names: list[str]) -> None:
    for name in names:
        (ROOT / name).write_text(SETTINGS[name])
