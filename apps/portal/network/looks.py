"""How networks and cards are told of."""

from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal.components import Tag
from apps.portal.frame.columns import Cell, Column, Look
from apps.portal.visits import Row

TYPES = {"Isolated": gettext_lazy("isolated"), "Shared": gettext_lazy("shared"), "L2": gettext_lazy("bare")}
TYPE = Look(lambda value: str(TYPES.get(value, value)))


@dataclass(frozen=True)
class Card(Column):
    """The network of a card; the default one is marked."""

    def cell(self, row: Row) -> Cell:
        shown = super().cell(row)
        return format_html("{} {}", shown, Tag(text=_("default")).html()) if row.get("isdefault") else shown


CARD = Card("networkname", gettext_lazy("Network"), to="network.Network", key="networkid")
