"""German is complete: every text of templates and code is translated, nothing is a guess, and the compiled catalogue,
which an installation has without gettext, says the same.
"""

import ast
import gettext
import re
from pathlib import Path

import pytest
from django.template import engines
from django.utils import translation

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "apps" / "portal" / "locale" / "de" / "LC_MESSAGES"
NAMES = {"_": 0, "gettext": 0, "gettext_lazy": 0, "ngettext": 0, "ngettext_lazy": 0, "pgettext": 1, "pgettext_lazy": 1}
PLACE = re.compile(r"%\((\w+)\)")
TRANSLATE = re.compile(r"""\{%\s*translate\s+(?:"([^"]*)"|'([^']*)')(?:\s+context\s+["'](\w+)["'])?""")
BLOCK = re.compile(r"\{%\s*blocktranslate[^%]*%\}(.*?)\{%\s*(?:plural|endblocktranslate)", re.DOTALL)
IN_TAG = re.compile(r"""_\((?:"([^"]*)"|'([^']*)')\)""")


def entries():
    """Of the source: (context, text) -> translations, and what is marked as a guess."""
    found, guesses = {}, []
    for block in re.split(r"\n{2,}", (FOLDER / "django.po").read_text()):
        if block.startswith("#~"):
            continue
        texts = {"msgctxt": "", "msgid": "", "msgid_plural": "", "msgstr": "", "msgstr[0]": "", "msgstr[1]": ""}
        name = ""
        for line in block.split("\n"):
            if line.startswith("#"):
                continue
            if found_ := re.match(r'(msg\w+(?:\[\d\])?) (".*")$', line):
                name, texts[found_[1]] = found_[1], ast.literal_eval(found_[2])
            elif line.startswith('"'):
                texts[name] += ast.literal_eval(line)
        key = (texts["msgctxt"], texts["msgid"])
        found[key] = [texts["msgstr[0]"], texts["msgstr[1]"]] if texts["msgid_plural"] else [texts["msgstr"]]
        if "fuzzy" in block.split("msgid", 1)[0]:
            guesses.append(texts["msgid"])
    return found, guesses


def of_code():
    for path in (ROOT / "apps" / "portal").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in NAMES:
                continue
            place = NAMES[node.func.id]
            texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            if len(texts) > place:
                yield (texts[0] if place else "", texts[place])


def of_templates():
    for path in (ROOT / "templates" / "portal").rglob("*.html"):
        text = path.read_text()
        for double, single, context in TRANSLATE.findall(text):
            yield context, double or single
        for double, single in IN_TAG.findall(text):
            yield "", double or single
        for body in BLOCK.findall(text):
            yield "", re.sub(r"\{\{\s*(\w+)\s*\}\}", r"%(\1)s", body)


KNOWN, GUESSES = entries()


def test_every_text_is_in_the_catalogue():
    texts = {*of_code(), *of_templates()}

    assert len(texts) > 1000
    assert sorted(texts - KNOWN.keys()) == []


def test_every_text_of_the_catalogue_is_translated_and_none_is_a_guess():
    assert [key for key, texts in KNOWN.items() if key[1] and not all(texts)] == []
    assert GUESSES == []


def test_a_translation_names_what_the_text_names():
    odd = [
        key
        for key, texts in KNOWN.items()
        if key[1] and any(set(PLACE.findall(text)) - set(PLACE.findall(key[1])) for text in texts)
    ]

    assert odd == []


def test_the_compiled_catalogue_says_the_same():
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    differs = [
        (context, text)
        for (context, text), texts in KNOWN.items()
        if text and len(texts) == 1
        if (compiled.pgettext(context, text) if context else compiled.gettext(text)) != texts[0]
    ]

    assert differs == []


@pytest.mark.parametrize("language", ["de", "en"])
def test_a_page_speaks_the_language_of_the_browser(browser, alice, language):
    heads = {"de": "<h1>Maschinen</h1>", "en": "<h1>Machines</h1>"}

    page = browser(alice).get("/machines", **{"Accept-Language": language}).content.decode()

    assert heads[language] in page
    assert f'<html lang="{language}"' in page


def test_numbers_and_dates_are_those_of_the_language():
    from datetime import UTC, datetime

    from apps.portal import looks

    at = datetime(2020, 3, 4, 15, 2, tzinfo=UTC)
    with translation.override("de"):
        assert (looks.size(1536 << 20), looks.number(1234567), looks.short(at)) == (
            "1,5 GiB",
            "1.234.567",
            "4. Mär 2020",
        )
    with translation.override("en"):
        assert (looks.size(1536 << 20), looks.number(1234567), looks.short(at)) == (
            "1.5 GiB",
            "1,234,567",
            "4 Mar 2020",
        )


def test_templates_compile():
    for path in (ROOT / "templates" / "portal").rglob("*.html"):
        engines["django"].get_template(str(path.relative_to(ROOT / "templates")))
