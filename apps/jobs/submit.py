"""Answers ``core.jobs``: the row of an async-create, the job, its claims and its event, in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.core import ports, secret
from apps.core.callers import Caller
from apps.core.commands import Command, CreateCommand, Spec
from apps.core.dispatch import answer_of, described, subject
from apps.core.errors import InvalidParameter
from apps.core.logs import request_id
from apps.core.prepared import KeysSlot, Prepared, Slot
from apps.core.retry import atomically
from apps.jobs import finish, locks, wake
from apps.jobs.current import current, own, renew
from apps.jobs.models import Job

PENDING = Prepared(lambda: _live().order_by("-pk").values_list("row_id", "uuid"))


def _live() -> Any:
    return Job.objects.filter(row_kind=Slot("kind"), row_id__among=KeysSlot("keys"), status__in=Job.LIVE)


class Submitter:
    def renew(self) -> None:
        renew()

    def pending(self, kind: str, keys: Sequence[int]) -> Mapping[int, str]:
        """The answer of a job about one row names that job itself."""
        job = own()
        if job and [(job.row_kind, job.row_id)] == [(kind, key) for key in keys]:
            return {keys[0]: str(job.uuid)}
        return {key: str(uuid) for key, uuid in PENDING(kind=kind, keys=keys)}

    @atomically
    def submit(self, caller: Caller, spec: Spec, given: dict[str, str]) -> dict[str, Any]:
        job = Job(account=caller.account, user=caller.user, command=spec.name, params=seal(spec, given))
        job.queue = spec.cls.queue  # type: ignore[attr-defined]
        values = spec.parse(caller, given)
        chosen = values.pop("customjobid", None)
        command, answer, is_rehearsal = spec.cls(caller), {}, False
        if isinstance(command, CreateCommand):
            row = command.create(**values)
            is_rehearsal = row is None  # it was asked what would happen: nothing does, and no event tells of it
            if row is not None:
                values["row"], job.creates = row, True
                answer["id"] = str(row.uuid)
        if about := None if is_rehearsal else subject(values):
            job.row_kind, job.row_id = about._meta.label_lower, about.pk
        if chosen:
            job.uuid = chosen
        job.request_id = request_id.get()
        keys = set(spec.cls.lock_keys(values))  # type: ignore[attr-defined]
        if is_at_once := spec.cls.is_at_once(values):  # type: ignore[attr-defined]
            if keys - {values["row"].lock_key if job.creates else ""}:
                raise TypeError(f"{spec.name} locks rows that it does not make: it has to wait for them")
            self._carry_out(job, command, values)
        if spec.event and not is_rehearsal:
            what = described(spec, about, spec.cls.event_text(values))
            told = {"created": job.creates, "ended": is_at_once}
            job.event = ports.events.one().begun(spec.event, caller, about, what, **told)
        self._save(job, chosen)
        if not is_at_once:
            locks.claim(job, keys)
            wake.job(job.pk, job.queue)
        return answer | {"jobid": str(job.uuid)}

    def _carry_out(self, job: Job, command: Command, values: dict[str, Any]) -> None:
        """What it raises refuses the call, as what ``create`` raises does: nothing was made, not even a job."""
        token = current.set(job)
        try:
            answer = answer_of(command.spec, command.caller, command.run(**values), command)
        finally:
            current.reset(token)
        job.status, job.completed = Job.Status.SUCCEEDED, timezone.now()
        job.result = finish.stored(command.spec, answer)

    @atomically
    def finished(self, caller: Caller, spec: Spec, row: Any, answer: dict[str, Any]) -> str:
        """Sealed, whatever it says: commands that need this tell secrets."""
        now = timezone.now()
        job = Job.objects.create(
            account=caller.account,
            user=caller.user,
            command=spec.name,
            params={},
            status=Job.Status.SUCCEEDED,
            result=Job.SEALED + secret.seal(orjson.dumps(answer).decode()),
            row_kind=row._meta.label_lower,
            row_id=row.pk,
            completed=now,
        )
        return str(job.uuid)

    def _save(self, job: Job, chosen: str | None) -> None:
        """The database says whether a chosen id is free; ids of our own always are."""
        if not chosen:
            return job.save()
        try:
            with transaction.atomic():
                return job.save()
        except IntegrityError:
            raise InvalidParameter(f"customjobid: there is a job {chosen} already") from None


def seal(spec: Spec, given: dict[str, str]) -> dict[str, str]:
    return {n: secret.seal(v) if is_secret(spec, n) else v for n, v in given.items()}


def unseal(spec: Spec, stored: dict[str, str]) -> dict[str, str]:
    return {n: secret.unseal(v) if is_secret(spec, n) else v for n, v in stored.items()}


def is_secret(spec: Spec, name: str) -> bool:
    field = spec.fields.get(name.partition("[")[0])
    return bool(field and field.secret)
