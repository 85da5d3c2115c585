"""The guides: what their little of Markdown becomes, and that all that they name is there."""

import re

from django.test import Client

from apps.portal.guide.markup import rendered
from apps.portal.guide.pages import FOLDER, chapters
from apps.portal.statics import assets


def test_text_becomes_html_and_is_escaped():
    text = (
        "# A <b>\n\nOne `x < y` and\n**two**.\n\n- a\n- b\n  c\n\n1. first\n2. second\n\n    code <here>\n\n[more](/x)"
    )

    assert rendered(text) == (
        "<h1>A &lt;b&gt;</h1>\n<p>One <code>x &lt; y</code> and <b>two</b>.</p>\n<ul><li>a</li><li>b c</li></ul>\n"
        "<ol><li>first</li><li>second</li></ol>\n"
        '<pre class="code" tabindex="0">code &lt;here&gt;</pre>\n<p><a href="/x">more</a></p>'
    )


def test_a_picture_that_is_missing_is_its_caption():
    assert rendered("![A view](nosuch.png)") == '<p class="muted">A view</p>'


def test_every_picture_of_the_guides_is_there():
    texts = [path.read_text() for path in FOLDER.rglob("*.md")]
    named = {name for text in texts for name in re.findall(r"\]\(([\w-]+\.png)\)", text)}

    assert named - {name.removeprefix("guide/") for name in assets()} == set()


def test_chapters_are_served_to_everybody(db):
    client = Client()

    answers = [client.get(each.url).status_code for each in chapters()]

    assert answers == [200] * len(chapters())
    assert client.get("/docs/").status_code == 200
    assert client.get("/docs/tenant/nosuch").status_code == 404


def test_to_who_is_logged_in_they_are_shown_in_the_frame(browser, alice):
    assert 'aria-label="Main"' in browser(alice).page("/docs/")
