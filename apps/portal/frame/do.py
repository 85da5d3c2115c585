"""The page of every form, and what carries it out."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django.core.signing import BadSignature
from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.core import wire
from apps.core.commands import REGISTRY, Spec
from apps.core.errors import CloudError
from apps.portal import gate, services
from apps.portal.frame.forms import FORMS, Form
from apps.portal.frame.pages import Page
from apps.portal.kinds import kind_of
from apps.portal.models import Begun
from apps.portal.visits import NotFound

Text = str | Promise


class Do(Page):
    """The page of every form, and what carries it out."""

    at = "do/<slug:command>"

    @cached_property
    def form(self) -> Form:
        name = self.where["command"]
        spec = REGISTRY.get(name)
        if spec is None or not spec.cls.changes or not self.visit.may(name):
            raise NotFound
        return FORMS.get(name, Form)(self.visit, name, self.read(spec))

    def read(self, spec: Spec) -> dict[str, Any]:
        """Names as the wire has them; a list stays one."""
        found: dict[str, Any] = {}
        for source in (self.visit.request.GET, self.visit.request.POST):
            for name in source:
                several = isinstance(spec.fields.get(name), wire.List) or name == "_checks"
                found[name] = source.getlist(name) if several else source[name]
        return found

    @property
    def back(self) -> str:
        return gate.inside(self.visit.request, self.form.given.get("next", "")) if self.form.given.get("next") else ""

    @property
    def cancel(self) -> str:
        return self.back or self.form.home

    @property
    def nav(self) -> str:  # type: ignore[override]
        kind = self.form.subject[0] if self.form.subject else kind_of(self.form.model)
        return kind.url() if kind and kind.at else ""

    @property
    def title(self) -> str:
        return self.form.title

    @property
    def crumbs(self) -> list[tuple[Text, str]]:
        subject = self.form.subject
        kind = subject[0] if subject else kind_of(self.form.model)
        found: list[tuple[Text, str]] = [(kind.many, kind.url())] if kind and kind.at else []
        if subject and subject[0].has_page:
            found.append((self.form.row_title, subject[0].url(str(self.form.row[subject[0].key]))))
        return found

    @property
    def token(self) -> str:
        return services.new_token(self.visit.user)

    def get(self) -> HttpResponse:
        form = self.form
        form.row  # noqa: B018 - what is not this caller's has no form
        if form.asks_which:
            return self.render("portal/which.html", form=form)
        if self.visit.is_fragment:
            part = "portal/parts/preview.html" if self.given("part") == "preview" else "portal/parts/dialog.html"
            return self.part(part, form=form)
        return self.render(form.template, form=form)

    def post(self) -> HttpResponse:
        form = self.form
        form.row  # noqa: B018
        if self.visit.is_fragment:  # what is being typed, for the call beside the form
            return self.part("portal/parts/preview.html", form=form)
        params = form.params()
        form.check(params)
        if form.errors:
            return self._again()
        if form.why_not:
            form.error = form.why_not_said
            return self._again()
        return self._send(params)

    def _send(self, params: dict[str, Any]) -> HttpResponse:
        form = self.form
        try:
            sending = services.claim(self.visit.user, str(form.given.get("_token", "")))
        except services.SentBefore as before:
            return self._sent_before(before)
        except BadSignature:
            form.error = _("This form is too old. Nothing was sent; what you typed is still here: send it again.")
            return self._again()
        begun = services.carry_out(self.visit, form.name, params, about=self._about())
        if begun.state == Begun.State.REFUSED:
            services.take_back(sending)
            form.refuse(_as_error(begun), begun.text)
            return self._again()
        return self._done(begun, sending)

    def _done(self, begun: Begun, sending: Any) -> HttpResponse:
        form = self.form
        answer: Mapping[str, Any] = begun.answer  # type: ignore[attr-defined]
        if once := form.shown_once(answer):
            services.led_to(sending, form.home)
            return self.render("portal/once.html", form=form, once=once, home=self.back or form.home)
        address = form.went_to(begun, answer, self.back)
        services.led_to(sending, address)
        if begun.state == Begun.State.DONE:
            self.visit.say("ok", form.done_text)
        return self.go(address)

    def _about(self) -> tuple[str, str, str]:
        form = self.form
        if form.subject is None:
            return form.model, "", str(form.given.get("name", ""))
        kind, name = form.subject
        return kind.label, str(form.given[name]), form.row_title

    def _again(self) -> HttpResponse:
        return self.render(self.form.template, status=422, form=self.form)

    def _sent_before(self, before: services.SentBefore) -> HttpResponse:
        self.visit.say("warn", _("This form was sent before"), _("It was carried out once. Here is what came of it."))
        return self.go(before.went_to or "/jobs")


def _as_error(begun: Begun) -> CloudError:
    error = CloudError(begun.text)
    error.code = begun.code
    return error
