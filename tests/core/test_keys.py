import pytest

from apps.core.keys import Keys
from apps.domains.models import Domain
from apps.network.models import Network

pytestmark = pytest.mark.django_db


def test_rows_and_references_among_keys(make):
    root, one, two = make.domain(), make.domain("one", make.domain()), make.domain("two", make.domain())

    by_key = Domain.all_tenants.filter(pk__among=Keys([two.pk, one.pk])).order_by("pk")
    by_reference = Domain.all_tenants.filter(parent__among=Keys({root.pk: 0})).order_by("pk")

    assert [row.name for row in by_key] == ["one", "two"]
    assert [row.name for row in by_reference] == ["one", "two"]


def test_no_keys_are_no_rows_and_no_query(make, django_assert_num_queries):
    make.domain()

    with django_assert_num_queries(0):
        assert list(Domain.all_tenants.filter(pk__among=Keys([]))) == []


def test_more_keys_than_a_statement_has_places(make):
    row = make.domain()

    found = Domain.all_tenants.filter(pk__among=Keys(range(row.pk, row.pk + 300_000)))

    assert list(found) == [row]


@pytest.mark.parametrize("wrong", ["1", "1) OR (1=1", 1.5, None])
def test_what_is_no_integer_never_becomes_sql(wrong):
    with pytest.raises((ValueError, TypeError)):
        Network.all_tenants.filter(pk__among=Keys([1, wrong]))
