"""Pieces of text: facts, links, tags, calls, notes."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.portal import looks
from apps.portal.components.base import Component, Text, component, icon


@component
class Facts(Component):
    """Key and value; what is not set is a dash."""

    rows: Sequence[tuple[Text, Any]]
    wide: bool = False

    def html(self) -> SafeString:
        cells = [(label, looks.DASH if value in (None, "") else value) for label, value in self.rows]
        body = format_html_join("", "<dt>{}</dt><dd>{}</dd>", cells)
        return format_html('<dl class="facts{}">{}</dl>', " wide" if self.wide else "", body)


@component
class Copy(Component):
    """A text that is wanted elsewhere, with the button that takes it there."""

    text: str
    what: Text = ""
    mono: bool = True

    def html(self) -> SafeString:
        said = _("Copy %(what)s") % {"what": self.what or self.text}
        return format_html(
            '<span class="copy"><span class="{}">{}</span>'
            '<button type="button" data-copy="{}" aria-label="{}">{}</button></span>',
            "mono" if self.mono else "",
            self.text,
            self.text,
            said,
            icon("copy"),
        )


@component
class Link(Component):
    """A text that leads somewhere where there is somewhere to go."""

    text: Text
    url: str = ""

    def html(self) -> SafeString:
        return format_html('<a href="{}">{}</a>' if self.url else "{1}", self.url, self.text)


@component
class Tag(Component):
    text: Text
    kind: str = ""
    remove: str = ""  # address of the page without it

    def html(self) -> SafeString:
        x = ""
        if self.remove:
            said = _("Remove the filter %(name)s") % {"name": self.text}
            x = format_html('<a href="{}" aria-label="{}">{}</a>', self.remove, said, icon("x"))
        return format_html('<span class="tag {}">{}{}</span>', self.kind, self.text, x)


@component
class Api(Component):
    """What is about to happen, as the client ``cs`` would be told it, as an address and for curl."""

    call: str
    params: Mapping[str, Any]
    form: str = "cs"  # which of the three is shown

    @property
    def text(self) -> Any:
        from apps.portal.frame import calls

        return calls.written(self.call, self.params, self.form)

    @property
    def whole(self) -> str:
        from apps.portal.frame import calls

        return calls.line(self.call, self.params, self.form)

    @property
    def forms(self) -> list[tuple[str, str, str]]:
        from apps.portal.frame import calls

        return [(form, name, calls.line(self.call, self.params, form)) for form, name in calls.FORMS]


@component
class Note(Component):
    """ok, busy, warn, bad or off. What is bad is said at once."""

    kind: str
    title: Text = ""
    acts: Any = ""
    slot: Any = ""
    icons: ClassVar[dict[str, str]] = {
        "ok": "circle-check",
        "busy": "info-circle",
        "warn": "alert-triangle",
        "bad": "alert-octagon",
        "off": "info-circle",
    }

    @property
    def icon(self) -> str:
        return self.icons[self.kind]


@component
class Toast(Component):
    """A note that comes and goes; what is bad stays until it is closed."""

    kind: str
    title: Text
    text: Text = ""
    url: str = ""
    word: Text = ""  # of the link
    job: str = ""  # that it follows
    done: Text = ""  # what it says when that job has ended well
    failed: Text = ""

    @property
    def icon(self) -> str:
        return Note.icons[self.kind]
