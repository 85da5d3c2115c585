"""Limits and usage, kind by kind."""

from functools import cached_property
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal.frame.pages import Page
from apps.portal.visits import Row

Text = str | Promise
# Word of the account's totals, what people call it, unit, and how many of the wire's unit make one of it.
KINDS: tuple[tuple[str, Text, str, float], ...] = (
    ("vm", gettext_lazy("Machines"), "", 1),
    ("cpu", gettext_lazy("Processor cores"), "", 1),
    ("memory", gettext_lazy("Memory"), "GiB", 1024),
    ("volume", gettext_lazy("Volumes"), "", 1),
    ("primarystorage", gettext_lazy("Primary storage"), "GiB", 1),
    ("secondarystorage", gettext_lazy("Secondary storage"), "GiB", 1),
    ("snapshot", gettext_lazy("Snapshots"), "", 1),
    ("template", gettext_lazy("Templates"), "", 1),
    ("network", gettext_lazy("Networks"), "", 1),
    ("ip", gettext_lazy("Public addresses"), "", 1),
    ("vpc", gettext_lazy("VPCs"), "", 1),
    ("project", gettext_lazy("Projects"), "", 1),
)


def uses(account: Row, words: tuple[str, ...] = (), add: dict[str, float] | None = None) -> list[dict[str, Any]]:
    """Attributes of a bar for each kind; ``add`` is what would come on top, in the wire's units."""
    found = []
    for word, label, unit, per in KINDS:
        if (words and word not in words) or f"{word}total" not in account:
            continue
        limit = str(account.get(f"{word}limit", "Unlimited"))
        total = float(limit) / per if limit.lstrip("-").isdecimal() and limit != "-1" else None
        used = float(account[f"{word}total"]) / per
        more = (add or {}).get(word, 0) / per
        found.append({"word": word, "label": label, "used": used, "total": total, "unit": unit, "add": more})
    return found


class Limits(Page):
    at = "limits"
    nav = "/limits"
    template = "portal/limits.html"

    @property
    def title(self) -> str:
        return _("Limits and usage")

    @cached_property
    def uses(self) -> list[dict[str, Any]]:
        return uses(self.visit.account)

    @property
    def params(self) -> dict[str, str]:
        return {"id": str(self.visit.who.account.uuid)}
