"""The pictures of the guides: made here, so that they show what the pages are now.

`GUIDE=write` puts them into `static/guide/`, where the guides find them; without it they go to `build/screens/guide/`.
"""

import os
import re

import pytest

from tests.browser.conftest import HERE, SHOTS
from tests.browser.test_first_machine import fresh, walk, walk_to_name
from tests.browser.test_pages import OF_A_MACHINE, OF_OPERATORS, PLAIN, ids, rows  # noqa: F401 - fixtures

ROOT = HERE.parents[1]
WRITES = os.environ.get("GUIDE") == "write"
FOLDER = ROOT / "static" / "guide" if WRITES else SHOTS / "guide"
SIZE = {"width": 1200, "height": 750}
LANGUAGES = ("de",)  # beside English
TENANT = {
    **{
        name: PLAIN[name]
        for name in ("dashboard", "machines", "volumes", "limits", "account-keys", "register-template")
    },
    **{
        name: OF_A_MACHINE[name]
        for name in ("machine", "machine-destroy", "network", "network-rules", "security-group")
    },
}
OPERATOR = {
    name: OF_OPERATORS[name]
    for name in ("operations", "host", "domains", "role", "compute-offerings", "settings", "zone-wizard")
} | {"why-here": "/machines/{vm}"}


def nothing(page):
    pass


def picture(someone, name, ready=nothing):
    """The page as it stands, and the same in the other languages; ``ready`` waits until it is worth a picture."""
    ready(someone.page)
    shoot(someone, FOLDER, name)
    for language in LANGUAGES:
        speak(someone, language)
        ready(someone.page)
        shoot(someone, FOLDER / language, name)
    speak(someone, "en")


def drawn(page):
    page.wait_for_selector('[data-console][data-state="connected"]')
    page.wait_for_timeout(1500)  # until the first picture is drawn


def measured(page):
    """A host has told how busy it is."""
    for _ in range(40):
        if page.locator("#load").count():
            return
        page.wait_for_timeout(2000)
        page.reload()


READY = {"host": measured} if WRITES else {}  # of a cloud that is new it takes minutes


def planned(page):
    page.wait_for_selector("#plan .said .state.ok", timeout=30_000)


def shoot(someone, folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    someone.page.evaluate("document.fonts.ready")
    someone.page.screenshot(path=folder / f"{name}.png")


def speak(someone, language):
    someone.context.add_cookies([{"name": "language", "value": language, "url": someone.base}])
    someone.page.reload()


def named(guide):
    """Pictures that the chapters in a folder name."""
    texts = [path.read_text() for path in guide.glob("*/*.md")]
    return {name for text in texts for name in re.findall(r"!\[[^\]]*\]\(([\w-]+)\.png\)", text)}


def test_every_picture_that_the_guides_name_is_made_in_every_language(person, rows):  # noqa: F811
    tenant, operator = person().log_in(), person().log_in("admin", "ROOT")
    for someone, pages in ((tenant, TENANT), (operator, OPERATOR)):
        someone.page.set_viewport_size(SIZE)
        for name, path in pages.items():
            someone.go(path.format(**rows))
            picture(someone, name, READY.get(name, nothing))
    tenant.go(OF_A_MACHINE["machine-console"].format(**rows))
    picture(tenant, "machine-console", drawn)
    walk_to_name(tenant)
    picture(tenant, "wizard-6", planned)
    tenant.go("/machines/new/3")
    picture(tenant, "wizard-3")
    walk(tenant, fresh("web"), ssh=False)
    tenant.page.wait_for_selector("text=Launched in", timeout=60_000)
    picture(tenant, "launched")

    guide = ROOT / "docs" / "guide"
    for folder, chapters in ((FOLDER, guide), *((FOLDER / each, guide / each) for each in LANGUAGES)):
        assert named(chapters) - {path.stem for path in folder.glob("*.png")} == set()


@pytest.mark.parametrize(("language", "title"), [("en", "Guides"), ("de", "Handbücher")])
def test_the_guides_are_served_to_everybody_and_every_link_leads_somewhere(person, language, title):
    someone = person(language=language)
    someone.go("/docs/")
    assert someone.page.inner_text("article h1") == title
    links = someone.page.locator("article a").evaluate_all("all => all.map(each => each.getAttribute('href'))")
    assert len(links) == 9
    for link in links:
        assert someone.go(link).status == 200
        assert someone.page.get_attribute("article", "lang") == language
        assert someone.violations() == []
        broken = "all => all.filter(each => each.complete && !each.naturalWidth).map(each => each.src)"
        assert someone.page.locator("article img").evaluate_all(broken) == []
