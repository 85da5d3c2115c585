from datetime import timedelta

import pytest
from django.utils import timezone

from apps.core import schedules
from apps.events.models import Alert
from apps.jobs import schedule
from apps.jobs.models import Schedule

pytestmark = pytest.mark.django_db


@pytest.fixture
def done(monkeypatch):
    monkeypatch.setattr(schedules, "SCHEDULES", {})
    runs: list[str] = []
    schedule.scheduled("probe", every=60)(lambda: runs.append("probe"))
    return runs


def test_what_is_due_is_done_once_and_again_after_its_interval(done):
    assert (schedule.run_due(), schedule.run_due()) == (1, 0)
    Schedule.objects.update(next_at=timezone.now() - timedelta(seconds=1))
    assert schedule.run_due() == 1
    assert done == ["probe", "probe"]


def test_an_interval_that_was_shortened_holds_at_once(done):
    schedule.run_due()
    Schedule.objects.update(next_at=timezone.now() + timedelta(days=1))

    schedule.run_due()

    assert Schedule.objects.get().next_at <= timezone.now() + timedelta(seconds=60)


def test_one_that_fails_raises_an_alert_and_does_not_stop_the_others(done):
    schedule.scheduled("broken", every=60)(lambda: 1 / 0)

    assert schedule.run_due() == 2

    assert done == ["probe"]
    assert Alert.all_tenants.count() == 1
