"""Commands that the protocol makes jobs, and that have nothing to do outside the database."""

import pytest

from apps.core import dispatch
from apps.events.models import Event
from apps.jobs import wake
from apps.jobs.models import Claim, Job, Lock
from apps.storage.commands.volumes import CreateVolume, VolumeResponse
from apps.storage.models import Volume


@pytest.fixture
def alice(db, make):
    return make.caller()


@pytest.fixture
def sent(monkeypatch):
    found = []
    monkeypatch.setattr(wake, "publish", lambda *args: found.append(args))
    return found


def order(alice, make):
    return dispatch.call(alice, "createVolume", name="data", size=2, zoneid=make.zone())


def test_the_job_is_done_when_it_is_told_of(alice, make, sent, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        begun = order(alice, make)

    asked = dispatch.call(alice, "queryAsyncJobResult", jobid=begun["jobid"])
    assert (asked["jobstatus"], asked["jobresultcode"], asked["completed"] is not None) == (1, 0, True)
    whole = VolumeResponse.of(alice, [Volume.all_tenants.get(uuid=begun["id"]).pk])[0]
    assert asked["jobresult"] == {"volume": whole | {"jobid": begun["jobid"], "jobstatus": 0}}
    assert (sent, Claim.objects.count(), Lock.objects.count()) == ([], 0, 0)
    assert "jobid" not in whole


def test_its_chain_of_events_is_that_of_every_job(alice, make):
    begun = order(alice, make)

    told = list(Event.all_tenants.filter(kind="VOLUME.CREATE").order_by("pk"))
    assert [event.state for event in told] == ["Created", "Scheduled", "Started", "Completed"]
    assert {event.first for event in told[1:]} == {told[0].uuid} == {Job.objects.get(uuid=begun["jobid"]).event}
    assert {str(event.resource_uuid) for event in told} == {begun["id"]}


def test_what_it_refuses_is_refused_to_the_caller_and_leaves_nothing(alice, make, monkeypatch):
    from apps.core.errors import InvalidParameter

    def run(self, row, **values):
        raise InvalidParameter("size: not today")

    monkeypatch.setattr(CreateVolume, "run", run)

    with pytest.raises(InvalidParameter, match="^size: not today$"):
        order(alice, make)

    assert (Volume.including_removed.count(), Job.objects.count(), Event.all_tenants.count()) == (0, 0, 0)


def test_what_has_to_wait_for_others_cannot_be_done_at_once(alice, make, monkeypatch):
    from apps.storage.commands.volumes import DestroyVolume

    monkeypatch.setattr(DestroyVolume, "is_at_once", lambda values: True)
    volume = make.volume(alice.account)

    with pytest.raises(TypeError, match="^destroyVolume locks rows that it does not make"):
        dispatch.call(alice, "destroyVolume", id=volume.uuid)

    assert (Job.objects.count(), Volume.all_tenants.get().state) == (0, "Allocated")
