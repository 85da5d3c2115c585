"""The little of Markdown that the guides use, as HTML: headings, paragraphs, lists, code, links, pictures. All text is
escaped; the guides are ours, and no library is needed for so little.
"""

import re
from collections.abc import Iterator, Sequence
from html import escape

from django.utils.safestring import SafeString, mark_safe

from apps.portal import statics

PICTURE = re.compile(r"^!\[([^\]]*)\]\(([\w./-]+)\)$")
LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`]+)`")
STRONG = re.compile(r"\*\*([^*]+)\*\*")
HEADING = re.compile(r"^##+ (.+)$", re.MULTILINE)
ITEM, NUMBERED = re.compile(r"^- "), re.compile(r"^\d+\. ")


def rendered(text: str, names: Sequence[str] = (), language: str = "") -> SafeString:
    """``names``: of its headings below the title, in their order. ``language``: whose pictures are wanted."""
    return mark_safe("\n".join(_blocks(text, iter(names), language)))  # noqa: S308 - every piece is escaped below


def anchors(text: str) -> list[str]:
    return [re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-") for words in HEADING.findall(text)]


def _blocks(text: str, names: Iterator[str], language: str) -> Iterator[str]:
    for block in re.split(r"\n{2,}", text.strip()):
        lines = block.split("\n")
        if block.startswith("    "):
            yield f'<pre class="code" tabindex="0">{escape(chr(10).join(line[4:] for line in lines))}</pre>'
        elif found := PICTURE.match(block):
            yield _picture(found[1], found[2], language)
        elif block.startswith("#"):
            level = len(block) - len(block.lstrip("#"))
            name = next(names, "") if level > 1 else ""
            at = f' id="{escape(name)}"' if name else ""
            yield f"<h{level}{at}>{_inline(block[level:].strip())}</h{level}>"
        elif ITEM.match(block):
            yield _list("ul", ITEM, lines)
        elif NUMBERED.match(block):
            yield _list("ol", NUMBERED, lines)
        else:
            yield f"<p>{_inline(' '.join(lines))}</p>"


def _list(tag: str, mark: re.Pattern[str], lines: list[str]) -> str:
    """A line without a mark goes on with the item before it."""
    items: list[str] = []
    for line in lines:
        if mark.match(line):
            items.append(mark.sub("", line, count=1))
        else:
            items[-1] += f" {line.strip()}"
    return f"<{tag}>{''.join(f'<li>{_inline(item)}</li>' for item in items)}</{tag}>"


def _picture(text: str, name: str, language: str) -> str:
    """In English where the language has none of its own; one that is missing in an installation is a caption alone."""
    found = next((each for each in (f"guide/{language}/{name}", f"guide/{name}") if each in statics.assets()), "")
    if not found:
        return f'<p class="muted">{escape(text)}</p>'
    url = statics.url_of(found)
    image = f'<img src="{url}" alt="{escape(text)}" loading="lazy" width="1200" height="750">'
    return f"<figure>{image}<figcaption>{escape(text)}</figcaption></figure>"


def _inline(text: str) -> str:
    found = LINK.sub(r'<a href="\2">\1</a>', escape(text, quote=True))
    return STRONG.sub(r"<b>\1</b>", CODE.sub(r"<code>\1</code>", found))
