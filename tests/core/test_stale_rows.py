"""What counts is what the row is now, not what it was when somebody read it."""

import pytest

from apps.core.errors import ResourceInUse
from apps.core.ownership import count_again, reassign, release, resize, uncount
from apps.limits.models import Counter
from apps.storage.models import Volume

pytestmark = pytest.mark.django_db
KIND = "primary_storage"


@pytest.fixture
def alice(make):
    return make.account()


@pytest.fixture
def volume(make, alice):
    return make.volume(alice, size=5)


def used(account, kind=KIND):
    return dict(Counter.objects.filter(account=account).values_list("kind", "used"))[kind]


def again(row):
    return type(row).all_tenants.select_related("owner__domain").get(pk=row.pk)


def test_a_row_that_grew_gives_back_what_it_is(alice, volume):
    stale = again(volume)
    resize(volume, "size", 9)

    release(stale)

    assert (used(alice), used(alice, "volume")) == (0, 0)


def test_a_row_that_grew_stops_counting_as_what_it_is(alice, volume):
    stale = again(volume)
    resize(volume, "size", 9)

    assert uncount(stale)

    assert used(alice) == 0


def test_a_row_that_grew_counts_again_as_what_it_is(alice, volume):
    uncount(volume)
    stale = again(volume)
    resize(volume, "size", 9)

    assert count_again(stale)

    assert used(alice) == 9


def test_a_row_that_stopped_counting_gives_nothing_back_when_it_goes(alice, volume):
    stale = again(volume)
    uncount(volume)

    release(stale)

    assert (used(alice), used(alice, "volume")) == (0, 0)


def test_a_row_that_stopped_counting_is_not_resized_as_if_it_counted(alice, volume):
    stale = again(volume)
    uncount(volume)

    with pytest.raises(ResourceInUse, match="was changed meanwhile"):
        resize(stale, "size", 9)

    assert (used(alice), Volume.all_tenants.get(pk=volume.pk).size) == (0, 5)


def test_a_row_that_grew_takes_all_of_it_to_its_new_owner(make, alice, volume):
    bob, stale = make.account("bob"), again(volume)
    resize(volume, "size", 9)

    reassign(stale, bob)

    assert (used(alice), used(bob)) == (0, 9)
