"""A detail page: pill and actions by state, tabs, cards, facts. What is shown of a row are fields of its response."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.core.commands import REGISTRY
from apps.portal import services, words
from apps.portal.components import Item
from apps.portal.frame.columns import Column, columns_of, shown_to
from apps.portal.frame.pages import Page
from apps.portal.frame.tables import Maker, Table, is_busy, items_of
from apps.portal.kinds import Kind, Offer
from apps.portal.listed import Listed
from apps.portal.visits import NotFound, Row, Visit

Text = str | Promise
SHOWN = 100  # rows of a tab; more are one click away, in the list with its filter


class Card:
    """A part of the overview. ``is_shown`` is false where there is nothing to say."""

    template: ClassVar[str] = ""
    title: ClassVar[Text] = ""

    def __init__(self, page: "DetailPage"):
        self.page, self.visit, self.row = page, page.visit, page.row

    @property
    def is_shown(self) -> bool:
        return True


Fact = str | tuple[Text, Callable[[Row], Any]]


class FactsCard(Card):
    template = "portal/parts/facts.html"
    facts: ClassVar[Sequence[Fact]] = ()

    @property
    def rows(self) -> list[tuple[Text, Any]]:
        return [fact for each in self.facts if (fact := self._fact(each)) is not None]

    def _fact(self, each: Fact) -> tuple[Text, Any] | None:
        if not isinstance(each, str):
            return each[0], each[1](self.row)
        column = self.page.columns.get(each)
        return (self.page.labels.get(each, column.label), column.fact(self.row)) if column else None

    @property
    def tags(self) -> list[Row]:
        return self.row.get("tags", []) if self.page.with_tags else []


@dataclass(frozen=True)
class Tab:
    """Rows of another kind that belong to this one; ``by`` is the parameter that says to which."""

    kind: Kind
    by: str
    columns: Sequence[str]
    slug: str = ""
    label: Text = ""
    labels: Mapping[str, Text] = field(default_factory=dict)
    looks: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[str, Column] = field(default_factory=dict)  # columns that are made of several fields
    fixed: Mapping[str, str] = field(default_factory=dict)
    creating: Sequence[str] = ()  # commands offered above the table; the first is the primary one
    counted: bool = False
    template: str = "portal/parts/tab_rows.html"

    @property
    def at(self) -> str:
        return self.slug or self.kind.at

    @property
    def name(self) -> Text:
        return self.label or self.kind.many

    def is_there(self, visit: Visit) -> bool:
        return visit.may(self.kind.listing)

    def count(self, page: "DetailPage") -> int | None:
        if not self.counted:
            return None
        scope = self.kind.scope(page.visit) | self.kind.asked(page.visit)
        found = Listed(page.visit, self.kind.listing, **scope, **self.given(page))
        return found.count() if found.is_plain else int(self.rows(page, size=1).count)

    def rows(self, page: "DetailPage", size: int = SHOWN) -> Any:
        return self.kind.rows(page.visit, page=1, pagesize=size, **self.given(page))

    def given(self, page: "DetailPage") -> dict[str, str]:
        """Parameters that say whose they are."""
        return {self.by: page.key, **self.fixed}

    def chosen(self, page: "DetailPage") -> list[Column]:
        known = shown_to(columns_of(REGISTRY[self.kind.listing].answering), is_root=page.visit.who.is_root)
        dressed = {
            n: replace(c, label=self.labels.get(n, c.label), look=self.looks.get(n, c.look)) for n, c in known.items()
        }
        dressed |= self.own
        return [dressed[name] for name in self.columns if name in dressed]

    def context(self, page: "DetailPage") -> dict[str, Any]:
        found = self.rows(page)
        maker = Maker(page.visit, self.kind, self.chosen(page), caption=self.name, here=page.address)
        return {
            "tab": self,
            "table": maker.table(found.rows),
            "count": found.count,
            "tab_creating": list(self._creating(page)),
        }

    def _creating(self, page: "DetailPage") -> Iterator[tuple[str, Text, str, bool]]:
        for place, command in enumerate(name for name in self.creating if page.visit.may(name)):
            address = f"/do/{command}?{urlencode({self.by: page.key, 'next': page.address})}"
            yield command, words.verb(command), address, place == 0

    @property
    def nothing(self) -> str:
        return _("No %(kinds)s") % {"kinds": self.kind.plural}

    def table(self, page: "DetailPage", rows: Sequence[Row]) -> Table:
        maker = Maker(page.visit, self.kind, self.chosen(page), caption=self.name, menus=False, tight=True)
        return maker.table(rows)


class DetailPage(Page):
    kind: ClassVar[Kind]
    main: ClassVar[Sequence[type[Card]]] = ()
    side: ClassVar[Sequence[type[Card]]] = ()
    tabs: ClassVar[Sequence[Tab]] = ()
    primary: ClassVar[Mapping[str, str]] = {}  # state -> command; "" for any other state
    buttons: ClassVar[Sequence[str]] = ()  # actions that stand beside it; the rest is in More
    labels: ClassVar[Mapping[str, Text]] = {}
    with_tags: ClassVar[bool] = False
    template = "portal/detail.html"

    def __init__(self, visit: Visit, **where: Any):
        super().__init__(visit, **where)
        self.key, self.tab_name = str(where["key"]), where.get("tab", "")

    @cached_property
    def row(self) -> Row:
        return self.kind.one_of(self.visit, self.key)

    @property
    def title(self) -> str:
        return self.kind.title(self.row)

    @property
    def sub(self) -> Text:
        """One line below the title."""
        return ""

    @property
    def since(self) -> Text:
        return ""

    @cached_property
    def columns(self) -> dict[str, Column]:
        return shown_to(columns_of(REGISTRY[self.kind.listing].answering), is_root=self.visit.who.is_root)

    @property
    def address(self) -> str:
        return f"{self.kind.url(self.key)}/{self.tab_name}" if self.tab_name else self.kind.url(self.key)

    @property
    def crumbs(self) -> list[tuple[Text, str]]:
        return [(self.kind.many, self.kind.url())]

    # tabs

    @cached_property
    def open_tabs(self) -> list[Tab]:
        return [tab for tab in self.tabs if tab.is_there(self.visit)]

    @property
    def tab_links(self) -> list[tuple[Text, str, int | None, bool]]:
        base = self.kind.url(self.key)
        return [(tab.name, f"{base}/{tab.at}", tab.count(self), tab.at == self.tab_name) for tab in self.open_tabs]

    @cached_property
    def tab(self) -> Tab | None:
        if not self.tab_name:
            return None
        found = next((tab for tab in self.open_tabs if tab.at == self.tab_name), None)
        if found is None:
            raise NotFound
        return found

    def get(self) -> HttpResponse:
        context = self.tab.context(self) if self.tab else {}
        context |= {"body": self.tab.template if self.tab else "portal/parts/overview.html"}
        if self.visit.is_fragment:
            return self.part("portal/parts/detail.html", **context)
        return self.render(**context)

    # cards

    def _cards(self, classes: Sequence[type[Card]]) -> list[Card]:
        return [card for card in (cls(self) for cls in classes) if card.is_shown]

    @property
    def main_cards(self) -> list[Card]:
        return self._cards(self.main)

    @property
    def side_cards(self) -> list[Card]:
        return self._cards(self.side)

    # actions

    @cached_property
    def offers(self) -> list[Offer]:
        return self.kind.offers(self.visit, self.row)

    @property
    def first_offer(self) -> Offer | None:
        """What most people came for, in this state."""
        name = self.primary.get(str(self.row.get("state", "")), self.primary.get("", ""))
        return next((offer for offer in self.offers if offer.action.command == name and not offer.why_not), None)

    @property
    def lead(self) -> tuple[Text, str, str] | None:
        """Text, icon and address of the primary action where it is no command: what most people come for."""
        return None

    @property
    def button_offers(self) -> list[Offer]:
        first = self.first_offer
        return [
            offer
            for offer in self.offers
            if offer.action.command in self.buttons and not offer.why_not and offer is not first
        ]

    @property
    def more(self) -> list[Item | None]:
        shown = [self.first_offer, *self.button_offers]
        return items_of([offer for offer in self.offers if offer not in shown], self.address)

    @property
    def job_title(self) -> str:
        return _("A job about %(name)s is under way") % {"name": self.title}

    @property
    def overview_url(self) -> str:
        return self.kind.url(self.key)

    @property
    def token(self) -> str:
        return services.new_token(self.visit.user)

    @property
    def is_busy(self) -> bool:
        return is_busy(self.row)

    @property
    def state(self) -> str:
        return str(self.row.get("state", ""))

    def label(self, name: str) -> Text:
        return self.labels.get(name, words.label(name))


class RowsCard(Card):
    """A few rows of a tab, on the overview."""

    template = "portal/parts/rows_card.html"
    tab: ClassVar[str]

    @cached_property
    def whole(self) -> Tab | None:
        return next((tab for tab in self.page.open_tabs if tab.at == self.tab), None)

    @property
    def is_shown(self) -> bool:
        return self.whole is not None

    @cached_property
    def table(self) -> Table:
        assert self.whole is not None  # noqa: S101 - it is not shown then
        return self.whole.table(self.page, self.whole.rows(self.page, size=10).rows)

    @property
    def url(self) -> str:
        return f"{self.page.kind.url(self.page.key)}/{self.tab}"
