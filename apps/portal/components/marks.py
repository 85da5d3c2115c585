"""Signs and figures: icons, states, meters."""

from functools import cache

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from apps.portal import looks
from apps.portal.components.base import Component, Text, component, icon, sprite


@component
class Icon(Component):
    """The text beside it speaks: an icon is never read out."""

    name: str
    kind: str = ""

    def html(self) -> SafeString:
        return icon(self.name, self.kind)


@cache
def glyph_of(look: looks.Look) -> SafeString:
    return mark_safe(sprite(look.glyph, "spin" if look.turns else "", "0 0 12 12"))  # noqa: S308 - names of ours


def glyph(state: str) -> SafeString:
    return glyph_of(looks.of_state(state))


@component
class State(Component):
    """``name`` is the wire name; it stays in the title, so that what the API says can be found."""

    name: str
    pill: bool = False
    label: Text = ""

    def html(self) -> SafeString:
        look = looks.of_state(self.name)
        css = f"state {look.colour}{' pill' if self.pill else ''}"
        text = self.label or looks.state_label(self.name)
        return format_html('<span class="{}" title="{}">{}{}</span>', css, self.name, glyph(self.name), text)


@component
class Glyph(Component):
    """A state's shape and colour alone, with a name that is read out."""

    name: str
    label: Text = ""

    def html(self) -> SafeString:
        said = format_html('<span class="visually-hidden">{}</span>', self.label) if self.label else ""
        return format_html(
            '<span class="state {}">{}{}</span>', looks.of_state(self.name).colour, glyph(self.name), said
        )


WARN_FROM = 80  # percent


@component
class Meter(Component):
    """A bar: ``used`` of ``total``, and what ``add`` would put on top. Geometry in attributes, colours in the style."""

    label: Text
    used: float
    total: float
    add: float = 0
    mark: float = 0
    kind: str = ""
    thin: bool = False

    @property
    def percent(self) -> float:
        return self.used / self.total * 100 if self.total else 0

    def html(self) -> SafeString:
        now, then = round(self.percent), round((self.used + self.add) / self.total * 100) if self.total else 0
        said = _("%(percent)s %% used") % {"percent": now}
        if self.add:
            said += ", " + _("%(percent)s %% afterwards") % {"percent": then}
        css = " ".join(filter(None, ("meter", self.kind, "thin" if self.thin else "")))
        head = format_html(
            '<svg class="{}" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label="{}: {}">',
            css,
            self.label,
            said,
        )
        return head + mark_safe("".join(self._shapes()) + "</svg>")  # noqa: S308 - numbers

    def _shapes(self) -> list[str]:
        at = min(self.percent, 97.0)
        shapes = ['<rect class="track" width="100" height="6"/>']
        shapes.append(f'<rect class="fill" width="{min(self.percent, 100):.1f}" height="6"/>')
        if self.add:
            wide = min(max(self.add / self.total * 100 if self.total else 0, 2), 100 - at)
            shapes.append(f'<rect class="add" x="{at:.1f}" width="{wide:.1f}" height="6"/>')
            shapes.append(f'<rect class="gap" x="{at:.1f}" width=".6" height="6"/>')
        if self.mark:
            shapes.append(f'<rect class="mark" x="{self.mark:.1f}" width=".7" height="6"/>')
        return shapes


@component
class Use(Component):
    """A limit or a capacity. It warns from 80 %, and is bad when it is full or would be."""

    label: Text
    used: float
    total: float | None  # None: without a limit
    unit: str = ""
    add: float = 0
    mark: float = 0
    why: Text = ""

    @property
    def kind(self) -> str:
        if self.total is None:
            return ""
        after = self.used + self.add
        if after > self.total or (not self.add and after >= self.total > 0):
            return "bad"
        return "warn" if self.total and after / self.total * 100 >= WARN_FROM else ""

    @property
    def meter(self) -> Meter:
        return Meter(
            label=self.label, used=self.used, total=self.total or 0, add=self.add, mark=self.mark, kind=self.kind
        )

    @property
    def figures(self) -> SafeString:
        """`47 of 60`, `412 → 420 of 480 GiB`, `3, no limit`."""
        number = looks.number
        before = format_html("{} → ", number(self.used)) if self.add else ""
        after = format_html("<b>{}</b>", number(self.used + self.add))
        unit = f" {self.unit}" if self.unit else ""
        if self.total is None:
            return format_html("{}{}{}, {}", before, after, unit, _("no limit"))
        return format_html("{}{} {} {}{}", before, after, _("of"), number(self.total), unit)

    @property
    def remark(self) -> Text:
        if self.why or self.total is None:
            return self.why
        over = self.used + self.add - self.total
        if over > 0:
            return _("%(amount)s too much") % {"amount": f"{looks.number(over)} {self.unit}".strip()}
        if self.kind == "bad":
            return _("None left")
        if self.kind == "warn":
            return _("%(percent)s %% used") % {"percent": round((self.used + self.add) / self.total * 100)}
        return ""
