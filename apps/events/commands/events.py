"""Events of tenants. What is archived or deleted here is in no transaction of the command: see services."""

from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from apps.core.answers import OwnedResponse
from apps.core.callers import USER, Access
from apps.core.commands import NO_EVENT, Command, command
from apps.core.errors import InvalidParameter
from apps.core.lists import MemoryListCommand, OwnedListCommand
from apps.core.refs import RefFilter, Refs
from apps.core.responses import Computed, Field, Plain
from apps.core.wire import Bool, Date, Int, Str, Uuid
from apps.events import services
from apps.events.kinds import event_types
from apps.events.models import Event
from apps.events.selectors import in_time

EXACT_TO = 1_000_000  # events are counted one by one up to here
COUNT, COUNT_KEPT_FOR = "events:all", 30  # what is told of more, and for how many seconds


def _said(text: str) -> str | None:
    return text or None


class EventResponse(OwnedResponse):
    wire_name, model = "event", "events.Event"

    id = Field("uuid", help_text="id of the event")
    parentid = Field("first", help_text="the first event of the chain")
    type = Field("kind", help_text="type of the event")
    level = Field(help_text="INFO, WARN or ERROR")
    state = Field(help_text="Created, Scheduled, Started or Completed")
    description = Field("text", help_text="what happened")
    username = Field("user__username", help_text="who did it")
    created = Field(help_text="when")
    archived = Field(help_text="whether it was put away")
    resourceid = Field("resource_uuid", help_text="id of the row it is about")
    resourcetype = Computed(("resource_kind",), _said, help_text="kind of the row it is about")
    resourcename = Computed(("resource_name",), _said, help_text="name of the row it is about, of then")


@command("listEvents", roles=USER, response=EventResponse)
class ListEvents(OwnedListCommand):
    """Lists events, the newest first."""

    model = "events.Event"
    keyword_in = ("kind", "text", "level")
    ordering = ("-pk",)
    taggable = False
    filters = {
        "type": Str(help_text="list those of this type"),
        "level": Str(help_text="list those of this level: INFO, WARN or ERROR"),
        "state": "state",
        "startdate": Date(help_text="list those from this moment on"),
        "enddate": Date(end=True, help_text="list those up to this moment"),
        "startid": RefFilter("events.Event", "", help_text="list the chain that began with this event"),
        "resourceid": Uuid(help_text="list those about this row; with resourcetype"),
        "resourcetype": Str(help_text="list those about rows of this kind"),
        "archived": Bool(help_text="list those that were put away, not the others"),
        "duration": Int(min_value=0, help_text="with entrytime: list what was not completed within so many seconds"),
        "entrytime": Int(min_value=0, help_text="with duration: list what began in the last so many seconds"),
    }

    def rows(self, keyword: str, given: dict[str, Any]) -> QuerySet:
        self.everything = self.caller.is_root and not keyword and given == {"listall": True}
        return super().rows(keyword, given)

    def narrow(self, rows: QuerySet, given: dict[str, Any]) -> QuerySet:
        rows = rows.filter(archived=given.get("archived", False))
        if "type" in given:
            rows = rows.filter(kind=given["type"].upper())
        if "level" in given:
            rows = rows.filter(level=given["level"].upper())
        rows = self._about(rows, given.get("resourceid"), given.get("resourcetype"))
        if "startid" in given:
            first = Event.all_tenants.filter(pk=given["startid"]).values("uuid")
            rows = rows.filter(Q(pk=given["startid"]) | Q(first__in=first))
        rows = in_time(rows, given.get("startdate"), given.get("enddate"))
        return self._unfinished(rows, given.get("entrytime"), given.get("duration"))

    def _about(self, rows: QuerySet, resource: str | None, kind: str | None) -> QuerySet:
        if resource and not kind:
            raise InvalidParameter("resourceid parameter must be used with resourcetype parameter")
        if kind:
            rows = rows.filter(resource_kind__iexact=kind)
        return rows.filter(resource_uuid=resource) if resource else rows

    def _unfinished(self, rows: QuerySet, entry: int | None, duration: int | None) -> QuerySet:
        """Chains that began between ``entry`` and ``duration`` seconds ago and have no end yet."""
        if entry is None or duration is None:
            return rows
        if entry <= duration:
            raise InvalidParameter("Entry time must be greater than duration")
        now = timezone.now()
        ended = Event.all_tenants.filter(first=OuterRef("uuid"), state=Event.State.COMPLETED)
        begun = rows.filter(first=None).exclude(state=Event.State.COMPLETED).filter(~Exists(ended))
        return in_time(begun, now - timedelta(seconds=entry), now - timedelta(seconds=duration))

    def total(self, rows: QuerySet) -> int:
        """Of all there are, more than a million are told by their keys: some too many, where some were deleted.
        Counting a hundred million would take half a minute.
        """
        if not self.everything:
            return super().total(rows)
        if (kept := cache.get(COUNT)) is not None:
            return int(kept)
        count = rows.order_by().values("pk")[: EXACT_TO + 1].count()
        if count > EXACT_TO:
            ends = [rows.order_by(order).values_list("pk", flat=True)[0] for order in ("pk", "-pk")]
            count = ends[1] - ends[0] + 1
            cache.set(COUNT, count, COUNT_KEPT_FOR)
        return count


class EventTypeResponse(Plain):
    wire_name = "eventtype"
    fields = {"name": "string"}


@command("listEventTypes", roles=USER, response=EventTypeResponse)
class ListEventTypes(MemoryListCommand):
    """Lists the types that events can have."""

    keyword = page = pagesize = None  # type: ignore[assignment]

    def entries(self, **given: Any) -> list[dict[str, Any]]:
        return [{"name": name} for name in event_types()]


class PutAway(Command):
    """Which events: by id, by type, by time; of those that the caller may change."""

    in_batches = True

    ids = Refs("events.Event", Access.OPERATE, source="named", help_text="ids of the events")
    type = Str(source="kind", help_text="all of this type")
    startdate = Date(source="start", help_text="all from this moment on; with enddate")
    enddate = Date(end=True, source="end", help_text="all up to this moment")

    def rows(self, kind: str | None = None, **given: Any) -> QuerySet:
        mine = Event.all_tenants.filter(Event.reach.q(self.caller, Access.OPERATE))
        return services.chosen(mine, kind={"kind": kind.upper()} if kind else None, **given)


@command("archiveEvents", roles=USER, event=NO_EVENT, response=None)
class ArchiveEvents(PutAway):
    """Puts events away: they are listed no more unless one asks for them."""

    def run(self, **given: Any) -> None:
        services.archive(self.rows(**given))


@command("deleteEvents", roles=USER, event=NO_EVENT, response=None)
class DeleteEvents(PutAway):
    """Deletes events for good."""

    def run(self, **given: Any) -> None:
        services.delete(self.rows(**given))
