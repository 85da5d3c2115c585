"""What only threads show. On MariaDB this is row locks and deadlocks, on SQLite one writer at a time."""

import random
import threading
import time
from collections import Counter as Tally

import pytest
from django.db import connection
from django.db.models import F

from apps.accounts.models import Account
from apps.core.errors import LimitExceeded
from apps.core.models import Question
from apps.core.ownership import admit, release
from apps.core.retry import atomically
from apps.domains import services as domains
from apps.domains.models import Domain
from apps.jobs import finish, locks, runner, worker
from apps.jobs.models import Claim, Job, Lock
from apps.limits.models import Counter
from apps.limits.services import counted, set_limit
from apps.storage.models import Volume

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 16


def in_threads(work):
    """Run ``work(number)`` in 16 threads at once; an exception of any of them is the test's."""
    errors, barrier = [], threading.Barrier(THREADS, timeout=10)

    def run(number):
        try:
            barrier.wait()
            work(number)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_what_is_admitted_while_its_domain_moves_lies_below_its_new_place(make):
    root = make.domain()
    homes = [make.domain("left", root), make.domain("right", root)]
    moving = make.domain("moving", homes[0])
    account, zone = make.account("u", moving), make.zone()
    set_limit(kind="volume", limit=-1, account=account)

    def work(number):
        for turn in range(6):
            if number:
                owner = Account.all_tenants.select_related("domain").get(pk=account.pk)
                admit(Volume, owner, name="v", size=1, zone=zone)
            else:
                domains.move(domain=moving, parent=homes[(turn + 1) % 2])

    in_threads(work)

    assert Volume.all_tenants.count() == 6 * (THREADS - 1)
    assert set(Volume.all_tenants.values_list("domain_path", flat=True)) == {Domain.all_tenants.get(pk=moving.pk).path}


def test_limits_hold_exactly(make):
    root = make.domain()
    domains = [make.domain(f"d{n}", root) for n in range(3)]
    accounts = [make.account(f"a{n}", domains[n % 3]) for n in range(6)]
    zone, tally = make.zone(), Tally()
    for account in accounts:
        set_limit(kind="volume", limit=10, account=account)
    set_limit(kind="volume", limit=15, domain=domains[0])  # two accounts of 10: the domain is the tighter one
    set_limit(kind="volume", limit=1_000, domain=root)

    def work(number):
        for turn in range(8):
            account = accounts[(number + turn) % 6]
            try:
                row = admit(Volume, account, name="v", size=1, zone=zone)
                tally["in"] += 1
                if turn % 4 == 3:
                    release(row)
                    tally["out"] += 1
            except LimitExceeded:
                tally["refused"] += 1

    in_threads(work)

    assert tally["in"] + tally["refused"] == THREADS * 8
    assert Volume.all_tenants.count() == tally["in"] - tally["out"] <= 55
    for counter in Counter.objects.all():
        assert counter.used == counted(counter.kind, counter.account, counter.domain)
        assert counter.limit in (-1, None) or counter.used <= counter.limit
    assert Counter.objects.get(domain=Domain.all_tenants.get(name="ROOT")).used == tally["in"] - tally["out"]


@atomically
def submit(account, keys):
    locks.claim(Job.objects.create(account=account, command="x", params={}), keys)


def test_jobs_exclude_each_other_keep_their_order_and_no_deadlock_escapes(make, monkeypatch):
    alice, keys, per_thread = make.account(), [f"row:{n}" for n in range(6)], 5
    held, log, guard = Tally(), [], threading.Lock()

    def carry_out(job):
        mine = locks.keys_of(job)
        with guard:
            for key in mine:
                assert held[key] == 0, f"{key} is held twice"
                held[key] += 1
            log.append((job.pk, mine))
        time.sleep(0.001)
        with guard:
            held.subtract(mine)
        finish.succeed(job, {"success": True})

    monkeypatch.setattr(worker, "_carry_out", carry_out)

    def work(number):
        ends = time.monotonic() + 60
        for _ in range(per_thread):
            submit(alice, random.sample(keys, 2))
        while waiting := list(Job.objects.filter(status="queued").order_by("pk").values_list("pk", flat=True)[:20]):
            assert time.monotonic() < ends, f"stuck: {waiting}"
            if not worker.run(random.choice(waiting)):
                time.sleep(0.002)

    in_threads(work)

    assert len(log) == len({pk for pk, _ in log}) == THREADS * per_thread
    assert not Claim.objects.exists()
    assert not Lock.objects.exclude(holder="").exists()


def test_jobs_of_one_row_run_in_the_order_of_their_submission(make, monkeypatch):
    alice, log = make.account(), []

    def carry_out(job):
        log.append(job.pk)
        finish.succeed(job, {"success": True})

    monkeypatch.setattr(worker, "_carry_out", carry_out)
    for _ in range(40):
        submit(alice, ["row:1"])

    def work(number):
        while waiting := list(Job.objects.filter(status="queued").values_list("pk", flat=True)[:40]):
            worker.run(random.choice(waiting))

    in_threads(work)

    assert log == sorted(log)
    assert len(log) == 40


def test_a_question_is_settled_once(make, cloud, monkeypatch):
    from apps.core import outcomes

    volume = make.volume(make.account(), state="Creating")
    make.host()
    cloud.disks[str(volume.uuid)] = 1
    Question.objects.create(kind="storage.create", row_id=volume.pk, due_at="2020-01-01T00:00Z")
    answered = []

    in_threads(lambda number: answered.append(outcomes.look_into_due()))

    assert sum(answered) == 1
    assert Volume.all_tenants.get().state == "Ready"
    runner.drain()


def test_the_victim_of_a_deadlock_begins_again(make):
    """Not how this project locks: made by force, to see that nobody notices."""
    alice, begun = make.account(), Tally()
    for kind in ("a", "b"):
        Counter.objects.create(account=alice, kind=kind)

    @atomically
    def both(first, second):
        begun[first] += 1
        Counter.objects.filter(kind=first).update(used=F("used") + 1)
        time.sleep(0.1)
        Counter.objects.filter(kind=second).update(used=F("used") + 1)

    in_threads(lambda number: both("a", "b") if number % 2 else both("b", "a"))

    assert set(Counter.objects.values_list("used", flat=True)) == {THREADS}
    assert begun.total() > THREADS or connection.vendor == "sqlite"
