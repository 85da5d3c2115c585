"""The guides of `docs/guide/`, served at /docs/: what the product says about itself, also to who is not logged in. They
are written in English; a folder in there with the code of another language has its own text of each chapter.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from django.http import HttpResponse
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal import shell
from apps.portal.frame.pages import Page
from apps.portal.guide.markup import anchors, rendered
from apps.portal.visits import NotFound

Text = str | Promise
FIRST = "en"
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
    language: str
    anchors: tuple[str, ...]  # of its headings: the same in all languages, so that a link holds for every reader

    @property
    def url(self) -> str:
        return f"/docs/{self.guide}/{self.name}"


def chapters() -> tuple[Chapter, ...]:
    return chapters_in((translation.get_language() or FIRST).partition("-")[0])


@cache
def chapters_in(language: str) -> tuple[Chapter, ...]:
    """Files are called `10-first-machine.md`: the number is their place; the first line is the title."""
    return tuple(_read(path, guide, language) for guide in GUIDES for path in sorted((FOLDER / guide).glob("*.md")))


def _read(path: Path, guide: str, language: str) -> Chapter:
    """In English where the language has no text of it."""
    text, translated = path.read_text(), FOLDER / language / guide / path.name
    names, is_there = tuple(anchors(text)), language != FIRST and translated.exists()
    told = translated.read_text() if is_there else text
    title = told.split("\n", 1)[0].removeprefix("# ")
    return Chapter(guide, path.stem.partition("-")[2], title, told, language if is_there else FIRST, names)


class GuidePage(Page):
    for_everybody = True
    chapter: Chapter | None = None
    template = "portal/guide/page.html"

    @property
    def guides(self) -> list[tuple[Text, list[Chapter]]]:
        return [(title, [each for each in chapters() if each.guide == guide]) for guide, title in GUIDES.items()]

    def render(self, template: str = "", *, status: int = 200, **context: Any) -> HttpResponse:
        frame = "portal/base.html" if self.visit.caller else "portal/guide/alone.html"
        return shell.render(self.visit, self.template, {"page": self, "frame": frame, "nav": ""} | context)

    @property
    def language(self) -> str:
        """Of the text; of the list of chapters that of the page."""
        return self.chapter.language if self.chapter else ""


class Index(GuidePage):
    at = "docs/"
    also_at = ("docs",)

    @property
    def title(self) -> str:
        return _("Guides")


class ChapterPage(GuidePage):
    at = "docs/<slug:guide>/<slug:name>"

    @cached_property
    def chapter(self) -> Chapter:  # type: ignore[override]
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
        return rendered(self.chapter.text, self.chapter.anchors, self.chapter.language)

    @property
    def after(self) -> Chapter | None:
        rows = [each for each in chapters() if each.guide == self.chapter.guide]
        place = rows.index(self.chapter) + 1
        return rows[place] if place < len(rows) else None

    def get(self) -> HttpResponse:
        self.chapter  # noqa: B018 - what is not there is not found
        return super().get()
