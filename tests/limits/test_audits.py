"""Counters that say something else than what is there are found."""

from types import SimpleNamespace

import pytest

from apps.accounts.services.domains import move
from apps.core.audit import CHECKS
from apps.core.errors import LimitExceeded
from apps.limits.kinds import BY_NAME
from apps.limits.models import Counter
from apps.limits.services import recount
from apps.storage.models import Volume

ACCOUNTS = "limits: counters of accounts are what their accounts have"
DOMAINS = "limits: counters of domains are what is in their trees"


@pytest.fixture
def w(make, db):
    """An account with a volume, in a domain that is counted below another that is counted."""
    top = make.domain("top", make.domain())
    alice = make.account("alice", make.domain("below", top))
    volume = make.volume(alice)
    for domain in (top, alice.domain):
        Counter.objects.create(domain=domain, kind="volume", limit=5)
        recount(kind=BY_NAME["volume"], domain=domain)
    assert findings() == {}
    return SimpleNamespace(alice=alice, top=top, volume=volume)


def findings():
    return {subject: found for subject in (ACCOUNTS, DOMAINS) if (found := list(CHECKS[subject]()))}


def test_a_counter_that_says_too_much(w):
    Counter.objects.filter(account=w.alice, kind="volume").update(used=2)

    assert findings() == {ACCOUNTS: [f"account {w.alice.pk}: volume is 1, its counter says 2"]}


def test_a_sum_that_says_too_little(w):
    Counter.objects.filter(account=w.alice, kind="primary_storage").update(used=1)

    assert findings() == {ACCOUNTS: [f"account {w.alice.pk}: primary_storage is {w.volume.size}, its counter says 1"]}


def test_a_counter_that_is_not_there(w):
    Counter.objects.filter(account=w.alice, kind="volume").delete()

    assert findings() == {ACCOUNTS: [f"account {w.alice.pk}: volume is 1, its counter says 0"]}


def test_a_row_that_counts_and_went_without_giving_back(w):
    Volume.all_tenants.filter(pk=w.volume.pk).kernel_update(removed="2026-01-01T00:00Z")

    assert sorted(findings()) == [ACCOUNTS, DOMAINS]


def test_a_counter_of_a_domain_far_above(w):
    Counter.objects.filter(domain=w.top).update(used=0)

    assert findings() == {DOMAINS: [f"domain {w.top.pk}: volume is 1, its counter says 0"]}


def test_a_domain_that_moves_takes_its_amounts_along(w, make):
    other = make.domain("other", make.domain())
    Counter.objects.create(domain=other, kind="volume", limit=5)

    move(domain=w.alice.domain, parent=other)

    assert findings() == {}
    used = dict(Counter.objects.exclude(domain=None).values_list("domain__name", "used"))
    assert used == {"top": 0, "below": 1, "other": 1}


def test_a_domain_does_not_move_where_its_amounts_are_above_the_limit(w, make):
    other = make.domain("other", make.domain())
    Counter.objects.create(domain=other, kind="volume", limit=0)
    path = w.alice.domain.path

    with pytest.raises(LimitExceeded, match="Maximum domain resource limits of Type 'volume'"):
        move(domain=w.alice.domain, parent=other)

    w.alice.domain.refresh_from_db()
    assert (w.alice.domain.path, findings()) == (path, {})
