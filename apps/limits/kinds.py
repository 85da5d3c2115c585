"""Kinds of resources with the numbers and names that CloudStack gives them, the units of their limits on the wire, and
the settings that say how much an account may have unless a limit of its own is set.
"""

from dataclasses import dataclass
from typing import Any

from apps.core.settings import Setting

GIB = 1 << 30


@dataclass(frozen=True)
class Kind:
    number: int
    name: str
    setting: str
    default: int
    unit: int = 1  # of a limit on the wire, in what counters count

    def default_for(self, owner: Any) -> int:
        """In what counters count; -1 for none. Root administrators are not limited, as in CloudStack."""
        if owner.type == ROOT_ADMIN:
            return -1
        scope = "project" if owner.is_project else "account"
        limit = SETTINGS[scope, self.name].value()
        return limit if limit == -1 else limit * self.unit


ROOT_ADMIN = 1
KINDS = (
    Kind(0, "user_vm", "user.vms", 20),
    Kind(1, "public_ip", "public.ips", 20),
    Kind(2, "volume", "volumes", 20),
    Kind(3, "snapshot", "snapshots", 20),
    Kind(4, "template", "templates", 20),
    Kind(5, "project", "projects", 10),
    Kind(6, "network", "networks", 20),
    Kind(7, "vpc", "vpcs", 20),
    Kind(8, "cpu", "cpus", 40),
    Kind(9, "memory", "memory", 40960),
    Kind(10, "primary_storage", "primary.storage", 200, GIB),
    Kind(11, "secondary_storage", "secondary.storage", 400, GIB),
)
BY_NAME = {kind.name: kind for kind in KINDS}
BY_NUMBER = {kind.number: kind for kind in KINDS}
SETTINGS = {
    (scope, kind.name): Setting(
        f"max.{scope}.{kind.setting}",
        kind.default,
        help_text=f"{kind.name} that one {scope} may have; -1 for any number",
    )
    for kind in KINDS
    for scope in ("account", "project")
    if (scope, kind.name) != ("project", "project")
}
