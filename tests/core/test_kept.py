import os

import pytest
from django.db import transaction

from apps.core.kept import Kept


@pytest.fixture
def kept():
    made = Kept(seconds=60)
    made.taken(made.word())
    return made


def in_a_child(ask):
    """What a process that was forked from this one says to a question with yes or no."""
    pid = os.fork()
    if not pid:
        os._exit(int(bool(ask())))
    return bool(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def test_a_copy_is_good_for_its_time(kept):
    assert kept.is_good

    kept.taken(kept.word())
    kept._until = 0

    assert not kept.is_good


@pytest.mark.django_db(transaction=True)
def test_a_change_is_seen_at_once_by_who_makes_it_and_by_others_when_it_is_committed(kept):
    other = Kept(seconds=60)
    other._place = kept._place  # what another process has kept
    other.taken(other.word())

    with transaction.atomic():
        kept.outdated()
        assert (kept.is_good, other.is_good) == (False, True)

    assert (kept.is_good, other.is_good) == (False, False)


@pytest.mark.django_db(transaction=True)
def test_what_is_taken_back_makes_no_copy_old(kept):
    other = Kept(seconds=60)
    other._place = kept._place
    other.taken(other.word())

    with transaction.atomic():
        kept.outdated()
        transaction.set_rollback(True)

    assert other.is_good


def test_processes_of_one_tree_tell_each_other(kept):
    assert in_a_child(lambda: kept.is_good)

    in_a_child(kept._tell)

    assert not kept.is_good
    assert not in_a_child(lambda: kept.is_good)


def test_a_change_while_rows_are_read_is_not_lost(kept):
    began = kept.word()
    kept._tell()

    kept.taken(began)

    assert not kept.is_good


def test_each_copy_has_a_word_of_its_own(kept):
    other = Kept(seconds=60)
    other.taken(other.word())

    kept._tell()

    assert other.is_good
