"""Who asks what would happen makes nothing happen, and no event tells of it."""

from apps.core import dispatch
from apps.events.models import Event
from apps.jobs import runner
from apps.jobs.models import Job
from tests.conftest import answer


def test_a_rehearsal_is_told_by_no_event_and_is_about_no_row(make, db):
    alice = make.caller()
    make.host()
    order = make.order(alice.account)
    before = Event.all_tenants.count()

    jobid = dispatch.call(alice, "deployVirtualMachine", dryrun="true", **order)["jobid"]
    runner.drain()

    assert answer(jobid)["virtualmachine"]["dryrun"] is True
    assert Event.all_tenants.count() == before
    assert Job.objects.values_list("row_kind", "row_id", "event").get() == ("", None, None)
