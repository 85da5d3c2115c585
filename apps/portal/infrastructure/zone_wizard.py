"""The wizard for a zone: nine steps, each with an address and its checks; a draft that is kept; and a plan that can be
gone on with where it stopped. Written by hand: no declaration knows that a zone needs fifteen calls in an order.
"""

import re
from functools import cached_property
from typing import Any

from django.core.signing import BadSignature
from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.portal import looks, services
from apps.portal.components import Step as Shown
from apps.portal.frame import calls
from apps.portal.frame.fields import FormField
from apps.portal.frame.pages import Page
from apps.portal.infrastructure import zone_calls, zone_checks, zone_plan
from apps.portal.infrastructure.kinds import ZONE
from apps.portal.infrastructure.zone_checks import Check
from apps.portal.infrastructure.zone_draft import KIND, STEPS, Question, Step, ZoneDraft
from apps.portal.visits import NotFound, Visit

Text = str | Promise
LAST = len(STEPS)
NAMED = re.compile(r"'(\$[a-z_]+)'")  # an id that is not known yet: a shell puts it in
COMMANDS = {1: "zone", 2: "net", 3: "traffic-guest", 4: "pod", 5: "cluster", 6: "host", 7: "pool", 8: "store"}


class ZonePages(Page):
    nav = "/zones"

    @cached_property
    def kept(self) -> Any:
        return services.draft_of(self.visit.user, KIND)

    @cached_property
    def draft(self) -> ZoneDraft:
        if not self.visit.may("createZone", "addHost", "createStoragePool"):
            raise NotFound
        return ZoneDraft.load(self.kept.values) if self.kept else ZoneDraft()

    def keep(self) -> None:
        services.keep_draft(self.visit.user, KIND, self.draft.stored())


class Begin(ZonePages):
    """Where the draft was left, or at the first step."""

    at = "zones/new"

    def get(self) -> HttpResponse:
        if self.draft.begun:
            return self.go(f"/zones/new/{LAST}")
        number = next((step.number for step in STEPS if step.number not in self.draft.done), LAST)
        return self.go(f"/zones/new/{number}")


class Discard(ZonePages):
    at = "zones/new/discard"

    def get(self) -> HttpResponse:
        return self.go("/zones/new")

    def post(self) -> HttpResponse:
        made = self.draft.made
        services.discard_draft(self.visit.user, KIND)
        text = _("What was made of it stays, in the zone.") if made else ""
        self.visit.say("ok", _("The draft was discarded"), text)
        return self.go(ZONE.url(made["zone"]) if made.get("zone") else ZONE.url())


class Wizard(ZonePages):
    at = "zones/new/<int:step>"
    template = "portal/infrastructure/zone_wizard.html"
    checks: list[Check]
    errors: dict[str, Text]

    def __init__(self, visit: Visit, **where: Any):
        super().__init__(visit, **where)
        self.checks, self.errors = [], {}

    @property
    def number(self) -> int:
        return int(self.where["step"])

    @property
    def step(self) -> Step:
        return STEPS[self.number - 1]

    @property
    def title(self) -> str:
        name = self.draft.get("name")
        return _("New zone %(name)s") % {"name": name} if name else _("New zone")

    @property
    def crumbs(self) -> list[tuple[Text, str]]:
        return [(ZONE.many, ZONE.url())]

    @property
    def saved_said(self) -> str:
        at = looks.when(self.kept.updated) if self.kept else None
        return _("Draft saved %(time)s, kept for 30 days") % {"time": looks.short(at)} if at else ""

    @property
    def is_last(self) -> bool:
        return self.number == LAST

    @property
    def next_said(self) -> str:
        return _("Next: %(label)s") % {"label": STEPS[self.number].label}

    @property
    def token(self) -> str:
        return services.new_token(self.visit.user)

    # around the form

    @property
    def walk(self) -> list[dict[str, Any]]:
        """Done steps are links, until the making has begun."""
        found = []
        for step in STEPS:
            now, done = step.number == self.number, step.number in self.draft.done
            shape = "Starting" if now else "Running" if done else "Allocated"
            said = _("now") if now else self.draft.said(step) if done else _("open")
            can = done and not now and (not self.draft.begun or step.number in self.open_again)
            found.append(
                {
                    "step": step,
                    "shape": shape,
                    "said": said,
                    "now": now,
                    "url": f"/zones/new/{step.number}" if can else "",
                }
            )
        return found

    @cached_property
    def open_again(self) -> set[int]:
        """Where it stopped may be corrected, and what comes after it."""
        key = self.draft.failed.get("key")
        plan = zone_calls.actions(self.draft) if key else []
        made = {action.step for action in plan if action.key in self.draft.made}
        return {action.step for action in plan if action.key not in self.draft.made} - made

    @property
    def facts(self) -> list[tuple[Text, Any]]:
        get = self.draft.get
        rows = (
            (_("Zone"), self.draft.said(STEPS[0])),
            (_("Guests"), get("cidr") or (f"{get('guest_start')}–{get('guest_end')}" if get("guest_start") else "")),
            (_("Name server"), get("dns1")),
            (_("VLANs"), get("vlans")),
            (_("Public"), f"{get('pub_start')}–{get('pub_end')}" if get("pub_start") else ""),
            (_("Pod"), get("pod")),
            (_("Cluster"), self.draft.said(STEPS[4])),
            (_("Host"), get("host")),
            (_("Primary storage"), get("pool_url")),
            (_("Secondary storage"), get("store_url")),
        )
        return [(label, value) for label, value in rows if value]

    @property
    def call(self) -> tuple[str, dict[str, Any]]:
        """Of this step; ids that are not known yet stand as names."""
        key = COMMANDS.get(self.number, "enable")
        plan = {
            action.key: call
            for action, call in zip(zone_calls.actions(self.draft), zone_calls.calls(self.draft), strict=True)
        }
        return plan.get(key) or plan["zone"]

    @property
    def call_name(self) -> str:
        return self.call[0]

    @property
    def call_params(self) -> dict[str, Any]:
        return {name: value for name, value in self.call[1].items() if value}

    @property
    def script(self) -> str:
        every = [(name, {n: v for n, v in params.items() if v}) for name, params in zone_calls.calls(self.draft)]
        text = "\n".join(calls.line(name, params, "cs") for name, params in every)
        return NAMED.sub(r'"\1"', text)

    @property
    def script_said(self) -> str:
        return _("All %(count)s calls in their order") % {"count": len(zone_calls.actions(self.draft))}

    # the form

    @property
    def field_groups(self) -> list[tuple[Text, list[FormField]]]:
        """Under their headings; those without one come first."""
        found: dict[str, tuple[Text, list[FormField]]] = {}
        for question, made in zip(self.asked, self.fields, strict=True):
            found.setdefault(str(question.group), (question.group, []))[1].append(made)
        return list(found.values())

    @property
    def asked(self) -> list[Question]:
        return sorted(self.step.asked(self.draft.type), key=lambda question: question.kind == "check")

    @property
    def fields(self) -> list[FormField]:
        found = []
        for question in self.asked:
            made = question.field(self.draft.value(question), self.errors.get(question.name, ""))
            if question.kind == "password" and self.draft.sealed:
                made.required, made.placeholder = False, _("kept; type another one to change it")
            found.append(made)
        return found

    @property
    def passed(self) -> int:
        return sum(check.passed for check in self.checks)

    @property
    def checks_said(self) -> str:
        failed = len(self.checks) - self.passed
        return _("%(passed)s passed, %(failed)s failed") % {"passed": self.passed, "failed": failed}

    @property
    def can_pass_over(self) -> bool:
        wrong = [check for check in self.checks if not check.passed]
        return bool(wrong) and all(check.soft for check in wrong)

    # the plan

    @property
    def plan(self) -> list[Shown]:
        found = []
        for action in zone_calls.actions(self.draft):
            text = str(action.text) % {"name": action.key.rpartition("-")[2].capitalize()}
            found.append(Shown(status=self._status(action.key), text=text, detail=self._detail(action)))
        return found

    def _status(self, key: str) -> str:
        if key in self.draft.made:
            return "done"
        if self.draft.failed.get("key") == key:
            return "failed"
        return "now" if self.draft.job.get("key") == key else "todo"

    def _detail(self, action: Any) -> str:
        return self.draft.failed["text"] if self.draft.failed.get("key") == action.key else str(action.command)

    @property
    def failed_step(self) -> Step | None:
        key = self.draft.failed.get("key")
        number = next((a.step for a in zone_calls.actions(self.draft) if a.key == key), 0)
        return STEPS[number - 1] if 0 < number < LAST else None

    @property
    def is_under_way(self) -> bool:
        return self.draft.begun and not self.draft.failed and not self.is_made

    @property
    def is_made(self) -> bool:
        return "enable" in self.draft.made

    @property
    def zone_url(self) -> str:
        return ZONE.url(self.draft.made["zone"]) if self.draft.made.get("zone") else ""

    # answers

    def get(self) -> HttpResponse:
        self._check_place()
        if self.is_last:
            before = next((step for step in STEPS[:-1] if step.number not in self.draft.done), None)
            if before and not self.draft.begun:
                return self.go(f"/zones/new/{before.number}")
        return self.part("portal/infrastructure/zone_plan.html") if self.visit.is_fragment else super().get()

    def _check_place(self) -> None:
        self.draft  # noqa: B018 - who may not make a zone finds no wizard
        if not 1 <= self.number <= LAST:
            raise NotFound

    def post(self) -> HttpResponse:
        self._check_place()
        if self.is_last:
            return self._make()
        if self.draft.begun and self.number not in self.open_again:
            return self.go(f"/zones/new/{LAST}")
        given = self.visit.request.POST
        self.draft.read(self.step, given)
        self.errors = {question.name: _("This is needed") for question in self.draft.missing(self.step)}
        if not self.errors:
            self.checks = zone_checks.of_step(self.visit, self.draft, self.number)
            self.errors = {check.about: check.text for check in self.checks if not check.passed and check.about}
        passes = not self.errors or ("anyway" in given and self.can_pass_over)
        if passes:
            self.draft.done = sorted({*self.draft.done, self.number})
        self.keep()
        if not passes or "check" in given:
            return self.render(status=200 if passes else 422)
        return self.go("/zones/new")

    def _make(self) -> HttpResponse:
        """The next part of the plan: the page asks for it until all is there."""
        try:
            sending = services.claim(self.visit.user, self.visit.request.POST.get("_token", ""))
        except (services.SentBefore, BadSignature):
            return self.go(f"/zones/new/{LAST}")
        if not self.draft.begun and (wrong := self._first_wrong()):
            services.take_back(sending)
            self.visit.say("warn", _("A check failed, nothing was made"), str(wrong[1].text))
            return self.go(f"/zones/new/{wrong[0]}")
        self.draft.begun = True
        self.keep()
        zone_plan.advance(self.visit, self.draft)
        if self.visit.is_fragment:
            return self.part("portal/infrastructure/zone_plan.html")
        if self.is_made:
            return self._finished()
        return self.go(f"/zones/new/{LAST}")

    def _first_wrong(self) -> tuple[int, Check] | None:
        """All once more: what was free may be taken by now. What was passed over stays so."""
        for step in STEPS[:-1]:
            for check in zone_checks.of_step(self.visit, self.draft, step.number):
                if not check.passed and not check.soft:
                    return step.number, check
        return None

    def _finished(self) -> HttpResponse:
        address = self.zone_url
        services.discard_draft(self.visit.user, KIND)
        text = _("Its system machines start now; machines can be made as soon as its template is there.")
        self.visit.say("ok", _("The zone %(name)s is made") % {"name": self.draft.get("name")}, text)
        return self.go(address)


class Finish(ZonePages):
    """Where the page leads when the plan is through: the draft is of no use any more."""

    at = "zones/new/finish"

    def get(self) -> HttpResponse:
        return self.go("/zones/new")

    def post(self) -> HttpResponse:
        made = self.draft.made
        if "enable" not in made:
            return self.go("/zones/new")
        services.discard_draft(self.visit.user, KIND)
        return self.go(ZONE.url(made["zone"]))
