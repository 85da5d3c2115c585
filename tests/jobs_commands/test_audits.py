"""Each check of jobs finds what it is for, and nothing in work that is under way."""

import pytest

from apps.core.audit import CHECKS
from apps.core.models import Question
from apps.jobs import worker
from apps.jobs.models import Claim, FlowRun, Job, Lock

LOCKS = "locks: who holds one or waits for one is at work"
JOBS = "jobs: none has ended before its flow, and each that has ended says how"
QUESTIONS = "questions: each is of a kind that is known, about a row that is there"
KEY = "storage.volume:7"


@pytest.fixture
def job(make, db):
    """One that runs and holds a lock, and one that waits for it."""
    owner = make.account()
    row, later = (Job.objects.create(account=owner, command="createVolume", params={}) for _ in range(2))
    for each in (row, later):
        Claim.objects.create(holder=f"job:{each.pk}", key=KEY, ticket=each.pk)
    worker.claim(row.pk)
    volume = make.volume(owner)
    Question.objects.create(kind="storage.resize", row_id=volume.pk, due_at="2026-01-01T00:00Z")
    FlowRun.objects.create(flow="storage.delete", version=1, step="x", context={}, job=row)
    assert findings() == {}
    return Job.objects.get(pk=row.pk)


def findings():
    return {subject: found for subject in (LOCKS, JOBS, QUESTIONS) if (found := list(CHECKS[subject]()))}


def end(job, **values):
    FlowRun.objects.all().delete()
    Job.objects.filter(pk=job.pk).update(status="succeeded", **values)


def test_a_lock_and_a_claim_that_were_left(job):
    end(job, completed="2026-01-01T00:00Z")

    assert findings() == {
        LOCKS: [
            f"lock {KEY} is left to job:{job.pk}, which is not at work",
            f"job:{job.pk} waits for lock {KEY} and is not at work",
        ]
    }


def test_a_lock_of_a_flow_that_never_was(job):
    Lock.objects.create(key="x:1", holder="run:99")

    assert findings() == {LOCKS: ["lock x:1 is left to run:99, which is not at work"]}


def test_a_lock_without_a_claim(job):
    Claim.objects.filter(holder=f"job:{job.pk}").delete()

    assert findings() == {LOCKS: [f"lock {KEY} is held by job:{job.pk}, which has no claim on it"]}


def test_a_flow_whose_job_has_ended(job):
    Claim.objects.filter(holder=f"job:{job.pk}").delete()
    Lock.objects.update(holder="")
    Job.objects.filter(pk=job.pk).update(status="failed", completed="2026-01-01T00:00Z")

    assert findings() == {JOBS: [f"flow {FlowRun.objects.get().pk} is at work for job {job.uuid}, which has ended"]}


def test_a_job_that_does_not_say_when_it_ended(job):
    end(job)

    assert findings()[JOBS] == [f"job {job.uuid} has ended and says not when"]


@pytest.mark.parametrize("values", [{"row_id": 99}, {"kind": "storage.nonsense"}])
def test_a_question_that_nobody_can_answer(job, values):
    Question.objects.update(**values)

    row = Question.objects.get()
    assert findings() == {QUESTIONS: [f"question {row.kind} is about {row.row_id}, which nobody knows"]}
