"""The page that watches a machine come up, and says how to reach it."""

from functools import cached_property

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.html import format_html_join
from django.utils.translation import gettext as _

from apps.core.errors import CloudError
from apps.portal import looks, services
from apps.portal.components import Step
from apps.portal.compute.kinds import MACHINE
from apps.portal.compute.order import LAUNCHED, Order
from apps.portal.compute.reach import Way, ssh_of, ways
from apps.portal.compute.wizard import open_ssh
from apps.portal.frame.pages import Page
from apps.portal.jobs.steps import steps_of
from apps.portal.models import Begun
from apps.portal.visits import NotFound, Row

Text = str | Promise


class Launch(Page):
    at = "machines/<uuid:key>/launch"
    nav = "/machines"
    template = "portal/compute/launch.html"

    @cached_property
    def key(self) -> str:
        return str(self.where["key"])

    @cached_property
    def row(self) -> Row:
        return MACHINE.one_of(self.visit, self.key)

    @cached_property
    def begun(self) -> Begun | None:
        mine = Begun.objects.filter(user=self.visit.user, row=self.key, command="deployVirtualMachine")
        found = services.look_after(self.visit, mine.order_by("-pk")[:1])
        return found[0] if found else None

    @cached_property
    def job(self) -> Row:
        key = self.begun.job if self.begun else self.given("job")
        try:
            return self.visit.call("queryAsyncJobResult", jobid=key)
        except CloudError as error:
            raise NotFound from error

    @property
    def title(self) -> str:
        return MACHINE.title(self.row)

    @property
    def crumbs(self) -> list[tuple[Text, str]]:
        return [(MACHINE.many, MACHINE.url())]

    @property
    def case(self) -> str:
        return {0: "now", 1: "done", 2: "failed"}[self.job["jobstatus"]]

    @property
    def is_pending(self) -> bool:
        return self.case == "now"

    @property
    def steps(self) -> list[Step]:
        return steps_of(self.visit, self.job["jobid"], "deployVirtualMachine")

    @property
    def progress(self) -> int:
        return int(self.job.get("jobprocstatus", 0) or 0)

    @property
    def heading(self) -> str:
        if self.case == "now":
            return _("Being launched")
        begun, ended = looks.when(self.job["created"]), looks.when(self.job.get("completed"))
        took = looks.duration((ended - begun).total_seconds()) if begun and ended else ""
        if self.case == "done":
            return _("Launched in %(time)s") % {"time": took}
        number = next((place for place, step in enumerate(self.steps, 1) if step.status == "failed"), 0)
        return _("Stopped at step %(number)s") % {"number": number} if number else _("It failed")

    @property
    def error(self) -> str:
        return str(self.job.get("jobresult", {}).get("errortext", "")) if self.case == "failed" else ""

    @property
    def password(self) -> str:
        if self.case != "done":
            return ""
        return str(self.job.get("jobresult", {}).get("virtualmachine", {}).get("password", ""))

    @cached_property
    def ways(self) -> list[Way]:
        return ways(self.visit, self.row)

    @property
    def ssh(self) -> Way | None:
        return ssh_of([way for way in self.ways if way.url]) or ssh_of(self.ways)

    @property
    def inside(self) -> str:
        return str(self.row.get("ipaddress", ""))

    @cached_property
    def order(self) -> Order | None:
        """That of this machine, if it was the last one."""
        draft = services.draft_of(self.visit.user, LAUNCHED)
        order = Order.load(draft.values) if draft else None
        return order if order and order.name == self.row.get("name") else None

    @property
    def wants_ssh(self) -> bool:
        """It was wished, and could not be done before the network had its address."""
        return bool(self.case == "done" and self.order and self.order.ssh and not any(way.url for way in self.ways))

    @property
    def facts(self) -> list[tuple[Text, str]]:
        row = self.row
        found: list[tuple[Text, str]] = [
            (_("Cores"), looks.cores(row.get("cpunumber"), row.get("cpuspeed"))),
            (_("Memory"), looks.mib(row.get("memory"))),
        ]
        return found + ([(_("Disks"), self.order.disks_said)] if self.order else [])

    @property
    def sub(self) -> Text:
        row = self.row
        begun = looks.when(self.job["created"])
        asked = _("asked for at %(time)s") % {"time": looks.short(begun, seconds=True)} if begun else ""
        image = row.get("templatename") or row.get("isoname")
        parts = (row.get("serviceofferingname"), image, row.get("zonename"), asked)
        return format_html_join(" · ", "{}", [(part,) for part in parts if part])

    @property
    def token(self) -> str:
        return services.new_token(self.visit.user)

    def get(self) -> HttpResponse:
        self.row, self.job  # noqa: B018 - what is somebody else's is not found
        if self.visit.is_fragment:
            return self.part("portal/compute/launching.html")
        return super().get()

    def post(self) -> HttpResponse:
        """Open SSH, now that the network has an address."""
        if self.order is None or not self.wants_ssh:
            raise NotFound
        try:
            services.claim(self.visit.user, self.visit.request.POST.get("_token", ""))
        except services.SentBefore:
            return self.go(self.visit.request.get_full_path())
        if open_ssh(self.visit, self.key, self.title, self.order):
            self.visit.say("busy", _("SSH is being opened"))
        else:
            self.visit.say("warn", _("SSH could not be opened"), _("The jobs say why."))
        return self.go(self.visit.request.get_full_path())
