"""How volumes are told of."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal.frame.columns import MONO, Column, Look
from apps.portal.visits import Row

ROLE = Look(lambda value: _("root disk") if value == "ROOT" else _("data disk"))


@dataclass(frozen=True)
class Device(Column):
    def value(self, row: Row) -> Any:
        number = row.get("deviceid")
        return "" if number is None else f"{number} · vd{chr(ord('a') + int(number))}"


@dataclass(frozen=True)
class Offered(Column):
    """A root disk comes with the compute offering."""

    def value(self, row: Row) -> Any:
        if row.get("diskofferingname"):
            return row["diskofferingname"]
        return _("with %(name)s") % {"name": row["serviceofferingname"]} if row.get("serviceofferingname") else ""


DEVICE = Device("deviceid", gettext_lazy("Device"), MONO)
OFFERED = Offered("diskofferingname", gettext_lazy("Offering"))
