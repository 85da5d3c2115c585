"""A list page names a kind of rows; columns are fields of its response, filters those of its list command, search its
keyword, actions commands whose reference is that model. Only the order, the first choice of columns and the primary
action are written by hand.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.core.commands import REGISTRY
from apps.portal import looks, services, words
from apps.portal.components import Tag
from apps.portal.frame.columns import Column, columns_of, shown_to
from apps.portal.frame.filters import Filter
from apps.portal.frame.pages import Page
from apps.portal.frame.query import Query
from apps.portal.frame.tables import Head, Maker, Table
from apps.portal.kinds import Action, Kind
from apps.portal.visits import Row, Rows

Text = str | Promise
SIZES = (25, 50, 100)
AT_ONCE = 500  # rows of a page of a CSV file
OWN = {"page", "size", "sort", "keyword", "panel", "format", "part", "columns"}  # no filters


class ListPage(Page):
    kind: ClassVar[Kind]
    columns: ClassVar[Sequence[str]]  # at first; the user may choose others
    filters: ClassVar[Sequence[str]] = ()  # offered; any other of the command works in the address too
    bulk: ClassVar[Sequence[str]] = ()
    creating: ClassVar[str] = ""  # address of the primary action, where it is no plain form
    labels: ClassVar[dict[str, Text]] = {}
    dressing: ClassVar[dict[str, Any]] = {}  # looks of columns that differ from those of their type
    own: ClassVar[Mapping[str, Column]] = {}  # columns that are made of several fields
    hint: ClassVar[Text] = ""  # what to do where there is nothing yet
    searching: ClassVar[Text] = ""  # what the keyword looks at
    shows_call: ClassVar[bool] = True
    template = "portal/list.html"

    # what is shown

    def get(self) -> HttpResponse:
        if self.given("format") == "csv":
            return self.csv()
        if self.given("part") == "states":
            return self.part("portal/parts/states.html", lines=self.table.lines)
        if self.is_panel_open and self.visit.is_fragment:
            return self.part("portal/parts/filters.html")
        if self.visit.is_fragment:
            return self.part("portal/parts/list.html")
        return super().get()

    def post(self) -> HttpResponse:
        """The choice of columns, kept for the user."""
        chosen = [name for name in self.every_column if name in self.visit.request.POST.getlist("column")]
        kept = dict(self.visit.preferences.get("columns", {})) | {self.at: chosen}
        services.prefer(self.visit.user, columns=kept)
        return self.go(self.query.but(columns=None))

    @property
    def title(self) -> Text:
        return self.kind.many

    @cached_property
    def query(self) -> Query:
        return Query(self.visit.request.GET, self.visit.request.path)

    @cached_property
    def listing(self) -> str:
        return self.kind.listing

    @cached_property
    def every_column(self) -> dict[str, Column]:
        """The first ones in their order, then what else the response has."""
        known = shown_to(columns_of(REGISTRY[self.listing].answering), is_root=self.visit.who.is_root)
        known = {name: self._dressed(column) for name, column in known.items()} | dict(self.own)
        first = {name: known[name] for name in self.columns if name in known}
        return first | {name: column for name, column in known.items() if not name.endswith("id") or name == "id"}

    def _dressed(self, column: Column) -> Column:
        look = self.dressing.get(column.name, column.look)
        return replace(column, label=self.labels.get(column.name, column.label), look=look)

    @cached_property
    def shown_columns(self) -> list[Column]:
        """The first calls a row by name and is always there."""
        kept = self.visit.preferences.get("columns", {}).get(self.at)
        names = [self.columns[0], *[n for n in kept if n != self.columns[0]]] if kept else self._first_columns()
        return [self.every_column[name] for name in names if name in self.every_column]

    def _first_columns(self) -> list[str]:
        """Who sees rows of several accounts sees whose they are."""
        caller = self.visit.who
        whose = ["account"] if caller.is_root or caller.is_domain_admin else []
        return [*self.columns, *(name for name in whose if name not in self.columns)]

    @property
    def column_choices(self) -> list[tuple[Column, bool]]:
        shown = {column.name for column in self.shown_columns}
        return [(c, c.name in shown) for c in self.every_column.values() if c.name != self.columns[0]]

    @cached_property
    def rows(self) -> Rows:
        found = self.ask(self.number, self.size)
        if self.sort and self.is_whole(found):
            found.rows = in_order(found.rows, self.sort)
        return found

    def ask(self, page: int, size: int, **more: Any) -> Rows:
        given = {**self.active, **self.asked_details(), **more}
        if keyword := self.given("keyword"):
            given["keyword"] = keyword
        return self.kind.rows(self.visit, page=page, pagesize=size, **given)

    def asked_details(self) -> dict[str, str]:
        """Only what the columns need: a list really costs less then."""
        allowed = getattr(REGISTRY[self.listing].cls, "details_words", ())
        if not allowed:
            return {}
        wanted = {column.detail for column in self.shown_columns if column.detail in allowed}
        return {"details": ",".join(sorted(wanted)) or "min"}

    @cached_property
    def number(self) -> int:
        return self.query.number("page", 1)

    @cached_property
    def size(self) -> int:
        kept = self.visit.preferences.get("size", SIZES[0])
        size = self.query.number("size", kept)
        if size not in SIZES:
            return SIZES[0]
        if size != kept and "size" in self.query.given:
            services.prefer(self.visit.user, size=size)
        return size

    # filters

    @cached_property
    def active(self) -> dict[str, str]:
        fields = REGISTRY[self.listing].fields
        given = self.visit.request.GET
        return {n: given[n] for n in given if n in fields and n not in OWN and given[n] != "" and n != "listall"}

    @property
    def tags(self) -> list[Tag]:
        found = [Filter(self.visit, self.listing, name, value) for name, value in self.active.items()]
        return [Tag(text=f.said, kind="on", remove=self.query.but(**{f.name: None})) for f in found]

    @property
    def filter_fields(self) -> list[Filter]:
        known = REGISTRY[self.listing].fields
        return [
            Filter(self.visit, self.listing, name, self.active.get(name, ""))
            for name in self.filters
            if name in known and self.visit.who.kind & known[name].allowed
        ]

    @property
    def can_search(self) -> bool:
        return "keyword" in REGISTRY[self.listing].fields

    @property
    def is_filtered(self) -> bool:
        return bool(self.active or self.given("keyword"))

    @cached_property
    def unfiltered(self) -> int:
        return self.kind.rows(self.visit, page=1, pagesize=1).count

    # order: of commands none sorts by what one likes, so a list is sorted here where all of it is on the page

    @property
    def sort(self) -> str:
        name = self.given("sort")
        return name if name.removeprefix("-") in self.every_column else ""

    def is_whole(self, found: Rows) -> bool:
        return found.count <= len(found.rows)

    def heads(self) -> dict[str, Head]:
        if not self.is_whole(self.rows) or len(self.rows.rows) < 2:
            return {}
        return {column.name: self._head(column) for column in self.shown_columns}

    def _head(self, column: Column) -> Head:
        css = column.look.css if column.look.css == "r" else ""
        way = {column.name: "ascending", f"-{column.name}": "descending"}.get(self.sort, "")
        url = self.query.but(sort=f"-{column.name}" if way == "ascending" else column.name)
        return Head(column.label, css, url, way)

    # the table and what is around it

    @cached_property
    def table(self) -> Table:
        rows = self.rows.rows
        maker = Maker(self.visit, self.kind, self.shown_columns, ticks=bool(self.bulk_actions), heads=self.heads())
        maker.here = self.query.but(part=None)
        return maker.table(rows)

    @property
    def is_busy(self) -> bool:
        return any(line.busy for line in self.table.lines)

    @property
    def bulk_actions(self) -> list[Action]:
        found = [self.kind.action(name) for name in self.bulk if self.visit.may(name)]
        return [action for action in found if action]

    @property
    def primary(self) -> str:
        """Address of the page that makes one; "" where the role may not."""
        if not self.kind.creating or not self.visit.may(self.kind.creating):
            return ""
        return self.creating or f"/do/{self.kind.creating}"

    @property
    def token(self) -> str:
        return services.new_token(self.visit.user)

    @property
    def first(self) -> int:
        return (self.number - 1) * self.size + 1 if self.rows.rows else 0

    @property
    def last(self) -> int:
        return self.first + len(self.rows.rows) - 1 if self.rows.rows else 0

    @property
    def pages(self) -> list[tuple[int | None, str]]:
        """Around this one, the first and the last; None is a gap."""
        count = max(1, -(-self.rows.count // self.size))
        near = sorted({1, count, *range(max(1, self.number - 2), min(count, self.number + 2) + 1)})
        found: list[tuple[int | None, str]] = []
        for number in near:
            if found and found[-1][0] is not None and number > found[-1][0] + 1:
                found.append((None, ""))
            found.append((number, self.query.but(page=number)))
        return found if count > 1 else []

    @property
    def before(self) -> str:
        return self.query.but(page=self.number - 1) if self.number > 1 else ""

    @property
    def after(self) -> str:
        return self.query.but(page=self.number + 1) if self.last < self.rows.count else ""

    @property
    def primary_label(self) -> Text:
        return words.verb(self.kind.creating)

    @property
    def here(self) -> str:
        return self.query.but(part=None, panel=None)

    @property
    def keyword(self) -> str:
        return self.given("keyword")

    @property
    def panel_url(self) -> str:
        return self.query.but(panel="filters")

    @property
    def is_panel_open(self) -> bool:
        return self.given("panel") == "filters"

    @property
    def count_said(self) -> str:
        return self.kind.counted(self.rows.count)

    @property
    def all_said(self) -> str:
        count = self.rows.count
        if count > AT_ONCE:
            return _("The first %(count)s of this view") % {"count": AT_ONCE}
        return _("All %(count)s of this view") % {"count": looks.number(count)}

    @property
    def range_said(self) -> str:
        values = {"first": self.first, "last": self.last, "all": looks.number(self.rows.count), "kind": self.kind.many}
        return _("%(first)s–%(last)s of %(all)s") % values

    @property
    def size_links(self) -> list[tuple[int, str, bool]]:
        return [(size, self.query.but(size=size), size == self.size) for size in SIZES]

    @property
    def nothing_fits(self) -> str:
        return _("No %(kinds)s fit") % {"kinds": self.kind.plural}

    @property
    def nothing_fits_text(self) -> str:
        return _("There are %(count)s without the filters.") % {"count": looks.number(self.unfiltered)}

    @property
    def states_url(self) -> str:
        return self.query.but(part="states")

    @property
    def csv_url(self) -> str:
        return self.query.but(format="csv", page=None, size=None)

    @property
    def call(self) -> dict[str, Any]:
        return {"listall": "true", **self.active} | (
            {"keyword": self.given("keyword")} if self.given("keyword") else {}
        )

    def csv(self) -> HttpResponse:
        """All rows of the view, with the wire's names and values: for machines and for sheets."""
        names = [column.name for column in self.shown_columns]
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow([self.kind.key, *names] if self.kind.key not in names else names)
        number, left = 1, True
        while left:
            found = self.ask(number, AT_ONCE)
            for row in found.rows:
                cells = [plain(row.get(name)) for name in names]
                writer.writerow([row.get(self.kind.key), *cells] if self.kind.key not in names else cells)
            left, number = number * AT_ONCE < found.count, number + 1
        name = self.at.replace("/", "-")
        return HttpResponse(
            text.getvalue(),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
        )

    @property
    def nothing_title(self) -> str:
        return _("No %(kinds)s yet") % {"kinds": self.kind.plural}


def in_order(rows: list[Row], sort: str) -> list[Row]:
    """By one field, without case; what has none comes last."""
    name, down = sort.removeprefix("-"), sort.startswith("-")
    some = [row for row in rows if row.get(name) is not None]
    texts = any(isinstance(row[name], str) for row in some)
    some.sort(key=lambda row: str(row[name]).lower() if texts else row[name], reverse=down)
    return some + [row for row in rows if row.get(name) is None]


def plain(value: Any) -> Any:
    """No sheet takes a cell of ours for a formula."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return "" if value is None else value
