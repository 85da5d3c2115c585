"""What there is and what of it is taken: rows of `listCapacity` as bars."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal.visits import Row, Visit

Text = str | Promise
GIB, TIB = 1 << 30, 1 << 40
LOCAL = 9
# By the wire's number of a capacity: what people call it, the unit it is told in, and what is above its threshold.
KINDS: tuple[tuple[int, Text, str, float], ...] = (
    (1, gettext_lazy("Processor"), "GHz", 1000),
    (0, gettext_lazy("Memory"), "GiB", GIB),
    (3, gettext_lazy("Primary storage"), "GiB", GIB),
    (LOCAL, gettext_lazy("Local storage"), "GiB", GIB),
    (6, gettext_lazy("Secondary storage"), "GiB", GIB),
    (4, gettext_lazy("Public addresses"), "", 1),
    (8, gettext_lazy("Guest addresses"), "", 1),
    (5, gettext_lazy("Addresses of system machines"), "", 1),
    (7, gettext_lazy("VLANs"), "", 1),
)
FULL = {  # settings above which a cluster takes no more machines
    1: "cluster.cpu.allocated.capacity.disablethreshold",
    0: "cluster.memory.allocated.capacity.disablethreshold",
}
COMMON = "allocated.capacity.disablethreshold"  # what their names have in common
LARGE = 10_000  # GiB from which TiB are told


def thresholds(visit: Visit) -> dict[int, float]:
    """Percent, as they are set for all clusters; one of them may have its own."""
    if not visit.may("listConfigurations"):
        return {}
    told = visit.call("listConfigurations", name=COMMON).get("configuration", [])
    values = {row["name"]: row["value"] for row in told if row.get("value")}
    return {number: float(values[name]) * 100 for number, name in FULL.items() if name in values}


def uses(rows: Iterable[Row], marks: Mapping[int, float] | None = None) -> list[dict[str, Any]]:
    """Attributes of a bar for each kind that is there, in our order."""
    known = {int(row["type"]): row for row in rows if row.get("capacitytotal")}
    return [
        _use(known[number], label, unit, per, (marks or {}).get(number, 0))
        for number, label, unit, per in KINDS
        if number in known
    ]


def _use(row: Row, label: Text, unit: str, per: float, mark: float) -> dict[str, Any]:
    used, total = float(row["capacityused"]), float(row["capacitytotal"])
    if unit == "GiB" and total / GIB >= LARGE:
        unit, per = "TiB", TIB
    percent = used / total * 100
    why = _("%(percent)s %%: above %(mark)s %% a cluster takes no more machines") if mark and percent >= mark else ""
    said = str(why) % {"percent": round(percent), "mark": round(mark)} if why else ""
    return {
        "label": label,
        "used": _rounded(used / per),
        "total": _rounded(total / per),
        "unit": unit,
        "mark": mark,
        "why": said,
    }


def _rounded(value: float) -> float:
    return int(value) if value >= 100 or value == int(value) else round(value, 1)
