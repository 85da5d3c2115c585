"""One statement is a transaction by itself, and is tried again as a transaction is."""

import pytest
from django.db import OperationalError

from apps.core.prepared import changed
from apps.core.retry import DEADLOCK, TRIES, alone, atomically
from apps.domains.models import Domain

pytestmark = pytest.mark.django_db
VICTIM = OperationalError(DEADLOCK, "chosen as the victim")


def failing(*errors):
    """Raises these one after another, then changes the name of all domains; and how often it was called."""
    left, calls = list(errors), []

    def work(row):
        calls.append(row.pk)
        if left:
            raise left.pop(0)
        return changed(Domain, {"pk": row.pk}, {"name": "new"})

    return work, calls


def test_one_statement_opens_no_transaction(make, django_assert_num_queries):
    row, (work, calls) = make.domain(), failing()

    with django_assert_num_queries(1):
        assert alone(work)(row) == 1

    assert (calls, Domain.all_tenants.get().name) == ([row.pk], "new")


@pytest.mark.parametrize("way", [alone, atomically])
def test_the_victim_of_a_deadlock_is_tried_again(make, way):
    row, (work, calls) = make.domain(), failing(VICTIM, VICTIM)

    assert way(work)(row) == 1

    assert len(calls) == 3


@pytest.mark.parametrize("way", [alone, atomically])
def test_not_for_ever_and_not_for_another_error(make, way):
    row = make.domain()
    always, tries = failing(*[VICTIM] * (TRIES + 1))
    other, once = failing(OperationalError(1064, "syntax"))

    for work in (always, other):
        with pytest.raises(OperationalError):
            way(work)(row)

    assert (len(tries), len(once)) == (TRIES, 1)
    assert Domain.all_tenants.get().name == "ROOT"


def test_within_a_transaction_the_transaction_is_tried_again(make):
    row, (work, calls) = make.domain(), failing(VICTIM)
    outer = []

    @atomically
    def whole():
        outer.append(row.pk)
        alone(work)(row)

    whole()

    assert (len(outer), len(calls)) == (2, 2)
