"""How hosts and storage are told of in tables."""

from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal import looks
from apps.portal.components import Meter
from apps.portal.frame.columns import Cell, Column, Look
from apps.portal.visits import Row

TRAFFIC = {
    "Guest": gettext_lazy("machines"),
    "Public": gettext_lazy("public"),
    "Management": gettext_lazy("management"),
    "Storage": gettext_lazy("storage"),
}
NETWORK_TYPE = Look(lambda value: str({"Basic": _("Basic"), "Advanced": _("Advanced")}.get(value, value)))


@dataclass(frozen=True)
class Use(Column):
    """``used`` of ``total``, with a bar; both in bytes where ``is_size``, as numbers where not."""

    used: str = ""
    total: str = ""
    is_size: bool = False

    def value(self, row: Row) -> Any:
        return row.get(self.total)

    def cell(self, row: Row) -> Cell:
        total = number(row.get(self.total))
        if not total:
            return looks.DASH
        used = number(row.get(self.used))
        show = looks.size if self.is_size else looks.number
        meter = Meter(label=self.label, used=used, total=total, thin=True).html()
        figures = format_html(
            '<span class="num">{} <span class="muted">{} {}</span></span>', show(used), _("of"), show(total)
        )
        return format_html('<span class="cell-use">{}{}</span>', figures, meter)


def number(value: Any) -> float:
    """Some figures of hosts are texts on the wire."""
    try:
        found = float(str(value).rstrip("%"))
    except ValueError:
        return 0
    return int(found) if found == int(found) else found


MEMORY_USE = Use(
    "memoryuse", gettext_lazy("Memory"), used="memoryallocatedbytes", total="memorywithoverprovisioning", is_size=True
)


@dataclass(frozen=True)
class Percent(Column):
    """A share that the wire tells as a text."""

    def cell(self, row: Row) -> Cell:
        value = row.get(self.name)
        if value in (None, ""):
            return looks.DASH
        used = number(value)
        meter = Meter(label=self.label, used=used, total=100, thin=True).html()
        return format_html(
            '<span class="cell-use"><span class="num">{} %</span>{}</span>', looks.number(round(used, 1)), meter
        )


CPU_USE = Percent("cpuallocated", gettext_lazy("Processor"))
DISK_USE = Use("diskuse", gettext_lazy("Promised"), used="disksizeallocated", total="capacitybytes", is_size=True)
STORE_USE = Use("storeuse", gettext_lazy("In use"), used="disksizeused", total="disksizetotal", is_size=True)
