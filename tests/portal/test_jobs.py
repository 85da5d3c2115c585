"""Jobs as people see them: steps, results, the bell, the panel."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.core import dispatch
from apps.jobs.models import Job
from apps.portal import services
from apps.portal.jobs.steps import WORDS
from apps.portal.models import Begun, Draft, SentForm
from tests.portal.conftest import text


@pytest.fixture
def off(make, alice):
    return make.vm(alice.account, name="web-01", state="Stopped")


def start(visitor, vm):
    sent = {"_token": visitor.token("/machines"), "kind": "machines.VirtualMachine", "next": "/machines"}
    visitor.post("/act", {**sent, "one": f"startVirtualMachine {vm.uuid}"})
    return Begun.objects.latest("pk")


def test_a_job_under_way_has_its_steps_and_a_page_that_reloads_without_a_script(browser, alice, off):
    visitor = browser(alice)
    begun = start(visitor, off)

    page = visitor.page(f"/jobs/{begun.job}")

    assert "<h1>Start web-01</h1>" in page
    assert "In progress" in page
    assert "Its turn has come" in page
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page
    assert f'hx-get="/jobs/{begun.job}"' in page


def test_a_job_that_failed_says_why_in_the_words_of_the_api(browser, alice, off, work):
    visitor = browser(alice)
    begun = start(visitor, off)
    work()

    page = visitor.page(f"/jobs/{begun.job}")

    begun.refresh_from_db()
    assert begun.state == "FAILED"
    assert "there is not enough capacity" in page
    assert "http-equiv" not in page
    assert "A host and storage are chosen" in page
    assert "failed" in page


def test_a_password_that_only_the_job_tells_is_shown_with_it(browser, alice, make, work):
    template = make.template(alice.account, password_enabled=True)
    vm = make.vm(alice.account, state="Stopped", template=template)
    visitor = browser(alice)
    jobid = dispatch.call(alice, "resetPasswordForVirtualMachine", id=vm.uuid, password="canary-word")["jobid"]
    work()

    page = visitor.page(f"/jobs/{jobid}")

    assert "canary-word" in page
    assert "told only here" in page


def test_the_bell_counts_what_runs_and_what_failed_until_one_has_looked(browser, alice, off, work):
    visitor = browser(alice)
    start(visitor, off)

    assert "1 job: 1 running, 0 failed" in visitor.page("/limits")
    work()
    assert "1 job: 0 running, 1 failed" in visitor.page("/limits")
    visitor.page("/jobs")
    assert "0 jobs: 0 running, 0 failed" in visitor.page("/limits")


def test_the_panel_shows_steps_and_marks_failures_as_seen(browser, alice, off, work):
    visitor = browser(alice)
    start(visitor, off)
    work()

    part = text(visitor.part("/jobs/panel"))

    assert '<aside class="sheet"' in part
    assert "Start web-01" in part
    assert "there is not enough capacity" in part
    assert "0 failed" in visitor.page("/limits")


def test_the_page_of_jobs_tells_what_runs_and_what_ended(browser, alice, off, make, work):
    visitor = browser(alice)
    start(visitor, off)
    assert "Start web-01" in visitor.page("/jobs").split("Ended")[0]
    work()

    page = visitor.page("/jobs")

    assert "Nothing is running." in page
    assert "Start web-01" in page.split("Ended")[1]


def test_jobs_of_others_are_not_shown(browser, alice, make, off):
    start(browser(alice), off)

    assert "web-01" not in browser(make.caller("bob")).page("/jobs")
    group = Begun.objects.get().group
    assert browser(make.caller("carol")).get(f"/jobs/together/{group}").status_code == 404


def test_a_job_that_is_known_no_more_is_told_as_failed_and_asked_no_more(browser, alice, off, monkeypatch):
    visitor = browser(alice)
    begun = start(visitor, off)
    Job.objects.filter(uuid=begun.job).update(uuid="5b8e2b5a-8f39-4b7e-9f6b-0d8b8ad7d1c1")

    visitor.page("/jobs")

    begun.refresh_from_db()
    assert begun.state == "FAILED"


def test_what_nobody_asks_for_any_more_is_forgotten(alice, browser, make):
    user = browser(alice).user
    old = timezone.now() - timedelta(days=60)
    for row in (
        SentForm.objects.create(token="a", user=user),
        Begun.objects.create(user=user, command="x"),
        Draft.objects.create(user=user, kind="machine"),
    ):
        type(row).objects.filter(pk=row.pk).update(**{"updated" if isinstance(row, Draft) else "created": old})
    SentForm.objects.create(token="b", user=user)

    services.forget()

    assert list(SentForm.objects.values_list("token", flat=True)) == ["b"]
    assert Begun.objects.count() == Draft.objects.count() == 0


def test_every_step_of_a_flow_that_people_watch_has_words():
    from apps.jobs.flows import FLOWS

    watched = {("compute.start", 1)}
    missing = [step.name for key in watched for step in FLOWS[key].steps if step.name not in WORDS]

    assert missing == []


REFUSED = {
    "text": "no host of zone z1 can take instance vm",
    "dropped": [{"filter": "memory", "reason": "without enough memory", "dropped": 3}],
}
CHOSEN = {
    "text": "h1: first of 2 that fit",
    "host": {"id": "a", "name": "h1"},
    "candidates": [
        {"id": "a", "name": "h1", "room": 7, "weights": {"free": 0.5}},
        {"id": "b", "name": "h2", "room": 6, "weights": {"free": 0.25}},
    ],
    "storage": [{"size": 2 << 30, "pool": {"id": "p", "name": "disks"}}],
}


def test_why_a_machine_is_where_it_is_is_told_to_administrators_only(browser, alice, make):
    vm = make.vm(alice.account, state="Stopped")
    job = Job(account=alice.account, command="startVirtualMachine", params={}, explanation=CHOSEN)
    job.row_kind, job.row_id = "machines.virtualmachine", vm.pk
    job.save()

    to_root, to_owner = browser(make.root()).page(f"/machines/{vm.uuid}"), browser(alice).page(f"/machines/{vm.uuid}")

    assert "Why is it here?" in to_root
    assert "h1: one of 2 that fit, free" in to_root
    assert '<a href="/hosts/b">h2</a>' in to_root
    assert "chosen: free 0.5" in to_root
    assert "Why is it here?" not in to_owner
    assert "one of 2 that fit" not in to_owner


def test_a_refusal_says_what_each_host_fell_out_for(browser, alice, make):
    root = make.root()
    result = '{"errorcode": 533, "errortext": "no room"}'
    job = Job(account=root.account, command="startVirtualMachine", params={}, status="failed", result=result)
    job.explanation, job.result_code, job.completed = REFUSED, 530, timezone.now()
    job.save()

    page = browser(root).page(f"/jobs/{job.uuid}")

    assert "Why was this refused?" in page
    assert "3 fell out: without enough memory" in page


def test_a_job_that_failed_can_be_tried_again_where_its_row_allows_it(browser, alice, off, work):
    visitor = browser(alice)
    begun = start(visitor, off)
    again = f'href="/do/startVirtualMachine?id={off.uuid}"'
    assert again not in visitor.page(f"/jobs/{begun.job}")
    work()

    page = visitor.page(f"/jobs/{begun.job}")

    assert again in page
    assert "Try again" in page
    assert again in text(visitor.part("/jobs/panel"))


def test_the_page_of_a_machine_has_what_was_begun_about_it_with_its_steps(browser, alice, make, off, work):
    visitor = browser(alice)
    assert "Nothing was begun about it here" in visitor.page(f"/machines/{off.uuid}/jobs")
    begun = start(visitor, off)

    under_way = visitor.page(f"/machines/{off.uuid}/jobs")
    work()
    failed = visitor.page(f"/machines/{off.uuid}/jobs")

    assert f'<a href="/jobs/{begun.job}">Start web-01</a>' in under_way
    assert "Its turn has come" in under_way
    assert "there is not enough capacity" in failed
    other = make.vm(alice.account, name="web-02", state="Stopped")
    assert "Start web-01" not in visitor.page(f"/machines/{other.uuid}/jobs")
