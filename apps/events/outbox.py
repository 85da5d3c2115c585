"""Answers ``core.events``: what happened, to whom, by whom. Callers are in a transaction already."""

from typing import Any

from apps.events.models import Event


class Outbox:
    def action(self, spec: Any, phase: str, caller: Any, subject: Any, text: str, job: int | None = None) -> None:
        if not spec.event:
            return
        Event.objects.create(
            family=Event.Family.ACTION,
            kind=spec.event,
            phase=phase,
            account_id=caller.account.pk,
            user_id=caller.user and caller.user.pk,
            subject=subject.lock_key if subject else "",
            text=text,
        )

    def state(self, row: Any, event: str, source: str, target: str, usage: str | None) -> None:
        who = {"account_id": getattr(row, "owner_id", None), "subject": row.lock_key}
        text = f"{source} -> {target}"
        Event.objects.create(family=Event.Family.STATE, kind=event, text=text, **who)
        if usage:
            Event.objects.create(family=Event.Family.USAGE, kind=usage, text=text, **who)

    def alert(self, subject: str, text: str) -> None:
        Event.objects.create(family=Event.Family.ALERT, kind="ALERT", subject=subject[:96], text=text)
