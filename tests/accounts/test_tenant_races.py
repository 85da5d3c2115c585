"""Accounts, users and domains that are made, moved and removed at the same moment, and the counters of all that."""

import threading
import time
from contextlib import suppress
from itertools import pairwise

import pytest
from django.db import connection, transaction

from apps.accounts.models import Account, Session, State, User
from apps.accounts.services import accounts, domains, sign_on, users
from apps.accounts.services.accounts import Person
from apps.accounts.states import ACCOUNT
from apps.accounts.tenants import caller_for
from apps.core import dispatch
from apps.core.audit import findings
from apps.core.callers import Kind
from apps.core.errors import CloudError, InvalidParameter, LoginRefused
from apps.core.ownership import admit, release, resize
from apps.domains.models import Domain
from apps.jobs.models import Job
from apps.limits import kinds
from apps.limits.models import Counter
from apps.limits.services import recount, set_limit
from apps.rbac import services as roles
from apps.rbac.models import Role
from apps.storage.models import Volume
from tests.conftest import unknown
from tests.test_concurrency import in_threads

pytestmark = pytest.mark.django_db(transaction=True)
EVE = Person("eve", "secret", "E", "V", "e@v")


def audits():
    """Not of storage: the volumes of these tests have no disks."""
    return {subject: found for subject, found in findings().items() if found and not subject.startswith("storage")}


def during(first, second):
    """``second`` begins when ``first`` has done its work and not committed; what it raises is returned."""
    raised = []

    def run():
        try:
            second()
        except CloudError as error:
            raised.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        first()
        thread.start()
        time.sleep(0.3)
    thread.join()
    return raised[0] if raised else None


def fresh(row):
    return type(row).including_removed.get(pk=row.pk)


@pytest.fixture
def branch(make):
    return make.domain("branch", make.domain())


def test_what_is_admitted_while_its_account_is_removed_keeps_the_account(make):
    alice, zone = make.account(), make.zone()

    refusal = during(
        lambda: admit(Volume, fresh(alice), name="v", size=1, zone=zone),
        lambda: accounts.remove(account=fresh(alice)),
    )

    assert (getattr(refusal, "code", 0), fresh(alice).removed, audits()) == (536, None, {})


def test_nothing_is_admitted_for_an_account_that_was_removed_or_closed_meanwhile(make):
    alice, bob, zone = make.account(), make.account("bob"), make.zone()
    read = [fresh(alice), fresh(bob)]

    refusals = [
        during(lambda: accounts.remove(account=fresh(alice)), lambda: admit(Volume, read[0], size=1, zone=zone)),
        during(lambda: ACCOUNT.fire(fresh(bob), "disable"), lambda: admit(Volume, read[1], size=1, zone=zone)),
    ]

    assert [getattr(refusal, "code", 0) for refusal in refusals] == [431, 431]
    assert (Volume.all_tenants.count(), audits()) == (0, {})


@pytest.mark.parametrize("first_comes", ["user", "end"])
def test_a_user_that_is_made_while_its_account_is_removed_goes_with_it(make, first_comes):
    alice = make.account()
    read = fresh(alice)
    both = (lambda: users.create(account=read, person=EVE), lambda: accounts.remove(account=fresh(alice)))

    during(*(both if first_comes == "user" else reversed(both)))

    assert fresh(alice).removed
    assert (User.all_tenants.filter(account=alice).count(), audits()) == (0, {})


@pytest.mark.parametrize("first_comes", ["account", "end"])
def test_an_account_that_is_made_while_its_domain_is_removed_is_there_with_it_or_not_at_all(make, branch, first_comes):
    role, read = make.role(Kind.TENANT), fresh(branch)
    both = (
        lambda: accounts.create(domain=read, role=role, person=EVE),
        lambda: domains.remove(domain=fresh(branch)),
    )

    refusal = during(*(both if first_comes == "account" else reversed(both)))

    assert getattr(refusal, "code", 0) == 431
    assert (fresh(branch).removed is None, audits()) == (first_comes == "account", {})


@pytest.mark.parametrize("first_comes", ["domain", "end"])
def test_a_domain_that_is_made_while_its_parent_is_removed_is_there_with_it_or_not_at_all(make, branch, first_comes):
    read = fresh(branch)
    both = (lambda: domains.create(parent=read, name="leaf"), lambda: domains.remove(domain=fresh(branch)))

    refusal = during(*(both if first_comes == "domain" else reversed(both)))

    assert getattr(refusal, "code", 0) == 431
    assert (fresh(branch).removed is None, audits()) == (first_comes == "domain", {})


@pytest.mark.parametrize("first_comes", ["domain", "move"])
def test_a_domain_that_is_made_while_its_parent_moves_lies_below_it(make, branch, first_comes):
    other, read = make.domain("other", make.domain()), fresh(branch)
    both = (
        lambda: domains.create(parent=read, name="leaf"),
        lambda: domains.move(domain=fresh(branch), parent=fresh(other)),
    )

    refusal = during(*(both if first_comes == "domain" else reversed(both)))

    leaf = Domain.all_tenants.get(name="leaf")
    assert (refusal, leaf.wire_path, audits()) == (None, "ROOT/other/branch/leaf", {})


def test_names_that_change_at_the_same_moment_spell_the_paths_below_them(make, branch):
    leaf = make.domain("leaf", branch)
    chain = [branch, leaf, make.domain("twig", leaf)]
    read = [fresh(row) for row in chain]

    for above, below in pairwise(reversed(read)):
        during(
            lambda below=below: domains.update(domain=below, name=f"a longer {below.name}"),
            lambda above=above: domains.update(domain=above, name=f"l{above.pk}"),
        )

    assert audits() == {}


@pytest.mark.parametrize("change", ["admit", "release", "resize"])
@pytest.mark.parametrize("first_comes", ["change", "move"])
def test_what_comes_and_goes_while_its_domain_moves_counts_where_it_is(make, branch, change, first_comes):
    root, zone = make.domain(), make.zone()
    homes = [make.domain("left", root), make.domain("right", root)]
    domains.move(domain=branch, parent=homes[0])
    alice = make.account(domain=fresh(branch))
    for home in homes:
        set_limit(kind="volume", limit=10, domain=fresh(home))
        set_limit(kind="primary_storage", limit=10 << 30, domain=fresh(home))
    volume = Volume.all_tenants.select_related("owner__domain").get(pk=make.volume(alice, size=1 << 30).pk)
    owner = Account.all_tenants.select_related("domain").get(pk=alice.pk)
    changes = {
        "admit": lambda: admit(Volume, owner, name="v", size=1, zone=zone),
        "release": lambda: release(volume),
        "resize": lambda: resize(volume, "size", 2 << 30),
    }
    both = (changes[change], lambda: domains.move(domain=fresh(branch), parent=fresh(homes[1])))

    refusal = during(*(both if first_comes == "change" else reversed(both)))

    assert (refusal, audits()) == (None, {})


def test_counters_are_exact_while_they_are_made_limited_and_counted_again(make, branch):
    alice, zone = make.account(domain=branch), make.zone()
    kind = kinds.BY_NAME["volume"]

    def work(number):
        owner = Account.all_tenants.select_related("domain").get(pk=alice.pk)
        for turn in range(6):
            if number < 8:
                row = admit(Volume, owner, name="v", size=1, zone=zone)
                if turn % 2:
                    release(row)
            elif number < 10:
                set_limit(kind="volume", limit=1000 + turn, account=owner)
            elif number < 12:
                set_limit(kind="volume", limit=1000 + turn, domain=owner.domain)
            elif number < 14:
                recount(kind=kind, account=owner)
            else:
                recount(kind=kind, domain=owner.domain)

    in_threads(work)

    assert Volume.all_tenants.count() == 24
    assert (Counter.objects.filter(kind="volume").count(), audits()) == (2, {})


def test_a_limit_that_is_raised_at_this_moment_refuses_nobody_for_nothing(make):
    alice, zone = make.account(), make.zone()
    set_limit(kind="volume", limit=100, account=alice)

    def work(number):
        for turn in range(6):
            if number:
                admit(Volume, fresh(alice), name="v", size=1, zone=zone)
            else:
                set_limit(kind="volume", limit=101 + turn, account=alice)

    in_threads(work)

    assert (Volume.all_tenants.count(), audits()) == (90, {})


def test_wrong_passwords_at_once_are_refused_alike_and_disable_the_user_once(make):
    users.create(account=make.account(), person=EVE)
    said = set()

    def work(number):
        with pytest.raises(LoginRefused) as refusal:
            sign_on.authenticate("eve", "wrong")
        said.add(str(refusal.value)[:25])

    in_threads(work)

    eve = User.all_tenants.get(username="eve")
    assert (said, eve.state, eve.failed_logins) == ({"Failed to authenticate us"}, State.DISABLED, 16)


def test_who_logs_in_with_a_password_that_is_changed_meanwhile_is_not_in(make):
    eve = users.create(account=make.account(), person=EVE)
    root = make.root()
    known = sign_on.authenticate("eve", "secret")

    refusal = during(
        lambda: users.update(caller=root, user=fresh(eve), password="another"),
        lambda: sign_on.open_session(known),
    )

    assert (isinstance(refusal, LoginRefused), Session.objects.count()) == (True, 0)


@pytest.mark.parametrize("first_comes", ["account", "end"])
@pytest.mark.parametrize("change", ["delete", "update"])
def test_a_role_that_is_given_at_this_moment_stays_what_it_is(make, branch, first_comes, change):
    role = make.role(Kind.TENANT, name="given")
    read = Role.all_tenants.get(pk=role.pk)
    changes = {
        "delete": lambda: roles.delete(role=fresh(role)),
        "update": lambda: roles.update(role=fresh(role), kind=Kind.ROOT),
    }
    both = (lambda: accounts.create(domain=fresh(branch), role=read, person=EVE), changes[change])

    refusal = during(*(both if first_comes == "account" else reversed(both)))

    assert getattr(refusal, "code", 0) == 431
    assert Account.all_tenants.count() == (first_comes == "account")
    if first_comes == "account":
        assert (fresh(role).kind, fresh(role).removed) == (Kind.TENANT, None)


def test_an_account_is_made_once_whoever_asks(make, branch):
    role, went = make.role(Kind.TENANT), []

    def work(number):
        with suppress(InvalidParameter):
            accounts.create(domain=fresh(branch), role=Role.all_tenants.get(pk=role.pk), person=EVE)
            went.append(number)

    in_threads(work)

    assert (len(went), Account.all_tenants.count(), User.all_tenants.count(), audits()) == (1, 1, 1, {})


def test_a_tree_that_is_built_moved_renamed_and_torn_down_by_many_is_a_tree(make):
    root = make.domain()
    homes = [make.domain(f"home{n}", root) for n in range(3)]
    names = iter(range(10_000))

    def work(number):
        for turn in range(5):
            home = fresh(homes[(number + turn) % 3])
            with suppress(InvalidParameter):
                if number < 6:
                    domains.create(parent=home, name=f"d{next(names)}")
                elif number < 10:
                    domains.move(domain=home, parent=fresh(homes[(number + turn + 1) % 3]) if turn % 2 else root)
                elif number < 13:
                    domains.update(domain=home, name=f"{'n' * number}{next(names)}")
                elif leaf := Domain.all_tenants.filter(name__startswith="d", parent=home).first():
                    domains.remove(domain=leaf)

    in_threads(work)

    assert audits() == {}
    assert {fresh(row).parent_id for row in homes} <= {root.pk, *(row.pk for row in homes)}


def test_an_id_that_many_choose_for_their_jobs_is_given_once(make):
    alice, jobid, said = make.account(), unknown(), []
    volume = make.volume(alice)

    def work(number):
        try:
            named = {"resourceids": volume.uuid, "resourcetype": "Volume", "customjobid": jobid}
            dispatch.call(caller_for(fresh(alice)), "createTags", tags=[{"key": f"k{number}", "value": "v"}], **named)
            said.append(0)
        except CloudError as error:
            said.append(error.code)

    in_threads(work)

    assert (sorted(said), Job.objects.count()) == ([0] + [431] * 15, 1)
