"""The wizard for a machine: six steps, each with an address; a draft that is kept; a summary with limits before and
after; a rehearsal before it is launched. Written by hand: no declaration knows which question comes first.
"""

from functools import cached_property
from typing import Any

from django.core.signing import BadSignature
from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.core.errors import CloudError, text_for
from apps.portal import looks, services
from apps.portal.components import Step as Shown
from apps.portal.components import WizardStep
from apps.portal.compute.kinds import MACHINE
from apps.portal.compute.order import KIND, LAUNCHED, Order
from apps.portal.compute.steps import ASKED_IN, STEPS, NetworkStep, Step
from apps.portal.compute.why import Reasons, reasons_of
from apps.portal.frame.fields import about
from apps.portal.frame.pages import Page
from apps.portal.limits.limits import uses
from apps.portal.models import Begun
from apps.portal.visits import NotFound, Visit

Text = str | Promise
SHOWN_LIMITS = ("vm", "cpu", "memory", "volume", "primarystorage")
PORT = 22


class Begin(Page):
    """Where a draft was left, or at the first step."""

    at = "machines/new"

    def get(self) -> HttpResponse:
        if self.given("like") == "last" and (last := services.draft_of(self.visit.user, LAUNCHED)):
            values = last.values | {"name": ""}
            services.keep_draft(self.visit.user, KIND, values)
        draft = services.draft_of(self.visit.user, KIND)
        order = Order.load(draft.values) if draft else Order()
        steps = [cls(self.visit, order) for cls in STEPS]
        open_ = next((step.number for step in steps if not step.is_done), len(STEPS))
        return self.go(f"/machines/new/{open_}")


class Discard(Page):
    at = "machines/new/discard"

    def get(self) -> HttpResponse:
        return self.go("/machines/new")

    def post(self) -> HttpResponse:
        services.discard_draft(self.visit.user, KIND)
        self.visit.say("ok", _("The draft was discarded"))
        return self.go(MACHINE.url())


class Wizard(Page):
    at = "machines/new/<int:step>"
    nav = "/machines"
    template = "portal/wizard/page.html"

    @property
    def title(self) -> str:
        return _("New machine")

    @property
    def crumbs(self) -> list[tuple[Text, str]]:
        return [(MACHINE.many, MACHINE.url())]

    @cached_property
    def draft(self) -> Any:
        return services.draft_of(self.visit.user, KIND)

    @cached_property
    def order(self) -> Order:
        return Order.load(self.draft.values) if self.draft else Order()

    @cached_property
    def steps(self) -> list[Step]:
        return [cls(self.visit, self.order) for cls in STEPS]

    @property
    def step(self) -> Step:
        return self.steps[self.where["step"] - 1]

    @property
    def number(self) -> int:
        return int(self.where["step"])

    @property
    def saved_said(self) -> str:
        if self.draft is None:
            return ""
        at = looks.when(self.draft.updated)
        return _("Draft saved %(time)s, kept for 30 days") % {"time": looks.short(at)} if at else ""

    @property
    def walk(self) -> list[WizardStep]:
        found = []
        for step in self.steps:
            now = step.number == self.number
            status = "now" if now else "done" if step.is_done else "todo"
            url = f"/machines/new/{step.number}" if step.is_done and not now else ""
            said: dict[str, Any] = {
                "number": step.number,
                "label": step.label,
                "status": status,
                "chosen": step.chosen,
                "url": url,
            }
            found.append(WizardStep(**said, wrong=bool(step.errors)))
        return found

    @property
    def step_said(self) -> str:
        return _("Step %(number)s of 6: %(label)s") % {"number": self.number, "label": self.step.label}

    @property
    def is_last(self) -> bool:
        return self.number == len(STEPS)

    @property
    def next_said(self) -> str:
        return _("Next: %(label)s") % {"label": STEPS[self.number].label}

    @property
    def launch_said(self) -> str:
        return _("Launch %(name)s") % {"name": self.order.name} if self.order.name else _("Launch")

    @property
    def token(self) -> str:
        return services.new_token(self.visit.user)

    # the summary

    @property
    def summary(self) -> list[tuple[str, str]]:
        return self.order.summary()

    @property
    def limits(self) -> list[dict[str, Any]]:
        takes = self.order.takes()
        return uses(self.visit.account, tuple(word for word in SHOWN_LIMITS if word in takes), takes)

    @property
    def call(self) -> dict[str, Any]:
        return self.order.params()

    @property
    def plan_steps(self) -> list[Shown]:
        return steps_of(self.visit, self.order)

    # answers

    def get(self) -> HttpResponse:
        if not 1 <= self.number <= len(STEPS) or not self.visit.may("deployVirtualMachine"):
            raise NotFound
        if before := next((s for s in self.steps[: self.number - 1] if not s.is_done), None):
            return self.go(f"/machines/new/{before.number}")
        if self.visit.is_fragment:
            return self.part(self.step.template, step=self.step)
        return self.render(step=self.step)

    def post(self) -> HttpResponse:
        if not 1 <= self.number <= len(STEPS) or not self.visit.may("deployVirtualMachine"):
            raise NotFound
        given = self.visit.request.POST
        if "make" in given and isinstance(self.step, NetworkStep):
            return self._make_network(self.step)
        self.step.read(given)
        if self.visit.is_fragment:  # what is being chosen: not kept, only summed up
            return self.part("portal/wizard/summary.html")
        if self.step.errors:
            return self.render(status=422, step=self.step)
        services.keep_draft(self.visit.user, KIND, self.order.stored())
        if not self.is_last:
            return self.go(f"/machines/new/{self.number + 1}")
        return self._launch(given.get("_token", "")) if "launch" in given else self.go(f"/machines/new/{self.number}")

    def _make_network(self, step: NetworkStep) -> HttpResponse:
        given = self.visit.request.POST
        try:
            step.read(given)
            step.make(given)
        except CloudError as error:
            name, text = about(error, text_for(error, self.visit.who.is_root), ("name", "networkofferingid"))
            step.errors["new_offering" if name == "networkofferingid" else "new_name"] = text
        if step.errors:
            return self.render(status=422, step=step)
        services.keep_draft(self.visit.user, KIND, self.order.stored())
        self.visit.say("ok", _("The network is made"), _("It is chosen below."))
        return self.go("/machines/new/5")

    # launch

    def _launch(self, token: str) -> HttpResponse:
        if before := next((s for s in self.steps if not s.is_done), None):
            return self.go(f"/machines/new/{before.number}")
        try:
            sending = services.claim(self.visit.user, token)
        except services.SentBefore as before_:
            self.visit.say("warn", _("It was launched before"), _("This form was sent once already."))
            return self.go(before_.went_to or "/jobs")
        except BadSignature:
            self.step.errors["name"] = _("This page was too old. Nothing was launched: launch it again.")
            return self.render(status=422, step=self.step)
        begun = services.carry_out(
            self.visit, "deployVirtualMachine", self.order.params(), about=(MACHINE.label, "", self.order.name)
        )
        if begun.state == Begun.State.REFUSED:
            services.take_back(sending)
            return self._refused(begun)
        address = f"/machines/{begun.row}/launch?job={begun.job}"
        services.led_to(sending, address)
        services.keep_draft(self.visit.user, LAUNCHED, self.order.stored())
        services.discard_draft(self.visit.user, KIND)
        self._afterwards(begun)
        return self.go(address)

    def _refused(self, begun: Begun) -> HttpResponse:
        error = CloudError(begun.text)
        name, text = about(error, begun.text, (*ASKED_IN, "name", "keypair", "userdata", "group"))
        number = ASKED_IN.get(name, len(STEPS))
        step = self.steps[number - 1]
        step.errors[name or "name"] = text
        refusal = {"text": text, "number": number, "label": step.label}
        return self.render(status=422, step=self.step, refusal=refusal)

    def _afterwards(self, begun: Begun) -> None:
        """What was wished beside the machine. Its job has the lock of the machine, so a rule waits until it runs."""
        if self.order.protect and self.visit.may("updateVirtualMachine"):
            about_ = (MACHINE.label, begun.row, begun.name)
            params = {"id": begun.row, "deleteprotection": "true"}
            services.carry_out(self.visit, "updateVirtualMachine", params, about=about_, group=begun.group)
        if self.order.ssh and self.order.start:
            open_ssh(self.visit, begun.row, begun.name, self.order)


def open_ssh(visit: Visit, machine: str, name: str, order: Order) -> bool:
    """A port of the network's address to port 22, for the address that asked. False where there is no address yet."""
    from apps.portal.compute.reach import public_addresses

    network = next((each["id"] for each in order.networks if each.get("type") == "Isolated"), "")
    addresses = [row for row in public_addresses(visit, network) if not row.get("isstaticnat")] if network else []
    if not addresses:
        return False
    address = next((row for row in addresses if row.get("issourcenat")), addresses[0])
    rules = visit.list("listPortForwardingRules", ipaddressid=address["id"], listall="true", page=1, pagesize=500).rows
    taken = {int(rule["publicport"]) for rule in rules}
    port = next(p for p in (PORT, *range(2201, 65000)) if p not in taken)
    params = {
        "ipaddressid": address["id"],
        "virtualmachineid": machine,
        "protocol": "tcp",
        "publicport": str(port),
        "privateport": str(PORT),
        "cidrlist": f"{order.ssh_from}/32" if ":" not in order.ssh_from else f"{order.ssh_from}/128",
    }
    begun = services.carry_out(visit, "createPortForwardingRule", params, about=(MACHINE.label, machine, name))
    return begun.state != Begun.State.REFUSED


class Plan(Page):
    """A rehearsal of the draft: asked when the last step is seen, looked at until it is through."""

    at = "machines/new/plan"

    @cached_property
    def order(self) -> Order:
        draft = services.draft_of(self.visit.user, KIND)
        return Order.load(draft.values) if draft else Order()

    def get(self) -> HttpResponse:
        job = self.given("job")
        try:
            if not job:
                job = str(self.visit.call("deployVirtualMachine", dryrun="true", **self.order.params())["jobid"])
            told = self.visit.call("queryAsyncJobResult", jobid=job)
        except CloudError as error:
            return self._said("Error", text_for(error, self.visit.who.is_root))
        if told["jobstatus"] == 0:
            return self.part(
                "portal/wizard/plan.html",
                job=job,
                kind="",
                text="",
                steps=steps_of(self.visit, self.order),
                reasons=None,
            )
        result = told.get("jobresult", {})
        if told["jobstatus"] == 2:
            return self._said("Error", str(result.get("errortext", "")))
        plan = result.get("virtualmachine", {})
        reasons = reasons_of(plan["plan"]) if plan.get("plan") else None
        if plan.get("fits"):
            text = _("Fits: there is room in %(zone)s") % {"zone": self.order.zone}
            return self._said("Ready", text, reasons)
        text = _("There is no room in %(zone)s now. A smaller offering may fit.") % {"zone": self.order.zone}
        return self._said("Alert", str(plan.get("reason") or text), reasons)

    def _said(self, kind: str, text: str, reasons: Reasons | None = None) -> HttpResponse:
        context = {
            "job": "",
            "kind": kind,
            "text": text,
            "steps": steps_of(self.visit, self.order),
            "reasons": reasons,
        }
        return self.part("portal/wizard/plan.html", **context)


def steps_of(visit: Visit, order: Order) -> list[Shown]:
    """What will happen, in the words of what happens then."""
    disks = _("Root disk from %(template)s") % {"template": order.template}
    if order.data_size:
        disks = _("%(root)s, data disk of %(size)s") % {"root": disks, "size": looks.gib(order.data_size)}
    taken = [use for use in uses(visit.account, SHOWN_LIMITS, order.takes()) if use["add"]]
    amounts = ", ".join(f"{use['label']} +{looks.number(use['add'])} {use['unit']}".strip() for use in taken)
    found = [
        Shown(status="todo", text=_("Limits are taken"), detail=amounts),
        Shown(status="todo", text=_("Networks are made ready"), detail=order.networks_said),
        Shown(status="todo", text=_("A host and storage are chosen")),
        Shown(status="todo", text=disks),
    ]
    if not order.start:
        return found[:1]
    text = _("Started; SSH is opened for %(address)s") % {"address": order.ssh_from} if order.ssh else _("Started")
    return [*found, Shown(status="todo", text=text)]
