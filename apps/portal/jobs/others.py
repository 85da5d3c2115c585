"""Jobs that were begun by others or by the API, for those who operate what they are about: what ended in the last day,
and a failed one sent once more.

Written by hand: no list command tells of jobs that have ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.core.signing import BadSignature
from django.http import HttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.core import ports
from apps.core.commands import REGISTRY
from apps.portal import looks, services, words
from apps.portal.frame.pages import Page
from apps.portal.kinds import Kind, kind_of
from apps.portal.models import Begun
from apps.portal.visits import NotFound, Visit

Text = str | Promise
DAY = timedelta(days=1)
MOST = 50  # that are told of at once
STATES = {"queued": "IN_PROGRESS", "running": "IN_PROGRESS", "succeeded": "SUCCEEDED", "failed": "FAILED"}


@dataclass(frozen=True)
class Other:
    """One job, as the port tells of it."""

    told: Mapping[str, Any]

    @property
    def kind(self) -> Kind | None:
        return kind_of(self.told["kind"])

    @property
    def verb(self) -> str:
        command = str(self.told["command"])
        return str(words.verb(command)) if command in REGISTRY else command

    @property
    def title(self) -> str:
        return words.doing(self.verb, self.told["name"])

    @property
    def url(self) -> str:
        return f"/jobs/{self.told['job']}"

    @property
    def row_url(self) -> str:
        kind = self.kind
        return kind.url(self.told["row"]) if kind and kind.has_page and self.told["row"] else ""

    @property
    def state(self) -> str:
        return STATES[self.told["status"]]

    @property
    def state_said(self) -> Text:
        return {"SUCCEEDED": _("Succeeded"), "FAILED": _("Failed")}.get(self.state, _("In progress"))

    @property
    def who(self) -> str:
        """Often they are called the same."""
        return " · ".join(dict.fromkeys(part for part in (self.told["user"], self.told["account"]) if part))

    @property
    def took(self) -> str:
        ended = self.told["completed"]
        return looks.duration((ended - self.told["created"]).total_seconds()) if ended else ""


def operates(visit: Visit) -> bool:
    return visit.who.is_root or visit.who.is_domain_admin


def ended(visit: Visit, *, only_failed: bool, within: timedelta = DAY) -> list[Other]:
    since = timezone.now() - within
    return [Other(told) for told in ports.watch.one().ended(visit.who, since, only_failed=only_failed)]


def one(visit: Visit, job: str) -> Other | None:
    told = ports.watch.one().one(visit.who, job) if operates(visit) else None
    return Other(told) if told else None


def again_url(visit: Visit, other: Other) -> str:
    """ "" where it may not be sent again, or not by this user."""
    allowed = other.told["again"] is not None and visit.may(other.told["command"])
    return f"{other.url}/again" if allowed else ""


class Again(Page):
    """What will be sent, to be looked at first. Of all who press the button, for whichever reason, one sends it."""

    at = "jobs/<uuid:key>/again"
    nav = "/jobs"
    template = "portal/jobs/again.html"
    error = ""

    @cached_property
    def other(self) -> Other:
        found = one(self.visit, str(self.where["key"]))
        if found is None:
            raise NotFound
        return found

    @property
    def can_send(self) -> bool:
        return bool(again_url(self.visit, self.other))

    @property
    def title(self) -> str:
        return _("%(what)s: again") % {"what": self.other.title}

    @property
    def params(self) -> Mapping[str, str]:
        return self.other.told["again"] or {}

    @property
    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Jobs"), "/jobs"), (self.other.title, self.other.url)]

    @property
    def facts(self) -> list[tuple[Text, Any]]:
        told = self.other.told
        return [
            (_("Asked for by"), self.other.who),
            (_("Domain"), told["domain"]),
            (_("Failed"), looks.moment_in_full(told["completed"])),
            (_("Why"), told["text"]),
        ]

    @property
    def token(self) -> str:
        return services.new_token(self.visit.user)

    def get(self) -> HttpResponse:
        self.other  # noqa: B018 - what is unknown or somebody else's is not found
        return super().get()

    def post(self) -> HttpResponse:
        other = self.other
        try:
            sending = services.claim(self.visit.user, self.visit.request.POST.get("_token", ""))
        except services.SentBefore as before:
            return self._sent_before(before)
        except BadSignature:
            return self._refused(_("This form is too old. Nothing was sent: send it again."))
        if not self.can_send:
            services.take_back(sending)
            return self._refused(_("It cannot be sent again. Nothing was sent."))
        return self._send(other, sending)

    def _send(self, other: Other, sending: Any) -> HttpResponse:
        try:
            once = services.claim_once(self.visit.user, f"again {other.told['job']}")
        except services.SentBefore as before:
            return self._sent_before(before)
        about = (other.told["kind"], other.told["row"], other.told["name"])
        begun = services.carry_out(self.visit, other.told["command"], self.params, about=about)
        if begun.state == Begun.State.REFUSED:
            services.take_back(sending)
            services.take_back(once)
            return self._refused(begun.text)
        address = f"/jobs/{begun.job}" if begun.job else other.row_url or "/jobs"
        for form in (sending, once):
            services.led_to(form, address)
        return self.go(address)

    def _refused(self, why: str) -> HttpResponse:
        self.error = why
        return self.render(status=422)

    def _sent_before(self, before: services.SentBefore) -> HttpResponse:
        self.visit.say("warn", _("It was sent again before"), _("It was carried out once. Here is what came of it."))
        return self.go(before.went_to or "/jobs")
