from typing import Any

from django.db.models import QuerySet

from apps.core.callers import ROOT, Access
from apps.core.commands import NO_EVENT, AsyncCommand, Command, command
from apps.core.lists import ListCommand, MemoryListCommand
from apps.core.refs import Ref, Refs
from apps.core.responses import Field, Plain, Response
from apps.core.wire import Date, Short, Str
from apps.events import services
from apps.events.kinds import ALERTS
from apps.events.models import Alert


class AlertResponse(Response):
    wire_name, model = "alert", "events.Alert"

    id = Field("uuid", help_text="id of the alert")
    type = Field("number", type="short", help_text="number of its type")
    name = Field("kind", help_text="name of its type")
    description = Field("text", help_text="what happened")
    sent = Field(help_text="when it came last")


def _number(text: str) -> int:
    return int(text) if text.lstrip("+-").isdecimal() and len(text) < 6 else -1


@command("listAlerts", roles=ROOT, response=AlertResponse)
class ListAlerts(ListCommand):
    """Lists alerts that are open, the newest first."""

    model = "events.Alert"
    keyword_in = ("text",)
    ordering = ("-sent", "-pk")
    filters = {"name": "kind", "type": Str(help_text="list those with this number of a type")}

    def narrow(self, rows: QuerySet, given: dict[str, Any]) -> QuerySet:
        rows = rows.filter(archived=False)
        return rows.filter(number=_number(given["type"])) if "type" in given else rows


class AlertTypeResponse(Plain):
    wire_name = "alerttype"
    fields = {"alerttypeid": "short", "name": "string", "repetitionallowed": "boolean"}


@command("listAlertTypes", roles=ROOT, response=AlertTypeResponse)
class ListAlertTypes(MemoryListCommand):
    """Lists the types that alerts can have."""

    keyword = page = pagesize = None  # type: ignore[assignment]

    def entries(self, **given: Any) -> list[dict[str, Any]]:
        return [
            {"alerttypeid": each.number, "name": each.name, "repetitionallowed": each.repeats}
            for each in ALERTS.values()
        ]


class PutAway(Command):
    """Which alerts: by id, by type, by time."""

    in_batches = True

    ids = Refs("events.Alert", Access.OPERATE, source="named", help_text="ids of the alerts")
    type = Str(source="kind", help_text="all with this number of a type")
    startdate = Date(source="start", help_text="all from this moment on; with enddate")
    enddate = Date(end=True, source="end", help_text="all up to this moment")

    def rows(self, kind: str | None = None, **given: Any) -> QuerySet:
        return services.chosen(Alert.all_tenants.all(), kind={"number": _number(kind)} if kind else None, **given)


@command("archiveAlerts", roles=ROOT, event=NO_EVENT, response=None)
class ArchiveAlerts(PutAway):
    """Puts alerts away: they are listed no more."""

    def run(self, **given: Any) -> None:
        services.archive(self.rows(**given))


@command("deleteAlerts", roles=ROOT, event=NO_EVENT, response=None)
class DeleteAlerts(PutAway):
    """Deletes alerts for good."""

    def run(self, **given: Any) -> None:
        services.delete(self.rows(**given))


@command("generateAlert", roles=ROOT, event="ALERT.GENERATE", response=None, locks=())
class GenerateAlert(AsyncCommand):
    """Raises an alert by hand: for scripts that watch what we do not."""

    name = Str(required=True, length=64, help_text="name of its type, a known one or an own one")
    type = Short(required=True, source="number", min_value=0, help_text="number of its type")
    description = Str(required=True, length=999, source="text", help_text="what happened")
    zoneid = Ref("infrastructure.Zone", Access.OPERATE, source="zone", help_text="where")
    podid = Ref("infrastructure.Pod", Access.OPERATE, source="pod", help_text="where")

    def run(self, name: str, number: int, text: str, zone: Any = None, pod: Any = None) -> None:
        place = {"zone": zone and zone.pk, "pod": pod and pod.pk}
        services.raise_alert(name=name, number=number, subject=text, text=text, repeats=True, place=place)
