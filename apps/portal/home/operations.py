"""The dashboard of an operator: capacity of each zone, alerts, jobs, hosts.

Written by hand: it answers what has to be looked at now, out of many lists. What is counted by state or zone is counted
by one statement; no list is read as a whole.
"""

from collections import Counter
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.portal import looks
from apps.portal.appliances.kinds import ROUTER, SYSTEM_MACHINE
from apps.portal.compute.kinds import MACHINE
from apps.portal.events.alerts import ALERT
from apps.portal.frame.pages import Page
from apps.portal.infrastructure import capacity
from apps.portal.infrastructure.kinds import HOST, ZONE
from apps.portal.infrastructure.looks import NETWORK_TYPE
from apps.portal.jobs import others
from apps.portal.jobs.others import Other
from apps.portal.kinds import Kind
from apps.portal.listed import Listed
from apps.portal.visits import Row

Text = str | Promise
ZONES, HOSTS, ALERTS, JOBS = 12, 48, 6, 8
HOUR = timedelta(hours=1)
HOST_STATES = ("Up", "Connecting", "Disconnected", "Alert", "Down")
CAUSES_A_LOOK = ("Alert", "Down", "Error", "Disconnected")


class Operations(Page):
    at = "operations"
    nav = "/"
    template = "portal/home/operations.html"

    @property
    def title(self) -> str:
        return _("Operations")

    @property
    def sum_said(self) -> str:
        said = [ZONE.counted(self.zones_found.count), HOST.counted(self.hosts_count)]
        if self.visit.may(MACHINE.listing):
            said.append(MACHINE.counted(self._listed(MACHINE).count()))
        return ", ".join(said)

    def _listed(self, kind: Kind, **given: Any) -> Listed:
        return Listed(self.visit, kind.listing, **kind.scope(self.visit), **kind.asked(self.visit), **given)

    @cached_property
    def zones_found(self) -> Any:
        return ZONE.rows(self.visit, showcapacities="true", page=1, pagesize=ZONES)

    @property
    def zones(self) -> list[dict[str, Any]]:
        marks = capacity.thresholds(self.visit)
        return [self._zone(row, marks) for row in self.zones_found.rows]

    def _zone(self, row: Row, marks: dict[int, float]) -> dict[str, Any]:
        hosts = HOST.counted(sum(n for (zone, *_rest), n in self.tally.items() if str(zone) == row["id"]))
        return {
            "row": row,
            "url": ZONE.url(row["id"]),
            "sub": f"{NETWORK_TYPE.cell(row.get('networktype'))} · {hosts}",
            "uses": capacity.uses(row.get("capacity", []), marks),
        }

    @property
    def can_make_zone(self) -> bool:
        return self.visit.may("createZone")

    # alerts

    @cached_property
    def alerts_found(self) -> Any:
        return ALERT.rows(self.visit, page=1, pagesize=ALERTS) if self.visit.may(ALERT.listing) else None

    @property
    def alerts(self) -> list[Row]:
        return list(self.alerts_found.rows) if self.alerts_found else []

    @property
    def alerts_count(self) -> int:
        return int(self.alerts_found.count) if self.alerts_found else 0

    # jobs

    @cached_property
    def jobs_found(self) -> Any:
        if not self.visit.may("listAsyncJobs"):
            return None
        return self.visit.list("listAsyncJobs", listall="true", page=1, pagesize=JOBS)

    @cached_property
    def failed(self) -> list[Other]:
        return others.ended(self.visit, only_failed=True, within=HOUR) if self.jobs_found else []

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """Under way, and where there is room those that failed lately."""
        lines = [job_line(row) for row in self.jobs_found.rows] if self.jobs_found else []
        return (lines + [failed_line(each) for each in self.failed])[:JOBS]

    @property
    def jobs_said(self) -> str:
        count = self.jobs_found.count if self.jobs_found else 0
        said = _("%(count)s running or waiting") % {"count": looks.number(count)}
        failed = len(self.failed)
        more = ngettext("%(n)s failed in the last hour", "%(n)s failed in the last hour", failed)
        number = looks.number(failed) + ("+" if failed >= others.MOST else "")
        return f"{said}, {more % {'n': number}}" if failed else said

    # hosts

    @cached_property
    def tally(self) -> dict[tuple[Any, str, str], int]:
        """How many hosts have which zone, state and use."""
        return self._listed(HOST).tally("zone__uuid", "status", "resource_state")

    @property
    def hosts_count(self) -> int:
        return sum(self.tally.values())

    @cached_property
    def host_states(self) -> list[tuple[str, int]]:
        found: Counter[str] = Counter()
        for (_zone, state, use), number in self.tally.items():
            found[state] += number
            found["Maintenance"] += number if use == "Maintenance" else 0
        return [(state, found[state]) for state in (*HOST_STATES, "Maintenance") if found[state]]

    @cached_property
    def hosts(self) -> list[dict[str, Any]]:
        """Those that need a look come first; where there are many, the rest stays in the list."""
        rows: dict[str, Row] = {}
        for state, _number in self.host_states:
            if state in CAUSES_A_LOOK:
                rows |= {row["id"]: row for row in self._listed(HOST, state=state, details="min").first(HOSTS)}
        if len(rows) < HOSTS:
            rows |= {row["id"]: row for row in self._listed(HOST, details="min").first(HOSTS)}
        return [self._host(row) for row in list(rows.values())[:HOSTS]]

    def _host(self, row: Row) -> dict[str, Any]:
        inside = row.get("resourcestate") not in ("Enabled", "Disabled", None)
        state = str(row["resourcestate"] if inside and row.get("state") == "Up" else row.get("state", "Unknown"))
        look = looks.of_state(state)
        tint = look.colour if look.colour in ("warn", "bad", "busy") else ""
        return {"row": row, "url": HOST.url(row["id"]), "state": state, "tint": tint, "short": short(row["name"])}

    @property
    def hosts_said(self) -> str:
        up = dict(self.host_states).get("Up", 0)
        return _("%(up)s Up of %(all)s") % {"up": looks.number(up), "all": looks.number(self.hosts_count)}

    @property
    def more_hosts(self) -> int:
        return self.hosts_count - len(self.hosts)

    # the manager itself

    @property
    def itself(self) -> list[tuple[Text, str, str, Text]]:
        """What, where it is listed, a state, and how many."""
        found: list[tuple[Text, str, str, Text]] = []
        for kind in (SYSTEM_MACHINE, ROUTER):
            if not self.visit.may(kind.listing):
                continue
            tally = self._listed(kind).tally("state")
            every, running = sum(tally.values()), tally.get("Running", 0)
            state = "Running" if running == every else "Alert"
            said = _("%(running)s of %(all)s Running") % {"running": looks.number(running), "all": looks.number(every)}
            found.append((kind.many, kind.url(), state if every else "Allocated", said))
        return found


def short(name: str) -> str:
    """What tells hosts apart stands at the end of their names."""
    return name if len(name) <= 10 else f"…{name[-8:]}"


def job_line(row: Row) -> dict[str, Any]:
    begun = looks.when(row["created"])
    return {
        "url": f"/jobs/{row['jobid']}",
        "command": str(row.get("cmd", "")).rpartition(".")[2].removesuffix("Cmd"),
        "account": row.get("account", ""),
        "percent": int(row.get("jobprocstatus") or 0),
        "text": row.get("jobprogresstext", ""),
        "since": looks.duration((timezone.now() - begun).total_seconds()) if begun else "",
    }


def failed_line(job: Other) -> dict[str, Any]:
    return {
        "url": job.url,
        "command": job.told["command"],
        "account": job.told["account"],
        "failed": job.state_said,
        "text": job.told["text"],
        "since": looks.duration((timezone.now() - job.told["completed"]).total_seconds()),
    }
