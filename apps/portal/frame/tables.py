"""Rows as a table: cells from the columns, a link in the first, a menu at the end, a box to tick where several can be
acted on at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.portal import looks
from apps.portal.components import Item, Menu, State
from apps.portal.frame.columns import STATE, Cell, Column
from apps.portal.kinds import Kind, Offer
from apps.portal.visits import Row, Visit

Text = str | Promise


@dataclass(frozen=True)
class Head:
    label: Text
    css: str = ""
    url: str = ""  # that sorts by it
    sorted: str = ""  # ascending, descending


TICK = '<td class="ck"><input class="form-check-input" type="checkbox" name="key" value="{}" aria-label="{}"></td>'


@dataclass(frozen=True)
class Line:
    key: str
    title: Cell
    name: str
    cells: Sequence[tuple[str, Text, Cell]]  # css, label for narrow screens, content
    menu: SafeString | str = ""
    busy: bool = False
    state: str = ""
    has_tick: bool = False
    has_menu: bool = False

    @property
    def html(self) -> SafeString:
        """Written here: the loops of a template would take most of the time of a list."""
        tick: Cell = ""
        if self.has_tick:
            label = _("Select %(name)s") % {"name": self.name}
            tick = format_html(TICK, self.key, label)
        parts = [(label, css, cell) for css, label, cell in self.cells]
        cells = format_html_join("", '<td data-label="{}" class="{}">{}</td>', parts)
        menu: Cell = (
            format_html('<td class="end"><span id="m-{}">{}</span></td>', self.key, self.menu) if self.has_menu else ""
        )
        return format_html('<tr>{}<th scope="row">{}</th>{}{}</tr>', tick, self.title, cells, menu)

    @property
    def state_part(self) -> SafeString:
        """What changes in place while the page stays: the state, and with it what can be done."""
        shown = format_html('<span id="s-{}" hx-swap-oob="true">{}</span>', self.key, State(name=self.state).html())
        if not self.menu:
            return shown
        return format_html('{}<span id="m-{}" hx-swap-oob="true">{}</span>', shown, self.key, self.menu)


@dataclass
class Table:
    caption: Text
    heads: list[Head]
    lines: list[Line]
    has_menu: bool = False
    has_ticks: bool = False
    tight: bool = False
    id: str = "rows"


@dataclass
class Maker:
    """Makes the table of one kind of rows for one visit."""

    visit: Visit
    kind: Kind
    columns: Sequence[Column]
    caption: Text = ""
    ticks: bool = False
    menus: bool = True
    tight: bool = False
    only: Sequence[str] = ()
    here: str = ""  # where a row's action leads back to
    form: str = "rows"  # that its buttons send
    heads: dict[str, Head] = field(default_factory=dict)

    def table(self, rows: Sequence[Row]) -> Table:
        lines = [self.line(row) for row in rows]
        has_menu = any(line.menu for line in lines)
        lines = [replace(line, has_tick=self.ticks, has_menu=has_menu) for line in lines]
        heads = [self.heads.get(c.name) or Head(c.label, c.look.css if c.look.css == "r" else "") for c in self.columns]
        return Table(self.caption or self.kind.many, heads, lines, has_menu, self.ticks, self.tight)

    def line(self, row: Row) -> Line:
        first, *others = self.columns
        key, name = str(row.get(self.kind.key, "")), self.kind.title(row)
        title: Cell = first.cell(row)
        if self.kind.has_page and key:
            title = name if first.name in self.kind.titles else title
            title = format_html('<a href="{}">{}</a>', self.kind.url(key), title)
        cells = [(column.look.css, column.label, self._cell(column, row, key)) for column in others]
        menu = self._menu(row) if self.menus else ""
        return Line(key, title, name, cells, menu, is_busy(row), str(row.get("state", "")))

    def _cell(self, column: Column, row: Row, key: str) -> Cell:
        """A state can be replaced alone, so that nothing else moves."""
        if column.look is not STATE or column.name != "state":
            return column.cell(row)
        return format_html('<span id="s-{}">{}</span>', key, State(name=str(row.get("state", "Unknown"))).html())

    def _menu(self, row: Row) -> SafeString | str:
        offers = self.kind.offers(self.visit, row, only=self.only)
        if not offers:
            return ""
        label = _("Actions of %(name)s") % {"name": self.kind.title(row)}
        return Menu(label=label, items=items_of(offers, self.here, form=self.form)).html()


def is_busy(row: Row) -> bool:
    return looks.of_state(str(row.get("state", ""))).turns or bool(row.get("jobid") and not row.get("jobstatus"))


def items_of(offers: Sequence[Offer], here: str, *, form: str = "") -> list[Item | None]:
    """What is possible, then why the rest is not; what destroys comes last."""
    found: list[Item | None] = []
    if offers and all(offer.why_not == _("a job about it is under way") for offer in offers):
        if job := offers[0].row.get("jobid"):
            found.append(Item(text=_("Show its job"), icon="list-check", url=f"/jobs/{job}"))
        return [*found, Item(text="", why_not=_("Other actions wait for the job"))]
    for offer in sorted(offers, key=lambda offer: offer.action.danger):
        action = offer.action
        if action.danger and found and found[-1] is not None and not found[-1].bad:
            found.append(None)
        if offer.why_not:
            found.append(Item(text=action.label, why_not=f"{action.label}: {offer.why_not}"))
        elif action.asks:
            url = f"{offer.url}&next={quote(here, safe='')}" if here and not action.tab else offer.url
            label = action.label if action.tab else f"{action.label}…"
            found.append(Item(text=label, icon=action.icon, url=url, bad=action.danger))
        else:
            found.append(
                Item(text=action.label, icon=action.icon, name="one", value=offer.value, bad=action.danger, form=form)
            )
    return found
