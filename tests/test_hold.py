"""Synchronous changes and jobs about the same row."""

import time

import pytest

from apps.core.errors import ResourceInUse
from apps.core.retry import atomically
from apps.jobs import locks, worker
from apps.jobs.models import Job, Lock
from tests.test_concurrency import in_threads

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(make):
    volume = make.volume(make.account())
    job = Job.objects.create(account=volume.owner, command="x", params={})
    locks.claim(job, [volume.lock_key])
    return volume, job


def test_what_a_job_works_on_is_not_held(job):
    volume, queued = job
    assert worker.claim(queued.pk)

    with pytest.raises(ResourceInUse, match="is being worked on by a job"):
        locks.hold(volume)

    assert Lock.objects.get().holder == f"job:{queued.pk}"


def test_a_job_that_still_waits_keeps_nobody(job):
    volume, queued = job

    locks.hold(volume)

    assert worker.claim(queued.pk)


@pytest.mark.django_db(transaction=True)
def test_of_a_job_and_a_change_at_the_same_moment_one_waits_for_the_other(job):
    volume, queued = job
    inside, seen = [], []

    @atomically
    def change():
        locks.hold(volume)
        inside.append(1)
        time.sleep(0.005)
        seen.append(len(inside))
        inside.pop()

    def work(number):
        if number == 7:
            worker.claim(queued.pk)
        try:
            change()
        except ResourceInUse:
            assert Lock.objects.get().holder

    in_threads(work)

    assert set(seen) <= {1}
    assert Lock.objects.get().holder == f"job:{queued.pk}"
