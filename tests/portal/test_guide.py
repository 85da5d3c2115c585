"""The guides: what their little of Markdown becomes, and that all that they name is there."""

import re

import pytest
from django.test import Client

from apps.portal.guide.markup import HEADING, LINK, anchors, rendered
from apps.portal.guide.pages import FOLDER, GUIDES, chapters, chapters_in
from apps.portal.statics import assets, url_of


def test_text_becomes_html_and_is_escaped():
    text = (
        "# A <b>\n\nOne `x < y` and\n**two**.\n\n- a\n- b\n  c\n\n1. first\n2. second\n\n    code <here>\n\n[more](/x)"
    )

    assert rendered(text) == (
        "<h1>A &lt;b&gt;</h1>\n<p>One <code>x &lt; y</code> and <b>two</b>.</p>\n<ul><li>a</li><li>b c</li></ul>\n"
        "<ol><li>first</li><li>second</li></ol>\n"
        '<pre class="code" tabindex="0">code &lt;here&gt;</pre>\n<p><a href="/x">more</a></p>'
    )


def test_headings_are_named_as_they_are_in_the_first_language():
    text = "# Titel\n\n## Wenn es abgelehnt wird\n\nSo."

    assert anchors("# Title\n\n## When it is refused\n\n### Why?") == ["when-it-is-refused", "why"]
    assert '<h2 id="when-it-is-refused">Wenn es abgelehnt wird</h2>' in rendered(text, ["when-it-is-refused"])


def test_german_has_every_chapter():
    assert [path.name for path in sorted(FOLDER.glob("de/*/*.md"))] == [
        path.name for guide in sorted(GUIDES) for path in sorted((FOLDER / guide).glob("*.md"))
    ]
    assert {each.language for each in chapters_in("de")} == {"de"}


def shape(text):
    """What two languages must have alike: headings, pictures, links, code, and how long the lists are."""
    marks = re.findall(r"^(#+|-|\d+\.) ", text, re.MULTILINE)
    pictures = re.findall(r"^!\[[^\]]*\]\(([^)]+)\)$", text, re.MULTILINE)
    links = [target for _, target in LINK.findall(text)]
    blocks = [re.sub(r"\w.*", "", block[:1]) for block in re.split(r"\n{2,}", text.strip())]
    return marks, pictures, links, sorted(re.findall(r"`([^`]+)`", text)), blocks, len(HEADING.findall(text))


@pytest.mark.parametrize(
    ("english", "german"),
    [pytest.param(*pair, id=pair[0].name) for pair in zip(chapters_in("en"), chapters_in("de"), strict=True)],
)
def test_german_has_the_same_headings_pictures_and_links(english, german):
    assert shape(german.text) == shape(english.text)
    assert (german.url, german.anchors) == (english.url, english.anchors)
    assert german.text != english.text


def test_each_reads_their_own_language(db):
    client = Client()

    german = client.get("/docs/tenant/first-machine", headers={"Accept-Language": "de"}).content.decode()
    english = client.get("/docs/tenant/first-machine", headers={"Accept-Language": "fr"}).content.decode()

    assert '<article class="box guide" lang="de">' in german
    assert "<h1>Die erste Maschine</h1>" in german
    assert '<h2 id="when-it-is-refused">Wenn es abgelehnt wird</h2>' in german
    assert '<article class="box guide" lang="en">' in english
    assert '<h2 id="when-it-is-refused">When it is refused</h2>' in english


def test_a_picture_that_is_missing_is_its_caption():
    assert rendered("![A view](nosuch.png)") == '<p class="muted">A view</p>'


def test_a_picture_is_that_of_the_language_or_else_the_english_one():
    shown = {language: rendered("![A view](machine.png)", language=language) for language in ("en", "de", "fr")}

    assert f'src="{url_of("guide/machine.png")}"' in shown["en"]
    assert f'src="{url_of("guide/de/machine.png")}"' in shown["de"]
    assert shown["fr"] == shown["en"]


@pytest.mark.parametrize("language", ["", "de/"])
def test_every_picture_of_the_guides_is_there(language):
    texts = [path.read_text() for path in (FOLDER / language).glob("*/*.md")]
    named = {f"guide/{language}{name}" for text in texts for name in re.findall(r"\]\(([\w-]+\.png)\)", text)}

    assert len(named) > 15
    assert named - assets().keys() == set()


def test_chapters_are_served_to_everybody(db):
    client = Client()

    answers = [client.get(each.url).status_code for each in chapters()]

    assert answers == [200] * len(chapters())
    assert client.get("/docs/").status_code == 200
    assert client.get("/docs/tenant/nosuch").status_code == 404


def test_to_who_is_logged_in_they_are_shown_in_the_frame(browser, alice):
    assert 'aria-label="Main"' in browser(alice).page("/docs/")
