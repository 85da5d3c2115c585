"""How accounts are told of in tables: what they use of what they may."""

from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal import looks
from apps.portal.components import Meter
from apps.portal.frame.columns import Cell, Column
from apps.portal.limits.limits import uses
from apps.portal.visits import Row


@dataclass(frozen=True)
class LimitUse(Column):
    word: str = ""  # of the account's totals

    def value(self, row: Row) -> Any:
        return row.get(f"{self.word}total")

    def cell(self, row: Row) -> Cell:
        use = next(iter(uses(row, (self.word,))), None)
        if use is None:
            return looks.DASH
        used = looks.number(use["used"])
        if use["total"] is None:
            unit = f" {use['unit']}" if use["unit"] else ""
            return format_html('<span class="num">{}{}</span>', used, unit)
        percent = use["used"] / use["total"] * 100 if use["total"] else 100
        kind = "bad" if percent >= 100 else "warn" if percent >= 80 else ""
        meter = Meter(label=self.label, used=use["used"], total=use["total"], thin=True, kind=kind).html()
        total = f"{looks.number(use['total'])} {use['unit']}".strip()
        return format_html(
            '<span class="cell-use"><span class="num">{} <span class="muted">{} {}</span></span>{}</span>',
            used,
            _("of"),
            total,
            meter,
        )


ACCOUNT_OWN = {
    "machineuse": LimitUse("machineuse", gettext_lazy("Machines"), word="vm", detail="resource"),
    "memoryuse": LimitUse("memoryuse", gettext_lazy("Memory"), word="memory", detail="resource"),
    "storageuse": LimitUse("storageuse", gettext_lazy("Storage"), word="primarystorage", detail="resource"),
}
