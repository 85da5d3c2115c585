"""The field in the header: rows of all kinds by name, pages, and commands that can be run."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.core.commands import REGISTRY
from apps.core.errors import CloudError
from apps.portal import menu, words
from apps.portal.frame.pages import Page
from apps.portal.kinds import KINDS, Kind
from apps.portal.listed import Listed
from apps.portal.visits import Row

Text = str | Promise
OF_A_KIND = 5


@dataclass(frozen=True)
class Hit:
    text: Text
    url: str
    icon: str
    note: Text = ""
    state: str = ""


class Search(Page):
    at = "search"
    template = "portal/home/search.html"

    @property
    def title(self) -> str:
        return _("Search")

    @property
    def text(self) -> str:
        return self.given("q").strip()[:100]

    @cached_property
    def hits(self) -> list[tuple[Text, list[Hit]]]:
        if not self.text:
            return []
        found = [(kind.many, list(self._rows(kind))) for kind in KINDS.values() if kind.searched]
        found += [(_("Pages"), list(self._pages())), (_("Commands"), list(self._commands()))]
        return [(name, hits) for name, hits in found if hits]

    def _rows(self, kind: Kind) -> Iterator[Hit]:
        if not self.visit.may(kind.listing) or "keyword" not in REGISTRY[kind.listing].fields:
            return
        try:
            rows = self._first(kind)
        except CloudError:  # a text that this list does not take finds nothing there
            return
        for row in rows:
            url = kind.url(str(row[kind.key])) if kind.has_page else f"{kind.url()}?keyword={self.text}"
            yield Hit(kind.title(row), url, kind.icon, str(row.get("ipaddress", "")), str(row.get("state", "")))

    def _first(self, kind: Kind) -> list[Row]:
        """How many more there are would cost as much again, and nobody is told it here."""
        given = kind.scope(self.visit) | kind.asked(self.visit) | {"keyword": self.text}
        found = Listed(self.visit, kind.listing, **given, **kind.brief)
        if found.is_plain:
            return found.first(OF_A_KIND)
        return list(kind.rows(self.visit, keyword=self.text, page=1, pagesize=OF_A_KIND).rows)

    def _pages(self) -> Iterator[Hit]:
        for _family, places in menu.places(self.visit):
            for place in places:
                if self.text.lower() in str(place.label).lower():
                    yield Hit(place.label, place.url, place.icon)

    def _commands(self) -> Iterator[Hit]:
        wanted = self.text.lower()
        names = [name for name, spec in REGISTRY.items() if spec.cls.changes and self.visit.may(name)]
        near = [n for n in names if wanted in n.lower() or wanted in str(words.verb(n)).lower()]
        for name in sorted(near, key=lambda n: (not n.lower().startswith(wanted), n))[:OF_A_KIND]:
            url = "/machines/new" if name == "deployVirtualMachine" else f"/do/{name}"
            yield Hit(words.verb(name), url, "terminal-2", name)

    def get(self) -> HttpResponse:
        return self.part("portal/home/found.html") if self.visit.is_fragment else super().get()


class KeysHelp(Page):
    at = "keys-help"
    template = "portal/home/keys.html"

    @property
    def title(self) -> str:
        return _("Keys")

    @property
    def keys(self) -> list[tuple[tuple[str, ...], Text]]:
        return [
            (("/", "Ctrl K"), _("search, commands")),
            (("g", "m"), _("go to the machines (v volumes, n networks, d dashboard, j jobs)")),
            (("c",), _("the primary action of the page")),
            (("j", "k", "x"), _("next row, previous row, tick it")),
            (("Enter", "."), _("open the row, its menu")),
            (("Ctrl Enter",), _("send the form, next step")),
            (("Esc",), _("close menu, panel, dialog")),
            (("?",), _("this list")),
        ]
