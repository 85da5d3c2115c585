"""A page: an address, who may see it, what it answers. Declaring the class is all there is to do."""

from typing import Any, ClassVar

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.functional import Promise

from apps.portal import gate, shell
from apps.portal.visits import Visit

Text = str | Promise
PAGES: dict[str, type["Page"]] = {}


class Page:
    """``at`` is its address below the root, with converters as in ``django.urls.path``; what they find is given to
    ``__init__`` by name and kept.
    """

    at: ClassVar[str]
    also_at: ClassVar[tuple[str, ...]] = ()
    nav: ClassVar[str] = ""  # the entry of the menu that it belongs to
    for_everybody: ClassVar[bool] = False  # also before a login
    template: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        for address in (vars(cls).get("at"), *vars(cls).get("also_at", ())):
            if address in PAGES:
                raise TypeError(f"{address}: two pages at one address")
            if address is not None:
                PAGES[address] = cls

    def __init__(self, visit: Visit, **where: Any):
        self.visit, self.where = visit, where

    @classmethod
    def view(cls, visit: Visit, **where: Any) -> HttpResponse:
        page = cls(visit, **where)
        if visit.request.method in ("GET", "HEAD"):
            return page.get()
        if visit.request.method == "POST":
            return page.post()
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD, POST"})

    def get(self) -> HttpResponse:
        return self.render(**self.context())

    def post(self) -> HttpResponse:
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})

    def context(self) -> dict[str, Any]:
        return {}

    def render(self, template: str = "", *, status: int = 200, **context: Any) -> HttpResponse:
        return shell.render(
            self.visit, template or self.template, {"nav": self.nav, "page": self} | context, status=status
        )

    def part(self, template: str, **context: Any) -> HttpResponse:
        return shell.fragment(self.visit, template, {"page": self} | context)

    def go(self, address: str) -> HttpResponse:
        """On to another page, whoever asked: a browser or a script on a page."""
        if self.visit.is_fragment:
            return HttpResponse(headers={"HX-Redirect": address})
        return HttpResponseRedirect(address, status=303)

    def given(self, name: str, default: str = "") -> str:
        """Of the query string."""
        return self.visit.request.GET.get(name, default)


def urlpatterns() -> list[URLPattern]:
    """What is written out comes before what a converter would take for a key."""
    addresses = sorted(PAGES, key=lambda address: [("<" in piece, piece) for piece in address.split("/")])
    pages = [(address, PAGES[address]) for address in addresses]
    return [path(address, gate.page(page.view, for_everybody=page.for_everybody)) for address, page in pages]
