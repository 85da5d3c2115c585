from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.tenants import caller_for
from apps.core import dispatch
from apps.core.callers import Kind
from apps.core.errors import CloudError, InvalidParameter, PermissionDenied
from apps.core.ownership import release
from apps.jobs import expiry, flows
from apps.jobs.commands.jobs import SERVER, SERVER_ID
from apps.jobs.current import current
from apps.jobs.models import FlowRun, Job
from tests.conftest import unknown
from tests.factories.jobs import job

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(make):
    account = make.account("alice", make.domain("a", make.domain()))
    return caller_for(account, User.all_tenants.get(account=account))


def about(row, owner, **kw):
    return job(None, owner, row_kind=row._meta.label_lower, row_id=row.pk, **kw)


def query(caller, row):
    return dispatch.call(caller, "queryAsyncJobResult", jobid=row.uuid)


def test_a_pending_job_says_who_asked_what_about_which_row_and_how_far_it_is(alice, make):
    volume = make.volume(alice.account)
    row = about(volume, alice.account, user=alice.user, command="deleteVolume", progress=40, progress_text="wiping")

    answer = query(alice, row)

    assert answer == {
        "jobid": str(row.uuid),
        "jobstatus": 0,
        "jobprocstatus": 40,
        "jobprogresstext": "wiping",
        "jobresultcode": 0,
        "cmd": "org.apache.cloudstack.api.command.user.volume.DeleteVolumeCmd",
        "accountid": str(alice.account.uuid),
        "account": "alice",
        "domainid": str(alice.account.domain.uuid),
        "domainpath": "ROOT/a",
        "userid": str(alice.user.uuid),
        "jobinstancetype": "Volume",
        "jobinstanceid": str(volume.uuid),
        "managementserverid": SERVER_ID,
        "managementservername": SERVER,
        "created": answer["created"],
    }


def test_how_a_place_was_found_is_told_to_the_root_administrator_alone(alice, make):
    volume, found = make.volume(alice.account), {"planner": "FirstFitPlanner", "host": {"name": "h1"}}
    row = about(volume, alice.account, user=alice.user, command="deleteVolume", explanation=found)

    assert query(make.root(), row)["explanation"] == found
    assert "explanation" not in query(alice, row)
    assert "explanation" not in query(make.caller("ada", alice.account.domain, kind=Kind.DOMAIN_ADMIN), row)


def test_one_that_is_done_says_its_result_and_nothing_of_progress(alice, make):
    volume, now = make.volume(alice.account), timezone.now()
    done = {"status": "succeeded", "result": '{"volume":{"id":"x"}}', "completed": now, "progress": 90}
    row = about(volume, alice.account, **done)

    answer = query(alice, row)

    assert {name: answer[name] for name in answer if name.startswith(("job", "cmd", "comp", "man"))} == {
        "jobid": str(row.uuid),
        "jobstatus": 1,
        "jobprocstatus": 0,
        "jobresultcode": 0,
        "jobresulttype": "object",
        "jobresult": {"volume": {"id": "x"}},
        "jobinstancetype": "Volume",
        "jobinstanceid": str(volume.uuid),
        "cmd": "org.apache.cloudstack.api.command.user.volume.CreateVolumeCmd",
        "completed": now.strftime("%Y-%m-%dT%H:%M:%S+0000"),
    }


def test_one_that_failed_says_the_number_and_the_text(alice):
    failed = {"status": "failed", "result": '{"errorcode":431,"errortext":"no"}', "result_code": 431}
    row = job(None, alice.account, completed=timezone.now(), **failed)

    answer = query(alice, row)

    assert (answer["jobstatus"], answer["jobresultcode"], answer["jobresult"]) == (
        2,
        431,
        {"errorcode": 431, "errortext": "no"},
    )


def test_a_row_that_is_gone_is_not_named(alice, make):
    volume = make.volume(alice.account)
    row = about(volume, alice.account)
    release(volume)

    answer = query(alice, row)

    assert not {"jobinstancetype", "jobinstanceid"} & answer.keys()


def test_own_jobs_and_those_of_the_own_tree(alice, make):
    row = job(None, alice.account)
    al, bob = make.caller("al", alice.account.domain), make.caller("bob", make.domain("b", make.domain()))
    dora = make.caller("dora", alice.account.domain, kind=Kind.DOMAIN_ADMIN, type=2)
    edna = make.caller("edna", bob.account.domain, kind=Kind.DOMAIN_ADMIN, type=2)

    for caller in (alice, dora, make.root()):
        assert query(caller, row)["account"] == "alice"
    for caller in (al, bob, edna):
        with pytest.raises(PermissionDenied):
            query(caller, row)


def test_a_job_has_to_be_named(alice):
    with pytest.raises(
        InvalidParameter, match="^Expected parameter job id or parameters resource type and resource id$"
    ):
        dispatch.call(alice, "queryAsyncJobResult")
    with pytest.raises(InvalidParameter, match="Expected parameter job id"):
        dispatch.call(alice, "queryAsyncJobResult", resourceid=unknown())
    for jobid in (unknown(), "x", ""):
        with pytest.raises(CloudError, match="Invalid parameter jobid") as error:
            dispatch.call(alice, "queryAsyncJobResult", jobid=jobid)
        assert (error.value.code, error.value.cs_code) == (431, 9999)


def test_a_row_names_its_latest_job(alice, make):
    volume, bob = make.volume(alice.account), make.caller("bob")
    about(volume, alice.account)
    last = about(volume, alice.account)
    given = {"resourceid": volume.uuid, "resourcetype": "volume"}

    assert dispatch.call(alice, "queryAsyncJobResult", **given)["jobid"] == str(last.uuid)
    with pytest.raises(PermissionDenied):
        dispatch.call(bob, "queryAsyncJobResult", **given)
    for wrong in (
        {"resourceid": unknown()},
        {"resourcetype": "Snail"},
        {"resourceid": make.volume(alice.account).uuid},
    ):
        with pytest.raises(InvalidParameter, match="no job is known"):
            dispatch.call(alice, "queryAsyncJobResult", **given | wrong)


def test_polling_costs_few_queries(alice, make, django_assert_num_queries):
    row = about(make.volume(alice.account), alice.account)
    query(alice, row)

    with django_assert_num_queries(3):
        query(alice, row)


def listed(caller, **given):
    return [row["jobid"] for row in dispatch.call(caller, "listAsyncJobs", **given).get("asyncjobs", [])]


def test_only_pending_jobs_are_listed_each_caller_those_of_its_scope(alice, make):
    root, bob = make.root(), make.account("bob")
    job(None, alice.account, status="succeeded", result="{}", completed=timezone.now())
    rows = [job(None, owner) for owner in (alice.account, bob, root.account)]
    ours, bobs, roots = (str(row.uuid) for row in rows)

    assert listed(alice) == [ours]
    assert listed(root) == [roots]
    assert listed(root, listall=True) == [ours, bobs, roots]
    assert listed(root, domainid=alice.account.domain.uuid) == [ours]
    assert listed(root, account="bob", domainid=bob.domain.uuid) == [bobs]
    with pytest.raises(PermissionDenied):
        listed(alice, account="bob", domainid=bob.domain.uuid)


def test_filters(alice, make):
    volume = make.volume(alice.account)
    first, second = job(None, alice.account, command="createNetwork"), about(volume, alice.account)
    Job.objects.filter(pk=first.pk).update(created=timezone.now() - timedelta(days=2))
    yesterday = (timezone.now() - timedelta(days=1)).strftime("%Y-%m-%d")

    assert listed(alice, keyword="network") == [str(first.uuid)]
    assert listed(alice, startdate=yesterday) == [str(second.uuid)]
    assert listed(alice, resourceid=volume.uuid, resourcetype="Volume") == [str(second.uuid)]
    assert listed(alice, resourceid=unknown(), resourcetype="Volume") == []
    with pytest.raises(InvalidParameter):
        listed(alice, resourcetype="Volume")


def test_nothing_is_listed_where_nothing_is_pending(alice):
    assert dispatch.call(alice, "listAsyncJobs") == {}


def test_a_listed_row_names_the_job_that_is_under_way(alice, make):
    volume = make.volume(alice.account)
    row = about(volume, alice.account)

    (shown,) = dispatch.call(alice, "listVolumes", id=volume.uuid)["volume"]

    assert (shown["jobid"], shown["jobstatus"]) == (str(row.uuid), 0)


def test_the_caller_may_choose_the_id(alice, make):
    volume, chosen = make.volume(alice.account), unknown()
    given = {"name": "v", "size": 1, "zoneid": volume.zone.uuid, "customjobid": chosen}

    assert dispatch.call(alice, "createVolume", **given)["jobid"] == chosen
    with pytest.raises(InvalidParameter, match=f"customjobid: there is a job {chosen} already"):
        dispatch.call(alice, "createVolume", **given)
    assert Job.objects.count() == 1


OLD = timedelta(minutes=1441)


def run(**kw):
    given = {"flow": "f", "version": 1, "step": "", "context": {}, "phase": "succeeded"}
    return FlowRun.objects.create(**given | {"wake_at": timezone.now() - OLD} | kw)


def test_jobs_that_ended_long_ago_go_with_their_flows(alice):
    end = {"status": "succeeded", "completed": timezone.now() - OLD}
    old = job(None, alice.account, **end)
    run(job=old, root=old.pk)
    run(root=old.pk)
    young = job(None, alice.account, status="failed", completed=timezone.now() - OLD / 2)
    pending = job(None, alice.account)
    kept = [run(root=pending.pk), run(root=young.pk, wake_at=timezone.now())]

    assert expiry.expire() == 1

    assert list(Job.objects.order_by("pk")) == [young, pending]
    assert list(FlowRun.objects.order_by("pk")) == kept


def test_a_job_is_kept_as_long_as_its_flow(alice):
    old = job(None, alice.account, status="succeeded", completed=timezone.now() - OLD)
    flow = run(job=old, root=old.pk, wake_at=timezone.now())

    assert expiry.expire() == 0

    assert (Job.objects.get(), FlowRun.objects.get()) == (old, flow)


def test_of_what_a_schedule_began_nothing_goes_while_something_older_is_at_work():
    early = run()
    working = run(phase="doing")
    late = run()

    expiry.expire()
    assert list(FlowRun.objects.order_by("pk")) == [working, late]
    FlowRun.objects.filter(pk=working.pk).update(phase="failed")
    expiry.expire()

    assert not FlowRun.objects.filter(pk__in=[early.pk, working.pk, late.pk]).exists()


def test_progress_of_a_flow_is_that_of_its_job(alice, make):
    row = about(make.volume(alice.account), alice.account)
    token = current.set(row)
    try:
        flows.progress(30, "copying")
    finally:
        current.reset(token)

    answer = query(alice, row)
    assert (answer["jobprocstatus"], answer["jobprogresstext"]) == (30, "copying")
