"""Every write of the portal's own rows. What belongs to the cloud is written by commands."""

import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.core import signing
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.core.errors import CloudError, text_for
from apps.core.retry import atomically
from apps.portal.models import Begun, Draft, Preference, SentForm
from apps.portal.visits import Visit

FORM_LIVES = timedelta(days=1)
DRAFT_LIVES = timedelta(days=30)
BEGUN_LIVES = timedelta(days=7)
PAUSE = 0.1  # seconds
RESULT = {0: Begun.State.PENDING, 1: Begun.State.DONE, 2: Begun.State.FAILED}


class SentBefore(Exception):
    """The same form again: ``went_to`` is where its first sending led, "" while that is under way."""

    def __init__(self, went_to: str):
        super().__init__(went_to)
        self.went_to = went_to


@atomically
def prefer(user: Any, **values: Any) -> None:
    row, _ = Preference.objects.get_or_create(user=user)
    row.values |= values
    row.save(update_fields=["values"])


def draft_of(user: Any, kind: str) -> Draft | None:
    return Draft.objects.filter(user=user, kind=kind, updated__gte=timezone.now() - DRAFT_LIVES).first()


@atomically
def keep_draft(user: Any, kind: str, values: Mapping[str, Any]) -> Draft:
    row, _ = Draft.objects.update_or_create(user=user, kind=kind, defaults={"values": dict(values)})
    return row


def discard_draft(user: Any, kind: str) -> None:
    Draft.objects.filter(user=user, kind=kind).delete()


def new_token(user: Any) -> str:
    """For one sending of one form of this user. Kept only when it is sent."""
    return signing.dumps([user.pk, uuid.uuid4().hex], salt="form")


def claim(user: Any, token: str) -> SentForm:
    """The right to carry the form out, once: raises SentBefore, or BadSignature for a token that is none."""
    owner, word = signing.loads(token, salt="form", max_age=FORM_LIVES)
    if owner != user.pk:
        raise signing.BadSignature("the form of somebody else")
    return claim_once(user, word)


def claim_once(user: Any, word: str) -> SentForm:
    """The same for what is done once whoever does it; ``word`` calls it."""
    try:
        with transaction.atomic():
            return SentForm.objects.create(token=word, user=user)
    except IntegrityError:
        raise SentBefore(SentForm.objects.filter(token=word).values_list("went_to", flat=True).first() or "") from None


def led_to(form: SentForm, address: str) -> None:
    SentForm.objects.filter(pk=form.pk).update(went_to=address[:255])


def take_back(form: SentForm) -> None:
    """Nothing was done: it may be sent again."""
    SentForm.objects.filter(pk=form.pk).delete()


def carry_out(
    visit: Visit,
    command: str,
    params: Mapping[str, Any],
    *,
    about: tuple[str, str, str] = ("", "", ""),
    group: Any = None,
) -> Begun:
    """Call a command and keep what came of it; a refusal is kept too, not raised. ``about``: kind, id and name."""
    kind, row, name = about
    begun = Begun(user=visit.user, command=command, kind=kind, row=row, name=name[:255], group=group or uuid.uuid4())
    try:
        answer = visit.call(command, **params)
    except CloudError as error:
        begun.state, begun.code = Begun.State.REFUSED, error.code
        begun.text, begun.ended = text_for(error, visit.who.is_root), timezone.now()
    else:
        begun.job = str(answer.get("jobid", ""))
        begun.row = begun.row or str(answer.get("id", ""))
        if not is_job(answer):
            begun.state, begun.ended = Begun.State.DONE, timezone.now()
        begun.answer = answer  # type: ignore[attr-defined]  # not kept: it may tell secrets
    begun.save()
    return begun


def refuse(visit: Visit, command: str, why: str, *, about: tuple[str, str, str], group: Any) -> Begun:
    """Kept among the others of its group; nothing is called."""
    kind, row, name = about
    begun = Begun(user=visit.user, command=command, kind=kind, row=row, name=name[:255], group=group)
    begun.state, begun.text, begun.ended = Begun.State.REFUSED, why[:1].upper() + why[1:], timezone.now()
    begun.save()
    return begun


def is_job(answer: Mapping[str, Any]) -> bool:
    return "jobid" in answer and answer.keys() <= {"id", "jobid"}


def look_after(visit: Visit, rows: Iterable[Begun]) -> list[Begun]:
    """The same rows, those that were pending with what is true of their job now."""
    found = list(rows)
    for row in found:
        if row.state == Begun.State.PENDING and row.job:
            _look(visit, row)
    return found


def wait_for(visit: Visit, begun: Begun, seconds: float) -> Begun:
    """For what is done in a moment: its page shall show it already."""
    end = time.monotonic() + seconds
    while begun.state == Begun.State.PENDING and time.monotonic() < end:
        time.sleep(PAUSE)
        look_after(visit, [begun])
    return begun


def _look(visit: Visit, row: Begun) -> None:
    try:
        job = visit.call("queryAsyncJobResult", jobid=row.job)
    except CloudError as error:  # it is told of for a while only
        job = {"jobstatus": 2, "jobresultcode": error.code, "jobresult": {"errortext": text_for(error, False)}}
    row.progress = job.get("jobprocstatus", 0)  # type: ignore[attr-defined]
    row.progress_text = job.get("jobprogresstext", "")  # type: ignore[attr-defined]
    state = RESULT[job["jobstatus"]]
    if state == Begun.State.PENDING:
        return
    row.state, row.ended = state, timezone.now()
    if state == Begun.State.FAILED:
        row.code, row.text = job.get("jobresultcode", 0), str(job.get("jobresult", {}).get("errortext", ""))
    row.save(update_fields=["state", "ended", "code", "text"])


def forget() -> None:
    """What is older than anybody asks for."""
    now = timezone.now()
    SentForm.objects.filter(created__lt=now - 2 * FORM_LIVES).delete()
    Draft.objects.filter(updated__lt=now - DRAFT_LIVES).delete()
    Begun.objects.filter(created__lt=now - BEGUN_LIVES).delete()
