"""Components: what pages are put together from. Each is a class that declares its attributes; a template that names
another one, or leaves out one that has no default, does not compile.

    {% c-state name=row.state pill=True %}
    {% c-note kind="bad" title=_("Refused") %}why{% endc-note %}

Those that occur a thousand times on a page write their HTML here; the others have a template of their name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Any, ClassVar, TypeVar, dataclass_transform

from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from apps.portal import looks, statics

COMPONENTS: dict[str, type["Component"]] = {}
Text = str | Promise
C = TypeVar("C", bound=type["Component"])


class Component:
    tag: ClassVar[str]
    has_slot: ClassVar[bool] = False  # takes what stands between its tags

    def html(self) -> str:
        return render_to_string(f"portal/components/{self.tag.removeprefix('c-')}.html", {"c": self})


@dataclass_transform(kw_only_default=True, frozen_default=True)
def component(cls: C) -> C:
    """Declare a component: attributes are those of a dataclass, ``slot`` takes what stands between its tags."""
    declared = dataclass(frozen=True, kw_only=True)(cls)
    cls.tag = f"c-{cls.__name__.lower()}"
    cls.has_slot = any(each.name == "slot" for each in fields(declared))  # type: ignore[arg-type]
    COMPONENTS[cls.tag] = declared
    return declared  # type: ignore[return-value]


def attributes(cls: type[Component]) -> tuple[set[str], set[str]]:
    """All that it takes, and those that it needs."""
    each = [field for field in fields(cls) if field.name != "slot"]  # type: ignore[arg-type]
    needed = {f.name for f in each if f.default is MISSING and f.default_factory is MISSING}
    return {f.name for f in each}, needed


def sprite(name: str, css: str = "ic", view: str = "") -> str:
    box = f' viewBox="{view}"' if view else ""
    return f'<svg class="{css}"{box} aria-hidden="true"><use href="{statics.url_of("icons.svg")}#{name}"/></svg>'


@cache
def icon(name: str, kind: str = "") -> SafeString:
    return mark_safe(sprite(name, f"ic {kind}".rstrip()))  # noqa: S308 - names of ours


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


@component
class Facts(Component):
    """Key and value; what is not set is a dash."""

    rows: Sequence[tuple[Text, Any]]
    wide: bool = False

    def html(self) -> SafeString:
        cells = [(label, looks.DASH if value in (None, "") else value) for label, value in self.rows]
        body = format_html_join("", "<dt>{}</dt><dd>{}</dd>", cells)
        return format_html('<dl class="facts{}">{}</dl>', " wide" if self.wide else "", body)


@component
class Copy(Component):
    """A text that is wanted elsewhere, with the button that takes it there."""

    text: str
    what: Text = ""
    mono: bool = True

    def html(self) -> SafeString:
        said = _("Copy %(what)s") % {"what": self.what or self.text}
        return format_html(
            '<span class="copy"><span class="{}">{}</span>'
            '<button type="button" data-copy="{}" aria-label="{}">{}</button></span>',
            "mono" if self.mono else "",
            self.text,
            self.text,
            said,
            icon("copy"),
        )


@component
class Link(Component):
    """A text that leads somewhere where there is somewhere to go."""

    text: Text
    url: str = ""

    def html(self) -> SafeString:
        return format_html('<a href="{}">{}</a>' if self.url else "{1}", self.url, self.text)


@component
class Tag(Component):
    text: Text
    kind: str = ""
    remove: str = ""  # address of the page without it

    def html(self) -> SafeString:
        x = ""
        if self.remove:
            said = _("Remove the filter %(name)s") % {"name": self.text}
            x = format_html('<a href="{}" aria-label="{}">{}</a>', self.remove, said, icon("x"))
        return format_html('<span class="tag {}">{}{}</span>', self.kind, self.text, x)


@component
class Api(Component):
    """What is about to happen, as the client ``cs`` would be told it, as an address and for curl."""

    call: str
    params: Mapping[str, Any]
    form: str = "cs"  # which of the three is shown

    @property
    def text(self) -> Any:
        from apps.portal.frame import calls

        return calls.written(self.call, self.params, self.form)

    @property
    def whole(self) -> str:
        from apps.portal.frame import calls

        return calls.line(self.call, self.params, self.form)

    @property
    def forms(self) -> list[tuple[str, str, str]]:
        from apps.portal.frame import calls

        return [(form, name, calls.line(self.call, self.params, form)) for form, name in calls.FORMS]


@component
class Note(Component):
    """ok, busy, warn, bad or off. What is bad is said at once."""

    kind: str
    title: Text = ""
    acts: Any = ""
    slot: Any = ""
    icons: ClassVar[dict[str, str]] = {
        "ok": "circle-check",
        "busy": "info-circle",
        "warn": "alert-triangle",
        "bad": "alert-octagon",
        "off": "info-circle",
    }

    @property
    def icon(self) -> str:
        return self.icons[self.kind]


@component
class Toast(Component):
    """A note that comes and goes; what is bad stays until it is closed."""

    kind: str
    title: Text
    text: Text = ""
    url: str = ""
    word: Text = ""  # of the link
    job: str = ""  # that it follows
    done: Text = ""  # what it says when that job has ended well
    failed: Text = ""

    @property
    def icon(self) -> str:
        return Note.icons[self.kind]


@dataclass(frozen=True, kw_only=True)
class Item:
    """Of a menu: a link, a button of the form it stands in, or the reason why not."""

    text: Text
    icon: str = ""
    url: str = ""
    name: str = ""  # of the button
    value: str = ""
    why_not: Text = ""
    bad: bool = False
    form: str = ""


def _item(item: Item | None) -> str:
    if item is None:
        return "<hr>"
    if item.why_not:
        return format_html('<p class="muted small">{}</p>', item.why_not)
    shown = icon(item.icon) if item.icon else ""
    if item.name:
        to = format_html(' form="{}"', item.form) if item.form else ""
        css = mark_safe(' class="bad"') if item.bad else ""  # noqa: S308 - ours
        return format_html(
            '<button name="{}" value="{}"{}{}>{}{}</button>', item.name, item.value, to, css, shown, item.text
        )
    css = mark_safe(' class="bad" data-dialog') if item.bad else ""  # noqa: S308 - ours
    return format_html('<a href="{}"{}>{}{}</a>', item.url, css, shown, item.text)


@component
class Menu(Component):
    label: Text
    items: Sequence[Item | None]  # None is a line
    button: bool = False  # its summary is a button with text, not three dots
    align: str = ""

    def html(self) -> SafeString:
        """Written here: a list has one in every row."""
        if self.button:
            head = format_html('<summary class="btn">{} {}</summary>', self.label, icon("chevron-down"))
        else:
            head = format_html('<summary class="btn btn-bare" aria-label="{}">{}</summary>', self.label, icon("dots"))
        body = mark_safe("".join(_item(item) for item in self.items))  # noqa: S308 - each escapes what it is given
        return format_html('<details class="menu {}">{}<div class="list">{}</div></details>', self.align, head, body)


@dataclass(frozen=True, kw_only=True)
class Step:
    status: str  # done, now, failed, undone, todo
    text: Text
    detail: Text = ""
    took: Text = ""
    SHAPES: ClassVar[dict[str, str]] = {
        "done": "Running",
        "now": "Starting",
        "failed": "Error",
        "todo": "Allocated",
        "undone": "Destroyed",
    }

    @property
    def shape(self) -> str:
        return self.SHAPES[self.status]

    @property
    def word(self) -> Text:
        words = {
            "done": _("done"),
            "now": _("under way"),
            "failed": _("failed"),
            "todo": _("not begun"),
            "undone": _("taken back"),
        }
        return words[self.status]


@component
class Timeline(Component):
    """Steps of a job, plans, checks, explanations."""

    steps: Sequence[Step]


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


@dataclass(frozen=True, kw_only=True)
class WizardStep:
    number: int
    label: Text
    status: str  # done, now, todo
    chosen: Text = ""
    url: str = ""
    wrong: bool = False


@component
class Steps(Component):
    """Of a wizard: what is done is a link and says what was chosen."""

    steps: Sequence[WizardStep]


@component
class Summary(Component):
    rows: Sequence[tuple[Text, Text]]  # an empty value: not chosen yet


@component
class Plan(Component):
    """What a rehearsal said: ``kind`` is a state's name, ``reasons`` are for administrators."""

    kind: str
    text: Text
    reasons: Sequence[Text] = ()


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


@dataclass(frozen=True, kw_only=True)
class Fate:
    text: Text


@component
class Confirm(Component):
    """What is lost and what is kept; repeats the verb and the name on its button."""

    lost: Sequence[Text] = ()
    kept: Sequence[Text] = ()
    lost_title: Text = ""


@component
class Sheet(Component):
    """The panel at the right edge."""

    title: Text
    status: Text = ""
    slot: Any = ""
    link: str = ""
    word: Text = ""
    close: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
