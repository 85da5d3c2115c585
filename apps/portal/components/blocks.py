"""Tables, fields, pictures."""

from collections.abc import Sequence
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from apps.portal.components.base import Component, Text, component


@component
class Table(Component):
    """Of rows of a list; made by ``apps.portal.frame.tables``, which writes the rows."""

    table: Any


@component
class Field(Component):
    """A field of a form with its label, hint and error: made by ``apps.portal.frame.fields``."""

    field: Any


@component
class Check(Component):
    label: Text
    name: str
    on: bool = False
    value: str = "true"
    hint: Text = ""
    off: bool = False


@component
class Pick(Component):
    """One of up to eight, as a card."""

    name: str
    value: str
    title: Text
    text: Text = ""
    more: Text = ""
    on: bool = False
    off: bool = False


@component
class Chart(Component):
    """A series of the last hours, 0 to 100 of ``top``."""

    title: Text
    value: Text
    points: Sequence[float]
    top: float = 100
    times: Sequence[Text] = ()

    def html(self) -> SafeString:
        wide = 300 / max(len(self.points) - 1, 1)
        spots = [f"{i * wide:.1f} {80 - min(p / self.top, 1) * 80:.1f}" for i, p in enumerate(self.points)]
        line = "M" + "L".join(spots)
        context = {"c": self, "line": line, "area": f"{line}L300 80L0 80z"}
        return mark_safe(render_to_string("portal/components/chart.html", context))  # noqa: S308 - a template


@component
class Topology(Component):
    """Layers from left to right; every box is a link, and the same facts stand in a table below."""

    picture: Any


@component
class Empty(Component):
    """An icon, what this is, what it needs, one button."""

    icon: str
    title: Text
    text: Text = ""
    slot: Any = ""
