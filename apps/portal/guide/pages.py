"""The guides of `docs/guide/`, served at /docs/: what the product says about itself, also to who is not logged in."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal import shell
from apps.portal.frame.pages import Page
from apps.portal.guide.markup import rendered
from apps.portal.visits import NotFound

Text = str | Promise
FOLDER = Path(__file__).resolve().parents[3] / "docs" / "guide"
GUIDES: dict[str, Text] = {
    "tenant": gettext_lazy("Guide for tenants"),
    "operator": gettext_lazy("Guide for operators"),
}


@dataclass(frozen=True)
class Chapter:
    guide: str
    name: str
    title: str
    text: str

    @property
    def url(self) -> str:
        return f"/docs/{self.guide}/{self.name}"


@cache
def chapters() -> tuple[Chapter, ...]:
    """Files are called `10-first-machine.md`: the number is their place; the first line is the title."""
    found = []
    for guide in GUIDES:
        for path in sorted((FOLDER / guide).glob("*.md")):
            text = path.read_text()
            title = text.split("\n", 1)[0].removeprefix("# ")
            found.append(Chapter(guide, path.stem.partition("-")[2], title, text))
    return tuple(found)


class GuidePage(Page):
    for_everybody = True
    template = "portal/guide/page.html"

    @property
    def guides(self) -> list[tuple[Text, list[Chapter]]]:
        return [(title, [each for each in chapters() if each.guide == guide]) for guide, title in GUIDES.items()]

    def render(self, template: str = "", *, status: int = 200, **context: Any) -> HttpResponse:
        frame = "portal/base.html" if self.visit.caller else "portal/guide/alone.html"
        return shell.render(self.visit, self.template, {"page": self, "frame": frame, "nav": ""} | context)


class Index(GuidePage):
    at = "docs/"
    also_at = ("docs",)
    chapter = None

    @property
    def title(self) -> str:
        return _("Guides")


class ChapterPage(GuidePage):
    at = "docs/<slug:guide>/<slug:name>"

    @property
    def chapter(self) -> Chapter:
        wanted = (self.where["guide"], self.where["name"])
        found = next((each for each in chapters() if (each.guide, each.name) == wanted), None)
        if found is None:
            raise NotFound
        return found

    @property
    def title(self) -> str:
        return self.chapter.title

    @property
    def body(self) -> str:
        return rendered(self.chapter.text)

    @property
    def after(self) -> Chapter | None:
        rows = [each for each in chapters() if each.guide == self.chapter.guide]
        place = rows.index(self.chapter) + 1
        return rows[place] if place < len(rows) else None

    def get(self) -> HttpResponse:
        self.chapter  # noqa: B018 - what is not there is not found
        return super().get()
