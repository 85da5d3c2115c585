import time
from dataclasses import dataclass

import pytest
from django.db import OperationalError, connection, transaction

from apps.core import dispatch, secret
from apps.core.callers import USER, Access, Kind
from apps.core.commands import REGISTRY, AsyncCommand, command
from apps.core.errors import CloudError, InsufficientCapacity
from apps.core.refs import Ref
from apps.core.wire import Map, Str
from apps.events.models import Alert, Event
from apps.jobs import locks, runner, wake, worker
from apps.jobs.flows import Flow, Step, begin
from apps.jobs.models import Claim, Job, Lock
from apps.storage.models import Volume
from apps.storage.states import VOLUME
from tests.conftest import answer
from tests.crash import let_time_pass, matrix

ORDER: list[str] = []


@dataclass
class Nothing:
    pass


def first(ctx):
    ORDER.append("first")


def second(ctx):
    ORDER.append("second")


FLOW = Flow("test.jobs", Nothing, (Step(first), Step(second, queue="storage")), lambda ctx: None, lambda ctx: None)


@pytest.fixture(autouse=True)
def probe():
    """A command of the tests' own: does what its ``mood`` says to a volume."""

    @command("probeVolume", roles=USER, event="PROBE", response=None, locks=("volume",))
    class Probe(AsyncCommand):
        """Probes a volume."""

        id = Ref("storage.Volume", Access.OPERATE, source="volume", required=True)
        mood = Str(required=True)
        password = Str(secret=True)
        logins = Map(secret=True)

        def run(self, volume, mood, password="", logins=()):
            ORDER.append(mood)
            if mood == "fails":
                raise ZeroDivisionError("secret path /etc")
            if mood == "flows":
                return begin(FLOW, Nothing())
            if mood == "is refused":
                return begin(REFUSED, Nothing())
            if mood == "is asked":
                assert (password, logins) == ("canary", [{"Key": "canary"}])
            return {"success": True}

    ORDER.clear()
    yield
    del REGISTRY["probeVolume"]


@pytest.fixture
def alice(make, db):
    return make.caller()


@pytest.fixture
def volume(make, alice):
    return make.volume(alice.account)


def submit(alice, volume, mood, **more):
    return dispatch.call(alice, "probeVolume", id=volume.uuid, mood=mood, **more)["jobid"]


@pytest.mark.broker
@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_is_no_error_to_the_client(make, settings):
    from cloudportal.celery import app

    app.conf.broker_url = app.conf.broker_write_url = "amqp://guest@127.0.0.1:1//"
    alice = make.caller()
    volume, begun = make.volume(alice.account), time.monotonic()

    jobid = submit(alice, volume, "works")

    assert time.monotonic() - begun < 2
    runner.drain()
    assert answer(jobid) == {"success": True}


def test_secrets_do_not_lie_in_job_rows(alice, volume):
    jobid = submit(alice, volume, "is asked", password="canary", logins=[{"Key": "canary"}])

    stored = Job.objects.get().params
    assert "canary" not in str(stored)
    assert secret.unseal(stored["password"]) == "canary"
    runner.drain()
    assert answer(jobid) == {"success": True}


def test_what_nobody_declared_is_530_and_tells_a_tenant_nothing(alice, volume):
    jobid = submit(alice, volume, "fails")

    runner.drain()

    with pytest.raises(CloudError, match="^Internal error") as error:
        answer(jobid)
    assert error.value.code == 530
    assert not Claim.objects.exists()


AWAY = OperationalError(2013, "Lost connection to server during query")
DEADLOCK = OperationalError(1213, "Deadlock found")


@pytest.mark.parametrize("error", [AWAY, DEADLOCK])
def test_a_job_that_the_database_did_not_carry_is_503_and_tells_nothing_of_it(alice, volume, monkeypatch, error):
    def run(self, **values):
        raise error

    monkeypatch.setattr(REGISTRY["probeVolume"].cls, "run", run)
    jobid = submit(alice, volume, "works")

    runner.drain()

    with pytest.raises(CloudError, match="^the database gave no answer: whether this was done is not known") as told:
        answer(jobid)
    assert told.value.code == 503
    assert not Claim.objects.exists()


def away_once(ctx):
    ORDER.append("again")
    if len(ORDER) < 3:
        raise (AWAY, DEADLOCK)[len(ORDER) - 1]


BLINKED = Flow("test.blinked", Nothing, (Step(away_once),), lambda ctx: None, lambda ctx: None)


def test_a_step_that_the_database_did_not_carry_is_done_again(db):
    run = begin(BLINKED, Nothing())

    for _ in range(3):
        runner.drain()
        let_time_pass()

    run.refresh_from_db()
    assert (ORDER, run.phase) == (["again"] * 3, "succeeded")


def refused(ctx):
    raise InsufficientCapacity("host h1 is full", tenant="zone z1 is full")


REFUSED = Flow("test.refused", Nothing, (Step(refused),), lambda ctx: None, lambda ctx: None)


@pytest.mark.parametrize(("kind", "text"), [(Kind.TENANT, "zone z1 is full"), (Kind.ROOT, "host h1 is full")])
def test_the_error_of_a_flow_is_told_in_the_words_of_the_caller(make, db, kind, text):
    caller = make.caller("x", kind=kind)
    jobid = submit(caller, make.volume(caller.account), "is refused")

    runner.drain()

    with pytest.raises(CloudError) as error:
        answer(jobid)
    assert (str(error.value), error.value.code) == (text, 533)


def test_jobs_of_one_row_run_in_their_order_and_the_next_is_woken(alice, make, volume, monkeypatch):
    woken = []
    monkeypatch.setattr(wake, "job", lambda key, queue="": woken.append(key))
    first, second, third = (submit(alice, volume, mood) for mood in ("1", "2", "3"))
    keys = list(Job.objects.order_by("pk").values_list("pk", flat=True))
    woken.clear()

    assert not worker.run(keys[2])
    assert not worker.run(keys[1])
    assert worker.run(keys[0])

    assert woken == [keys[1]]
    runner.drain()
    assert ORDER == ["1", "2", "3"]


def test_a_message_that_comes_twice_runs_once(alice, volume):
    submit(alice, volume, "works")
    key = Job.objects.get().pk

    assert worker.run(key)
    assert not worker.run(key)
    assert ORDER == ["works"]


def test_a_lost_worker_ends_its_job_and_frees_the_row(alice, volume):
    jobid = submit(alice, volume, "works")
    worker.claim(Job.objects.get().pk)
    assert Lock.objects.get().holder
    runner.drain()
    assert Job.objects.get().status == "running"

    let_time_pass()
    runner.drain()

    with pytest.raises(CloudError, match="^this was interrupted") as error:
        answer(jobid)
    assert (ORDER, Lock.objects.get().holder, error.value.code) == ([], "", 534)


def test_a_worker_that_stalled_cannot_write_a_result(alice, volume, monkeypatch):
    jobid = submit(alice, volume, "works")
    carry_out = worker._run

    def stall(job):
        let_time_pass()
        runner.drain()  # the sweeper has given the worker up
        return carry_out(job)

    monkeypatch.setattr(worker, "_run", stall)
    runner.drain()

    with pytest.raises(CloudError):
        answer(jobid)
    told = Event.all_tenants.filter(kind="PROBE").order_by("pk").values_list("state", "level")
    assert list(told) == [("Scheduled", "INFO"), ("Started", "INFO"), ("Completed", "ERROR")]


def test_an_error_at_submission_leaves_nothing(alice, make):
    foreign = make.volume(make.account("bob"))

    with pytest.raises(CloudError) as error:
        submit(alice, foreign, "works")

    assert (error.value.code, Job.objects.count(), Event.all_tenants.filter(kind="PROBE").count()) == (531, 0, 0)


def queued(monkeypatch, run):
    """createVolume, as a command that has something to do outside."""
    from apps.storage.commands.volumes import CreateVolume

    monkeypatch.setattr(CreateVolume, "is_at_once", lambda values: False)
    monkeypatch.setattr(CreateVolume, "run", run)


def test_async_create_answers_the_id_and_a_failed_job_fires_the_failure_exit(alice, make, monkeypatch):
    queued(monkeypatch, run=lambda *args, **kwargs: 1 / 0)
    got = dispatch.call(alice, "createVolume", name="x", size=2, zoneid=make.zone())
    assert (got.keys(), Volume.all_tenants.get(uuid=got["id"]).state) == ({"id", "jobid"}, "Allocated")

    runner.drain()

    assert Volume.including_removed.get(uuid=got["id"]).state == "Expunged"


def test_a_row_without_a_failure_exit_from_its_state_does_not_keep_its_job_alive(alice, make, monkeypatch):
    def run(self, row, **values):
        VOLUME.fire(row, "CreateRequested")
        raise ZeroDivisionError

    queued(monkeypatch, run=run)
    got = dispatch.call(alice, "createVolume", name="x", size=2, zoneid=make.zone())

    runner.drain()

    with pytest.raises(CloudError):
        answer(got["jobid"])
    assert Alert.all_tenants.count() == 1


def test_the_role_is_asked_again_when_the_job_runs(alice, volume):
    from apps.rbac.services import replace_rules

    jobid = submit(alice, volume, "works")
    replace_rules(role=alice.role, rules=[("probe*", False), ("*", True)])

    runner.drain()

    with pytest.raises(CloudError) as error:
        answer(jobid)
    assert (error.value.code, ORDER) == (432, [])


def test_killed_at_every_point_a_job_ends_and_nothing_stays_locked(make, db):
    def scene():
        ORDER.clear()
        alice = make.caller()
        return submit(alice, make.volume(alice.account), "works")

    def check(jobid, lost):
        assert len(ORDER) <= 1, "it ran twice"
        assert Job.objects.get().status == ("failed" if lost else "succeeded")

    assert matrix(scene, check) == 2


def test_a_lock_holds_against_an_older_job_that_was_committed_later(alice, volume):
    """Keys are given out before the commit: order by key is no exclusion, the lock row is."""
    older = Job.objects.create(account=alice.account, command="x", params={})
    submit(alice, volume, "works")
    assert worker.claim(Job.objects.exclude(pk=older.pk).get().pk)
    locks.claim(older, [volume.lock_key])

    assert worker.claim(older.pk) is None


def test_locks_are_all_or_none(alice, make, volume):
    other = make.volume(alice.account)
    submit(alice, volume, "1")
    holder, waiter = Job.objects.get(), Job.objects.create(account=alice.account, command="x", params={})
    worker.claim(holder.pk)
    locks.claim(waiter, [volume.lock_key, other.lock_key])

    assert worker.claim(waiter.pk) is None
    assert list(Lock.objects.exclude(holder="").values_list("key", flat=True)) == [volume.lock_key]
    assert Job.objects.get(pk=waiter.pk).status == "queued"


def test_nothing_is_published_before_the_commit(alice, volume, monkeypatch, django_capture_on_commit_callbacks):
    sent = []
    monkeypatch.setattr(wake, "publish", lambda *args: sent.append(args))
    with django_capture_on_commit_callbacks(execute=True):
        with transaction.atomic():
            submit(alice, volume, "works")
        assert sent == []
    assert [args[1] for args in sent] == [Job.objects.get().pk]


@pytest.mark.parametrize(("served", "done", "messages"), [("jobs,storage", 2, 0), ("jobs", 1, 1), ("", 0, 1)])
def test_a_worker_goes_on_with_the_steps_of_the_queues_that_it_serves(
    alice, volume, settings, monkeypatch, served, done, messages
):
    settings.WORKER_QUEUES = frozenset(filter(None, served.split(",")))
    jobid, sent = submit(alice, volume, "flows"), []
    monkeypatch.setattr(wake, "flow", lambda key, queue: sent.append(queue))

    worker.run(Job.objects.get().pk)

    assert (ORDER[1:], len(sent)) == (["first", "second"][:done], messages)
    runner.drain()
    assert answer(jobid) == {"success": True}


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_broke_is_given_up_and_the_job_ends_on_another(make, monkeypatch):
    alice = make.caller()
    jobid = submit(alice, make.volume(alice.account), "works")

    def run(self, **values):
        connection.connection.close()  # as when the server was killed
        raise AWAY

    monkeypatch.setattr(REGISTRY["probeVolume"].cls, "run", run)

    runner.drain()

    with pytest.raises(CloudError, match="^the database gave no answer"):
        answer(jobid)
