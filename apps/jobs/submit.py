"""Answers ``core.jobs``: the row of an async-create, the job, its claims and its event, in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.core import ports, secret
from apps.core.callers import Caller
from apps.core.commands import CreateCommand, Spec
from apps.core.dispatch import described, subject
from apps.core.errors import InvalidParameter
from apps.core.logs import request_id
from apps.core.prepared import KeysSlot, Prepared, Slot
from apps.core.retry import atomically
from apps.jobs import locks, wake
from apps.jobs.current import renew
from apps.jobs.models import Job

PENDING = Prepared(lambda: _live().order_by("-pk").values_list("row_id", "uuid"))


def _live() -> Any:
    return Job.objects.filter(row_kind=Slot("kind"), row_id__among=KeysSlot("keys"), status__in=Job.LIVE)


class Submitter:
    def renew(self) -> None:
        renew()

    def pending(self, kind: str, keys: Sequence[int]) -> Mapping[int, str]:
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
        if spec.event and not is_rehearsal:
            what = described(spec, about, spec.cls.event_text(values))
            job.event = ports.events.one().begun(spec.event, caller, about, what, created=job.creates)
        self._save(job, chosen)
        locks.claim(job, spec.cls.lock_keys(values))  # type: ignore[attr-defined]
        wake.job(job.pk, job.queue)
        return answer | {"jobid": str(job.uuid)}

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
