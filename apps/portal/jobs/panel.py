"""What is running and what has lately ended: the bell, the panel at the edge, the page of jobs."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.portal import looks, services, words
from apps.portal.frame.pages import Page
from apps.portal.jobs.others import Other, again_url, ended, operates
from apps.portal.jobs.steps import steps_of
from apps.portal.kinds import kind_of
from apps.portal.models import Begun
from apps.portal.visits import NotFound, Row, Visit

SHOWN = 12  # groups of the panel
S = Begun.State


@dataclass
class Bell:
    running: int
    failed: int

    @property
    def count(self) -> int:
        return self.running + self.failed

    @property
    def said(self) -> str:
        running = ngettext("%(n)s running", "%(n)s running", self.running) % {"n": self.running}
        failed = ngettext("%(n)s failed", "%(n)s failed", self.failed) % {"n": self.failed}
        jobs = ngettext("%(n)s job", "%(n)s jobs", self.count) % {"n": self.count}
        return f"{jobs}: {running}, {failed}"


def bell(visit: Visit) -> Bell:
    """Of what this user began here, and has not looked at since it failed."""
    seen = visit.preferences.get("jobs_seen", "")
    mine = Begun.objects.filter(user=visit.user)
    pending = services.look_after(visit, mine.filter(state=S.PENDING).order_by("-pk")[:20])
    running = sum(row.state == S.PENDING for row in pending)
    failed = mine.filter(state__in=(S.FAILED, S.REFUSED))
    return Bell(running, (failed.filter(ended__gt=seen) if seen else failed).count())


@dataclass
class Group:
    """What was asked for at once: mostly one thing."""

    rows: list[Begun]
    steps: list[Any] = field(default_factory=list)
    again: str = ""  # address of a form that tries it once more

    @property
    def first(self) -> Begun:
        return self.rows[0]

    @property
    def title(self) -> str:
        first = self.first
        verb = words.verb(first.command)
        if len(self.rows) == 1:
            return words.doing(verb, first.name)
        kind = kind_of(first.kind)
        return f"{verb}: {kind.counted(len(self.rows)) if kind else len(self.rows)}"

    @property
    def done(self) -> int:
        return sum(row.state == S.DONE for row in self.rows)

    @property
    def state(self) -> str:
        states = {row.state for row in self.rows}
        if S.PENDING in states:
            return str(S.PENDING)
        if states == {S.DONE}:
            return str(S.DONE)
        return str(S.FAILED) if S.DONE not in states else "WARN"

    @property
    def look(self) -> str:
        return "Error" if self.state == S.REFUSED else self.state

    @property
    def is_pending(self) -> bool:
        return self.state == S.PENDING

    @property
    def label(self) -> str:
        """Of the state, where it stands alone."""
        if len(self.rows) > 1:
            return _("%(done)s of %(all)s done") % {"done": self.done, "all": len(self.rows)}
        if self.is_pending:
            return f"{self.progress} %" if self.progress else _("In progress")
        return str({S.DONE: _("Succeeded"), S.FAILED: _("Failed"), S.REFUSED: _("Refused")}[S(self.first.state)])

    @property
    def progress(self) -> int:
        return int(getattr(self.first, "progress", 0) or 0)

    @property
    def progress_text(self) -> str:
        return str(getattr(self.first, "progress_text", ""))

    @property
    def took(self) -> str:
        ends = [row.ended for row in self.rows if row.ended]
        if self.is_pending or len(ends) < len(self.rows):
            return ""
        return looks.duration(max(0.0, (max(ends) - self.first.created).total_seconds()))

    @property
    def url(self) -> str:
        if len(self.rows) > 1:
            return f"/jobs/together/{self.first.group}"
        return f"/jobs/{self.first.job}" if self.first.job else self.row_url

    @property
    def row_url(self) -> str:
        return url_of(self.first)


def url_of(row: Begun) -> str:
    kind = kind_of(row.kind)
    return kind.url(row.row) if kind and kind.has_page and row.row else ""


def again(visit: Visit, begun: Begun) -> str:
    """Address of a form that tries it once more; "" where its row does not allow it now."""
    kind = kind_of(begun.kind)
    if kind is None:
        return ""
    if begun.command == kind.creating:
        return "/machines/new?like=last" if begun.command == "deployVirtualMachine" else f"/do/{begun.command}"
    action = kind.action(begun.command)
    if action is None or not begun.row or not kind.has_page:
        return ""
    try:
        row = kind.one_of(visit, begun.row)
    except NotFound:
        return ""
    return "" if action.why_not(row) else f"/do/{begun.command}?{urlencode(action.params(kind, row))}"


def groups(visit: Visit, rows: Iterable[Begun], *, with_steps: bool = False) -> list[Group]:
    found: dict[Any, Group] = {}
    for row in services.look_after(visit, rows):
        found.setdefault(row.group, Group([])).rows.append(row)
    for group in found.values():
        group.rows.sort(key=lambda row: row.pk)
        if with_steps and len(group.rows) == 1 and group.first.job and group.state in (S.PENDING, S.FAILED):
            group.steps = steps_of(visit, group.first.job, group.first.command)
            group.again = again(visit, group.first) if group.state == S.FAILED else ""
    return list(found.values())


class Panel(Page):
    """A part of every page with a script; without one the bell leads to the page of jobs."""

    at = "jobs/panel"

    @cached_property
    def groups(self) -> list[Group]:
        rows = Begun.objects.filter(user=self.visit.user).order_by("-pk")[:40]
        return groups(self.visit, rows, with_steps=True)[:SHOWN]

    @property
    def is_pending(self) -> bool:
        return any(group.is_pending for group in self.groups)

    @property
    def status(self) -> str:
        running = sum(group.is_pending for group in self.groups)
        failed = sum(group.state in (S.FAILED, S.REFUSED, "WARN") for group in self.groups)
        return _("%(running)s running, %(failed)s failed") % {"running": running, "failed": failed}

    def get(self) -> HttpResponse:
        found = self.groups  # first: what ended meanwhile is seen with it
        if self.given("quiet") != "1":
            services.prefer(self.visit.user, jobs_seen=timezone.now().isoformat())
        return self.part("portal/jobs/panel.html", groups=found)


class BellPart(Page):
    at = "jobs/bell"

    def get(self) -> HttpResponse:
        return self.part("portal/parts/bell.html", bell=bell(self.visit))


class JobList(Page):
    """No list command tells of jobs that have ended: what was begun here is shown, and what runs besides."""

    at = "jobs"
    nav = "/jobs"
    template = "portal/jobs/list.html"

    @cached_property
    def groups(self) -> list[Group]:
        rows = Begun.objects.filter(user=self.visit.user).order_by("-pk")[:200]
        return groups(self.visit, rows)

    @property
    def running(self) -> list[Group]:
        return [group for group in self.groups if group.is_pending]

    @property
    def ended_here(self) -> list[Group]:
        return [group for group in self.groups if not group.is_pending]

    @cached_property
    def others(self) -> list[Row]:
        """Jobs that were not begun here: by the API, by colleagues."""
        if not self.visit.may("listAsyncJobs"):
            return []
        mine = {row.job for group in self.groups for row in group.rows}
        found = self.visit.list("listAsyncJobs", listall="true", page=1, pagesize=100).rows
        others = [job for job in found if job["jobid"] not in mine]
        return [job | {"title": str(job["cmd"]).rpartition(".")[2].removesuffix("Cmd")} for job in others]

    @property
    def only_failed(self) -> bool:
        return self.given("ended") == "failed"

    @cached_property
    def of_others(self) -> list[tuple[Other, str]] | None:
        """What ended in the last day and was not begun here, for those who operate it; None for all others."""
        if not operates(self.visit):
            return None
        mine = {row.job for group in self.groups for row in group.rows}
        found = ended(self.visit, only_failed=self.only_failed)
        return [(job, again_url(self.visit, job)) for job in found if job.told["job"] not in mine]

    def get(self) -> HttpResponse:
        if self.visit.is_fragment:
            return self.part("portal/jobs/running.html")
        self.groups  # noqa: B018 - first: what ended meanwhile is seen with it
        services.prefer(self.visit.user, jobs_seen=timezone.now().isoformat())
        return super().get()
