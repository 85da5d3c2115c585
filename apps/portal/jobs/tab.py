"""What was begun about one row, with its steps: a tab of its page.

Written by hand: the portal keeps what was begun here, and no list command tells of jobs that have ended.
"""

from collections.abc import Iterator
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.portal.events.kinds import EVENT
from apps.portal.frame.detail import DetailPage, Tab
from apps.portal.jobs.panel import Group, groups
from apps.portal.models import Begun
from apps.portal.visits import Visit

Text = str | Promise
SHOWN = 20


class JobsTab(Tab):
    """``kind`` is that of the page; a tab asks for one, and shows none of it here."""

    def is_there(self, visit: Visit) -> bool:
        return True

    def context(self, page: DetailPage) -> dict[str, Any]:
        mine = Begun.objects.filter(user=page.visit.user, kind=page.kind.label, row=page.key).order_by("-pk")[:SHOWN]
        found = groups(page.visit, mine, with_steps=True)
        return {"tab": self, "groups": found, "others": list(_others(page, found))}


def _others(page: DetailPage, found: list[Group]) -> Iterator[str]:
    """A job under way that somebody else began, or the API."""
    job = str(page.row.get("jobid", ""))
    if job and not page.row.get("jobstatus") and all(row.job != job for group in found for row in group.rows):
        yield job


JOBS = JobsTab(EVENT, "", (), slug="jobs", label=_("Jobs"), template="portal/jobs/of_row.html")
