"""One job: how far it is, step by step; what came of it; what to do when it failed."""

from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from apps.core import ports
from apps.core.errors import CloudError
from apps.portal import gate, looks, services, words
from apps.portal.components import Copy, Link, Step
from apps.portal.compute.why import Reasons, reasons_of
from apps.portal.frame.pages import Page
from apps.portal.jobs.others import Other, again_url, one
from apps.portal.jobs.panel import Group, again, groups, url_of
from apps.portal.jobs.steps import steps_of
from apps.portal.kinds import kind_of
from apps.portal.models import Begun
from apps.portal.visits import NotFound, Row

STATES = {0: "IN_PROGRESS", 1: "SUCCEEDED", 2: "FAILED"}


class JobPage(Page):
    """The page follows the job; without a script it loads itself again every five seconds."""

    at = "jobs/<uuid:key>"
    nav = "/jobs"
    template = "portal/jobs/job.html"

    @cached_property
    def job(self) -> Row:
        try:
            return self.visit.call("queryAsyncJobResult", jobid=str(self.where["key"]))
        except CloudError as error:
            if error.code in (431, 531):
                raise NotFound from error
            raise

    @cached_property
    def begun(self) -> Begun | None:
        found = Begun.objects.filter(user=self.visit.user, job=str(self.where["key"])).first()
        return services.look_after(self.visit, [found])[0] if found else None

    @cached_property
    def other(self) -> Other | None:
        """For who operates what another has begun, or the API."""
        return None if self.begun else one(self.visit, str(self.where["key"]))

    @property
    def state(self) -> str:
        return STATES[self.job["jobstatus"]]

    @property
    def state_label(self) -> str:
        return {0: _("In progress"), 1: _("Succeeded"), 2: _("Failed")}[self.job["jobstatus"]]

    @property
    def is_pending(self) -> bool:
        return not self.job["jobstatus"]

    @property
    def command(self) -> str:
        if self.begun:
            return self.begun.command
        return str(self.other.told["command"]) if self.other else self._wire_command

    @property
    def _wire_command(self) -> str:
        return str(self.job.get("cmd", "")).rpartition(".")[2]

    @property
    def title(self) -> str:
        if self.other:
            return self.other.title
        return words.doing(words.verb(self.command), self.begun.name if self.begun else "")

    @property
    def progress(self) -> int:
        return int(self.job.get("jobprocstatus", 0) or 0)

    @property
    def progress_text(self) -> str:
        return str(self.job.get("jobprogresstext", "") or "")

    @cached_property
    def steps(self) -> list[Step]:
        return steps_of(self.visit, str(self.where["key"]), self.command)

    @cached_property
    def reasons(self) -> Reasons | None:
        """Of a placement: administrators are told every figure."""
        told = ports.watch.one().explanation(self.visit.who, str(self.where["key"]))
        return reasons_of(told) if told else None

    @property
    def reasons_title(self) -> str:
        return _("Why was this refused?") if self.error else _("Why is it there?")

    @property
    def again(self) -> str:
        if self.other:
            return again_url(self.visit, self.other)
        return again(self.visit, self.begun) if self.begun and self.error else ""

    @property
    def facts(self) -> list[tuple[str, Any]]:
        name = self.begun.name if self.begun else self.other.told["name"] if self.other else ""
        row = Link(text=name, url=self.row_url).html() if name else ""
        return [
            (_("About"), row),
            *([(_("Asked for by"), self.other.who), (_("Domain"), self.other.told["domain"])] if self.other else ()),
            (_("Begun"), looks.moment_in_full(self.job["created"])),
            (_("Ended"), looks.moment_in_full(self.job.get("completed"))),
            (_("Id"), Copy(text=str(self.where["key"]), what=_("the id")).html()),
        ]

    @property
    def error(self) -> str:
        return str(self.job.get("jobresult", {}).get("errortext", "")) if self.job["jobstatus"] == 2 else ""

    @property
    def took(self) -> str:
        begun, ended = looks.when(self.job["created"]), looks.when(self.job.get("completed"))
        return looks.duration((ended - begun).total_seconds()) if begun and ended else ""

    @property
    def secrets(self) -> list[tuple[str, str]]:
        """What only this job's result tells: shown here as long as the job is kept."""
        result = self.job.get("jobresult")
        rows = [row for row in (result or {}).values() if isinstance(row, dict)] if self.job["jobstatus"] == 1 else []
        return [(str(words.label("password")), row["password"]) for row in rows if row.get("password")]

    @property
    def row_url(self) -> str:
        if self.other:
            return self.other.row_url
        return url_of(self.begun) if self.begun else ""

    @property
    def next(self) -> str:
        """Where one came from; the query is checked, so that nobody is led away."""
        asked = self.given("next")
        return gate.inside(self.visit.request, asked) if asked else self.row_url

    def get(self) -> HttpResponse:
        self.job  # noqa: B018 - what is unknown or somebody else's is not found
        if self.visit.is_fragment:
            return self.part("portal/jobs/progress.html")
        return super().get()


class Together(Page):
    """What was asked for at once, with a result for each."""

    at = "jobs/together/<uuid:key>"
    nav = "/jobs"
    template = "portal/jobs/together.html"

    @cached_property
    def group(self) -> Group:
        rows = Begun.objects.filter(user=self.visit.user, group=self.where["key"]).order_by("pk")
        found = groups(self.visit, rows)
        if not found:
            raise NotFound
        return found[0]

    @property
    def title(self) -> str:
        return self.group.title

    @property
    def items(self) -> list[tuple[Begun, str]]:
        return [(row, url_of(row)) for row in self.group.rows]

    @property
    def back(self) -> str:
        kind = kind_of(self.group.first.kind)
        return kind.url() if kind else "/jobs"

    def context(self) -> dict[str, Any]:
        self.group  # noqa: B018
        return {}

    def get(self) -> HttpResponse:
        self.group  # noqa: B018
        if self.visit.is_fragment:
            return self.part("portal/jobs/items.html")
        return super().get()
