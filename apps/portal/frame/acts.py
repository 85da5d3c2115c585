"""Actions that ask nothing: of one row from its menu, or of all that were ticked, each with a result of its own."""

import uuid
from functools import cached_property
from typing import Any

from django.core.signing import BadSignature
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.commands import REGISTRY
from apps.core.errors import CloudError
from apps.portal import gate, services, words
from apps.portal.frame.pages import Page
from apps.portal.kinds import KINDS, Action, Kind
from apps.portal.models import Begun, SentForm
from apps.portal.visits import NotFound, Row

AT_MOST = 500  # rows at once


class Act(Page):
    """Where the tables and the heads of pages send what was pressed: ``one=<command> <id>``, or ``many=<command>``."""

    at = "act"

    def get(self) -> HttpResponse:
        return self.go("/")

    @cached_property
    def kind(self) -> Kind:
        found = KINDS.get(self.visit.request.POST.get("kind", ""))
        if found is None:
            raise NotFound
        return found

    @property
    def back(self) -> str:
        return gate.inside(self.visit.request, self.visit.request.POST.get("next", "") or self.kind.url())

    def post(self) -> HttpResponse:
        given = self.visit.request.POST
        command, key = (given["one"].split(" ", 1) + [""])[:2] if "one" in given else (given.get("many", ""), "")
        action = self.kind.action(command)
        if action is None or not self.visit.may(command):
            raise NotFound
        if action.asks:
            return self.go(f"/do/{command}?id={key}") if key else self._ask_for_many(action)
        try:
            sending = services.claim(self.visit.user, given.get("_token", ""))
        except services.SentBefore as before:
            self.visit.say("warn", _("This was sent before"), _("It was carried out once."))
            return self.go(before.went_to or self.back)
        except BadSignature:
            self.visit.say("warn", _("This page was too old"), _("Nothing was sent. Press it again."))
            return self.go(self.back)
        return self._one(action, key, sending) if key else self._many(action, sending)

    def _one(self, action: Action, key: str, sending: SentForm) -> HttpResponse:
        row = self.kind.one_of(self.visit, key)
        if why := action.why_not(row):
            services.take_back(sending)
            self._stale(action, row, str(why))
            return self.go(self.back)
        begun = self._carry_out(action, row, uuid.uuid4())
        services.led_to(sending, self.back)
        self._tell(action, begun)
        return self.go(self.back)

    def _stale(self, action: Action, row: Row, why: str) -> None:
        title = _("This page was older than %(name)s") % {"name": self.kind.title(row)}
        text = _("%(verb)s is not possible: %(why)s. Nothing was sent.") % {"verb": action.label, "why": why}
        self.visit.say("warn", title, text)

    def _tell(self, action: Action, begun: Begun) -> None:
        what = words.doing(action.label, begun.name)
        if begun.state == Begun.State.REFUSED:
            self.visit.say("bad", _("Refused: %(what)s") % {"what": what}, begun.text)
        elif begun.state == Begun.State.DONE:
            self.visit.say("ok", _("%(what)s: done") % {"what": what})
        else:
            self.visit.follow(what, begun.job)

    def _carry_out(self, action: Action, row: Row, group: uuid.UUID) -> Begun:
        """What its state forbids is refused here already: some commands take it and do nothing."""
        about = (self.kind.label, str(row[self.kind.key]), self.kind.title(row))
        if why := action.why_not(row):
            return services.refuse(self.visit, action.command, str(why), about=about, group=group)
        return services.carry_out(self.visit, action.command, action.params(self.kind, row), about=about, group=group)

    # many

    @cached_property
    def ticked(self) -> list[Row]:
        """Those that were ticked, or all of the view that the page showed."""
        given = self.visit.request.POST
        keys = given.getlist("key")[:AT_MOST]
        if given.get("all") == "1":
            fields = REGISTRY[self.kind.listing].fields
            view = {n: v for n, v in given.items() if n.startswith("view-") and n.removeprefix("view-") in fields}
            params = {n.removeprefix("view-"): v for n, v in view.items()}
            return list(self.kind.rows(self.visit, page=1, pagesize=AT_MOST, **params).rows)
        return self._by_key(keys)

    def _by_key(self, keys: list[str]) -> list[Row]:
        if not keys:
            return []
        if "ids" in REGISTRY[self.kind.listing].fields:
            try:
                found = self.kind.rows(self.visit, ids=",".join(keys)).rows
            except CloudError:  # one of them is gone: the others count all the same
                found = []
            if found:
                return list(found)
        rows = []
        for key in keys:
            try:
                rows.append(self.kind.one_of(self.visit, key))
            except NotFound:
                continue
        return rows

    def _many(self, action: Action, sending: SentForm) -> HttpResponse:
        """One that is refused stands in the result with its reason, and holds up none of the others."""
        if not self.ticked:
            services.take_back(sending)
            self.visit.say("warn", _("Nothing was chosen"), _("Tick what it shall be done with."))
            return self.go(self.back)
        group = uuid.uuid4()
        done = [self._carry_out(action, row, group) for row in self.ticked]
        address = f"/jobs/together/{group}"
        services.led_to(sending, address)
        refused = sum(begun.state == Begun.State.REFUSED for begun in done)
        if refused:
            text = ngettext("%(n)s was refused, see why below.", "%(n)s were refused, see why below.", refused)
            self.visit.say("warn", _("Not all were begun"), text % {"n": refused})
        return self.go(address)

    def _ask_for_many(self, action: Action) -> HttpResponse:
        """The same page again with what will happen, and to whom; its button carries it out."""
        given = self.visit.request.POST
        if given.get("sure") == "1":
            try:
                sending = services.claim(self.visit.user, given.get("_token", ""))
            except services.SentBefore as before:
                return self.go(before.went_to or self.back)
            return self._many(action, sending)
        if not self.ticked:
            self.visit.say("warn", _("Nothing was chosen"), _("Tick what it shall be done with."))
            return self.go(self.back)
        count = len(self.ticked)
        title = f"{action.label}: {self.kind.counted(count)}?"
        names = [self.kind.title(row) for row in self.ticked]
        keys = [str(row[self.kind.key]) for row in self.ticked]
        context: dict[str, Any] = {
            "title": title,
            "action": action,
            "names": names,
            "keys": keys,
            "nav": self.kind.url(),
        }
        return self.render("portal/sure.html", **context)

    @property
    def sure_button(self) -> str:
        action = self.kind.action(self.visit.request.POST.get("many", ""))
        return f"{action.label if action else ''} ({len(self.ticked)})"

    @property
    def token(self) -> str:
        return services.new_token(self.visit.user)
