"""Jobs that others have begun, as operators see them: what ended in the last day, and one sent again, once."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.core import dispatch, ports
from apps.core.callers import Kind
from apps.jobs.models import Job
from apps.portal.models import Begun, SentForm
from tests.portal.conftest import text


@pytest.fixture
def root(make, db):
    return make.root()


@pytest.fixture
def off(make, alice):
    return make.vm(alice.account, name="web-01", state="Stopped")


@pytest.fixture
def failed(alice, off, work):
    """By the API: there is no host."""
    jobid = dispatch.call(alice, "startVirtualMachine", id=off.uuid)["jobid"]
    work()
    return Job.objects.get(uuid=jobid)


def of_others(page):
    return page.split('id="others"', 1)[1] if 'id="others"' in page else ""


def again(visitor, job, **more):
    address = f"/jobs/{job.uuid}/again"
    return visitor.post(address, {"_token": visitor.token(address), **more})


def test_operators_see_who_asked_for_what_and_what_came_of_it(browser, root, alice, failed, off):
    page = of_others(browser(root).page("/jobs"))

    row = page.split("<tbody>", 1)[1].split("</tr>", 1)[0]
    shown = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", cell)).strip() for cell in row.split("</td>")]
    assert shown[0].startswith("Start web-01")
    assert shown[0].endswith("Failed")
    assert shown[1] == "alice"
    assert shown[2].startswith("no host of zone") or "capacity" in shown[2]
    assert f'href="/jobs/{failed.uuid}/again"' in row


def test_tenants_see_no_jobs_of_others_and_domain_administrators_those_of_their_domains(browser, make, root):
    half, other = make.domain("half", make.domain()), make.domain("other", make.domain())
    boss = make.caller("boss", half, kind=Kind.DOMAIN_ADMIN)
    for name, domain in (("inside", half), ("outside", other)):
        account = make.account(name, domain)
        Job.objects.create(
            account=account, command="rebootRouter", params={}, status="failed", completed=timezone.now()
        )

    assert re.findall(r"inside|outside", of_others(browser(boss).page("/jobs"))) == ["inside"]
    assert sorted(set(re.findall(r"inside|outside", of_others(browser(root).page("/jobs"))))) == ["inside", "outside"]
    assert 'id="others"' not in browser(make.caller("tenant", half)).page("/jobs")


def test_only_the_last_day_is_told_of_and_the_failed_ones_alone_if_asked(browser, root, alice, off):
    now = timezone.now()
    for command, status, ended in (
        ("stopVirtualMachine", "succeeded", now),
        ("rebootVirtualMachine", "failed", now - timedelta(hours=23)),
        ("destroyVirtualMachine", "failed", now - timedelta(hours=25)),
    ):
        Job.objects.create(account=alice.account, command=command, params={}, status=status, completed=ended)
    visitor = browser(root)

    shown = [
        re.findall(r"(Stop|Restart|Reboot|Destroy)</a>", of_others(visitor.page(f"/jobs{more}")))
        for more in ("", "?ended=failed")
    ]

    assert [len(each) for each in shown] == [2, 1]
    assert shown[0][0] == "Stop"


def test_what_runs_has_not_ended(browser, root, alice, off):
    dispatch.call(alice, "startVirtualMachine", id=off.uuid)

    assert "None of others ended." in of_others(browser(root).page("/jobs"))


def test_a_failed_one_is_sent_again_with_the_rights_of_who_presses(browser, root, failed, off):
    visitor = browser(root)

    answer = again(visitor, failed)

    job = Job.objects.latest("pk")
    assert (job.command, job.params, job.account_id) == ("startVirtualMachine", failed.params, root.account.pk)
    assert answer["Location"] == f"/jobs/{job.uuid}"
    begun = Begun.objects.get()
    assert (begun.job, begun.kind, begun.row, begun.name) == (
        str(job.uuid),
        "machines.VirtualMachine",
        str(off.uuid),
        "web-01",
    )


def test_sent_twice_it_is_done_once(browser, root, failed):
    visitor, address = browser(root), f"/jobs/{failed.uuid}/again"
    token = visitor.token(address)

    first, second = (visitor.post(address, {"_token": token}) for _ in range(2))

    assert first["Location"] == second["Location"]
    assert Job.objects.count() == 2


def test_of_two_operators_who_press_it_one_sends_it(browser, make, root, failed):
    other = make.caller("ops", kind=Kind.ROOT)
    visitors = [browser(root), browser(other)]
    address = f"/jobs/{failed.uuid}/again"
    tokens = [visitor.token(address) for visitor in visitors]

    first, second = (v.post(address, {"_token": t}) for v, t in zip(visitors, tokens, strict=True))

    assert Job.objects.count() == 2
    assert first.status_code == 303
    assert "cannot be sent again" in text(second)
    assert SentForm.objects.filter(token=f"again {failed.uuid}").count() == 1


def test_one_that_is_under_way_at_the_same_moment_leads_to_it(browser, make, root, failed):
    """The other has claimed it, and its job is not there yet."""
    visitor = browser(root)
    SentForm.objects.create(token=f"again {failed.uuid}", user=visitor.user, went_to="/jobs/there")

    answer = again(visitor, failed)

    assert answer["Location"] == "/jobs/there"
    assert Job.objects.count() == 1


def test_a_refusal_says_why_and_it_can_be_sent_again(browser, root, failed):
    """The host that it named is gone."""
    params = failed.params
    Job.objects.filter(pk=failed.pk).update(params={**params, "hostid": "5b8e2b5a-8f39-4b7e-9f6b-0d8b8ad7d1c1"})
    visitor = browser(root)

    answer = again(visitor, failed)

    assert answer.status_code == 422
    assert "Nothing was done" in text(answer)
    assert "hostid" in text(answer).split("Nothing was done", 1)[1].split("</div>", 1)[0]
    assert Job.objects.count() == 1
    Job.objects.filter(pk=failed.pk).update(params=params)
    assert again(visitor, failed).status_code == 303


@pytest.mark.parametrize(
    ("command", "params", "changes"),
    [
        ("deployVirtualMachine", {}, {"creates": True}),
        ("createVolume", {"name": "v"}, {}),
        ("createStorageNetworkIpRange", {}, {}),
        ("createTags", {}, {}),
        ("resetPasswordForVirtualMachine", {}, {}),
        ("generateAlert", {}, {}),
        ("startVirtualMachine", {}, {"status": "succeeded"}),
        ("startVirtualMachine", {}, {"row_id": 999_999}),
        ("noSuchCommand", {}, {}),
    ],
)
def test_what_makes_something_tells_a_secret_or_has_no_row_is_not_sent_again(
    browser, root, alice, off, command, params, changes
):
    about = {"row_kind": "machines.virtualmachine", "row_id": off.pk, "status": "failed", "completed": timezone.now()}
    job = Job.objects.create(account=alice.account, command=command, params=params, **{**about, **changes})
    visitor = browser(root)

    answer = again(visitor, job)

    assert "/again" not in of_others(visitor.page("/jobs"))
    assert answer.status_code == 422
    assert (Job.objects.count(), Begun.objects.count(), SentForm.objects.count()) == (1, 0, 0)


def test_a_parameter_that_is_secret_is_never_told_nor_sent(root, alice, off):
    about = {"row_kind": "machines.virtualmachine", "row_id": off.pk, "status": "failed", "completed": timezone.now()}
    secret = {"id": str(off.uuid), "password": "sealed"}
    job = Job.objects.create(
        account=alice.account,
        command="resetPasswordForVirtualMachine",
        params=secret,
        result='{"errortext": "no"}',
        **about,
    )

    told = ports.watch.one().one(root, str(job.uuid))

    assert told["again"] is None
    assert "sealed" not in str(told)


def test_the_last_of_several_is_the_one_that_is_sent_again(browser, root, alice, failed, off, work):
    dispatch.call(alice, "startVirtualMachine", id=off.uuid)
    work()

    page = of_others(browser(root).page("/jobs"))

    assert re.findall(r'href="/jobs/([0-9a-f-]+)/again"', page) == [str(Job.objects.latest("pk").uuid)]


def test_a_user_with_another_name_than_its_account_is_told_too(browser, root, make, off, alice):
    user = alice.account.users.get()
    type(user).all_tenants.filter(pk=user.pk).update(username="al")
    about = {"row_kind": "machines.virtualmachine", "row_id": off.pk, "status": "failed", "completed": timezone.now()}
    Job.objects.create(account=alice.account, user=user, command="stopVirtualMachine", params={}, **about)

    assert "al · alice" in of_others(browser(root).page("/jobs"))


def test_tenants_have_no_such_page(browser, alice, make, failed):
    assert browser(alice).get(f"/jobs/{failed.uuid}/again").status_code == 404
    assert browser(make.caller("bob")).get(f"/jobs/{failed.uuid}/again").status_code == 404


def test_the_page_of_a_job_says_whose_it_is_and_how_to_try_again(browser, root, failed, off):
    page = browser(root).page(f"/jobs/{failed.uuid}")

    assert "<h1>Start web-01</h1>" in page
    assert "<dt>Asked for by</dt><dd>alice</dd>" in page
    assert f'href="/machines/{off.uuid}"' in page
    assert f'href="/jobs/{failed.uuid}/again"' in page


def test_jobs_of_others_cost_the_same_queries_for_one_and_for_many(browser, root, alice, make):
    visitor, costs = browser(root), []
    for more in (1, 9):
        for number in range(more):
            vm = make.vm(alice.account, name=f"m{number}")
            about = {"row_kind": "machines.virtualmachine", "row_id": vm.pk, "completed": timezone.now()}
            params = {"id": str(vm.uuid)}
            Job.objects.create(
                account=alice.account, command="startVirtualMachine", params=params, status="failed", **about
            )
        visitor.page("/jobs")
        with CaptureQueriesContext(connection) as queries:
            visitor.page("/jobs")
        costs.append(len([query for query in queries if "configuration_" not in query["sql"]]))

    assert costs[0] == costs[1]


def test_the_dashboard_of_operators_tells_what_failed_in_the_last_hour(browser, root, failed):
    visitor = browser(root)
    page = visitor.page("/")
    row = re.search(rf'<tr><th[^>]*><a href="/jobs/{failed.uuid}">(.*?)</tr>', page).group(1)
    assert "0 running or waiting, 1 failed in the last hour" in page
    assert ("startVirtualMachine" in row, ">alice<" in row, "Failed" in row) == (True, True, True)

    Job.objects.filter(pk=failed.pk).update(completed=timezone.now() - timedelta(minutes=61))

    page = visitor.page("/")
    assert f"/jobs/{failed.uuid}" not in page
    assert "failed in the last hour" not in page


def test_the_dashboard_says_when_more_failed_than_it_was_told_of(browser, root, alice, failed):
    ended = {"status": Job.Status.FAILED, "result": failed.result, "completed": timezone.now()}
    Job.objects.bulk_create(Job(account=alice.account, command="x", params={}, **ended) for _ in range(60))

    assert "50+ failed in the last hour" in browser(root).page("/")
