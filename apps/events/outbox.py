"""Answers ``core.events``: what happened, to whom, by whom. Callers are in a transaction already.

On the hot path of every job: a chain costs one insert when the job is accepted, and one read and one insert for each
further step. What the later steps say of owner, user and row is copied from the first, and nothing is joined.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from apps.core.kinds import resource_type
from apps.core.prepared import Prepared, Slot
from apps.events import services
from apps.events.kinds import ALERTS
from apps.events.models import Event, UsageEvent, cut, uuid7

State, Level = Event.State, Event.Level
SAYING = {
    State.CREATED: "Successfully created entity for ",
    State.SCHEDULED: "Scheduled async job for ",
    State.STARTED: "Starting job for ",
    State.COMPLETED: "Successfully completed ",
}
FAILED = "Error while "
FIRST = Prepared(lambda: Event.all_tenants.filter(uuid=Slot("uuid")))
NOWHERE: Mapping[str, Any] = {}


class Outbox:
    def done(self, kind: str, caller: Any, subject: Any, text: str, level: str = Level.INFO) -> None:
        _event(kind, caller, subject, State.COMPLETED, text, level=level).save(force_insert=True)

    def begun(self, kind: str, caller: Any, subject: Any, what: str, *, created: bool, ended: bool = False) -> UUID:
        begins = (State.CREATED, State.SCHEDULED) if created else (State.SCHEDULED,)
        states = (*begins, State.STARTED, State.COMPLETED) if ended else begins
        chain = [_event(kind, caller, subject, state, SAYING[state] + what) for state in states]
        for later in chain[1:]:
            later.first = chain[0].uuid
        Event.all_tenants.bulk_create(chain)
        return chain[0].uuid

    def went_on(self, first: UUID, state: str, *, error: str = "") -> bool:
        event = FIRST.first(uuid=first)
        if event is None:
            return False
        what = event.text.removeprefix(SAYING[State(event.state)])
        text = f"{FAILED}{what}: {error}" if error else SAYING[State(state)] + what
        event.pk, event.uuid, event.first, event.archived = None, uuid7(), first, False
        event.state, event.text, event.level = state, cut(text), Level.ERROR if error else Level.INFO
        event._state.adding = True
        event.save(force_insert=True)
        return True

    def state(self, row: Any, event: str, source: str, target: str, usage: str | None) -> None:
        """A change of state is kept where it counts: in the row. What it costs is told to the usage server."""
        if usage:
            owner = getattr(row, "owner_id", None)
            UsageEvent.objects.create(kind=usage, owner_id=owner, row_kind=row._meta.label_lower, row_id=row.pk)

    def alert(
        self, subject: str, text: str, kind: str = "ALERT.MANAGEMENT", place: Mapping[str, Any] = NOWHERE
    ) -> None:
        known = ALERTS[kind]
        keys = {name: place.get(name) for name in ("zone", "pod", "cluster")}
        services.raise_alert(
            name=kind, number=known.number, subject=subject, text=text, repeats=known.repeats, place=keys
        )


def _event(kind: str, caller: Any, subject: Any, state: str, text: str, **more: Any) -> Event:
    owned = subject is not None and hasattr(subject, "domain_path")
    about = {}
    if subject is not None:
        name = str(getattr(subject, "name", ""))[:255]
        about = {"resource_kind": resource_type(subject), "resource_uuid": subject.uuid, "resource_name": name}
    return Event(
        kind=kind,
        state=state,
        owner_id=subject.owner_id if owned else caller.account.pk,
        domain_path=subject.domain_path if owned else caller.path,
        in_project=subject.in_project if owned else False,
        user_id=caller.user and caller.user.pk,
        text=cut(text),
        **about,
        **more,
    )
