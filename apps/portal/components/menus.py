"""What can be done: menus, and the questions before something is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from apps.portal.components.base import Component, Text, component, icon


@dataclass(frozen=True, kw_only=True)
class Item:
    """Of a menu: a link, a button of the form it stands in, or the reason why not."""

    text: Text
    icon: str = ""
    url: str = ""
    name: str = ""  # of the button
    value: str = ""
    why_not: Text = ""
    bad: bool = False
    form: str = ""


def _item(item: Item | None) -> str:
    if item is None:
        return "<hr>"
    if item.why_not:
        return format_html('<p class="muted small">{}</p>', item.why_not)
    shown = icon(item.icon) if item.icon else ""
    if item.name:
        to = format_html(' form="{}"', item.form) if item.form else ""
        css = mark_safe(' class="bad"') if item.bad else ""  # noqa: S308 - ours
        return format_html(
            '<button name="{}" value="{}"{}{}>{}{}</button>', item.name, item.value, to, css, shown, item.text
        )
    css = mark_safe(' class="bad" data-dialog') if item.bad else ""  # noqa: S308 - ours
    return format_html('<a href="{}"{}>{}{}</a>', item.url, css, shown, item.text)


@component
class Menu(Component):
    label: Text
    items: Sequence[Item | None]  # None is a line
    button: bool = False  # its summary is a button with text, not three dots
    align: str = ""

    def html(self) -> SafeString:
        """Written here: a list has one in every row."""
        if self.button:
            head = format_html('<summary class="btn">{} {}</summary>', self.label, icon("chevron-down"))
        else:
            head = format_html('<summary class="btn btn-bare" aria-label="{}">{}</summary>', self.label, icon("dots"))
        body = mark_safe("".join(_item(item) for item in self.items))  # noqa: S308 - each escapes what it is given
        return format_html('<details class="menu {}">{}<div class="list">{}</div></details>', self.align, head, body)


@dataclass(frozen=True, kw_only=True)
class Fate:
    text: Text


@component
class Confirm(Component):
    """What is lost and what is kept; repeats the verb and the name on its button."""

    lost: Sequence[Text] = ()
    kept: Sequence[Text] = ()
    lost_title: Text = ""


@component
class Sheet(Component):
    """The panel at the right edge."""

    title: Text
    status: Text = ""
    slot: Any = ""
    link: str = ""
    word: Text = ""
    close: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
