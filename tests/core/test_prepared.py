"""What a prepared statement answers is what its queryset answers, each time anew."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import Account, User
from apps.core.prepared import KeysSlot, Prepared, Slot, changed
from apps.domains.models import Domain
from apps.jobs.models import Job
from apps.limits.models import Counter

pytestmark = pytest.mark.django_db


def test_models_come_with_what_is_selected_with_them(make, django_assert_num_queries):
    alice = make.account("alice")
    asked = Prepared(lambda: Account.all_tenants.select_related("domain", "role").filter(name=Slot("name")))

    with django_assert_num_queries(1):
        (row,) = asked(name="alice")
        assert (row.pk, row.domain.name, row.role.kind) == (alice.pk, "ROOT", alice.role.kind)

    assert row._state.adding is False
    assert asked(name="bob") == []
    make.account("bob")
    assert [found.name for found in asked(name="bob")] == ["bob"]


def test_rows_that_are_not_there_are_none_or_an_error(make):
    asked = Prepared(lambda: Account.all_tenants.filter(pk=Slot("key")))
    row = make.account()

    assert asked.first(key=row.pk) == asked.one(key=row.pk) == row
    assert asked.first(key=row.pk + 1) is None
    with pytest.raises(Account.DoesNotExist):
        asked.one(key=row.pk + 1)


def test_ids_times_and_documents_are_stored_and_read_as_the_fields_do_it(make):
    now = timezone.now()
    job = Job.objects.create(account=make.account(), command="x", params={"a": [1]}, completed=now)
    asked = Prepared(lambda: Job.objects.filter(uuid=Slot("uuid"), completed__lte=Slot("at")))

    (row,) = asked(uuid=job.uuid, at=now)

    assert (row.uuid, row.params, row.completed) == (job.uuid, {"a": [1]}, now)
    assert asked(uuid=job.uuid, at=now - timedelta(seconds=1)) == []


def test_values_are_tuples_or_alone(make):
    root, one = make.domain(), make.domain("one", make.domain())
    pairs = Prepared(
        lambda: Domain.all_tenants.filter(pk__among=KeysSlot("keys")).order_by("pk").values_list("pk", "name")
    )
    names = Prepared(
        lambda: Domain.all_tenants.filter(pk__among=KeysSlot("keys")).order_by("-pk").values_list("name", flat=True)
    )

    assert pairs(keys=[root.pk, one.pk]) == [(root.pk, "ROOT"), (one.pk, "one")]
    assert names(keys={one.pk: 0, root.pk: 0}) == ["one", "ROOT"]


def test_no_keys_and_nobody_are_not_asked(make, django_assert_num_queries):
    make.domain()
    among = Prepared(lambda: Domain.all_tenants.filter(pk__among=KeysSlot("keys")))
    nobody = Prepared(lambda: Domain.all_tenants.filter(pk__in=(), name=Slot("name")))

    with django_assert_num_queries(0):
        assert (among(keys=[]), nobody(name="ROOT")) == ([], [])


@pytest.mark.parametrize("wrong", ["1) OR (1=1", 1.5])
def test_what_is_no_key_never_becomes_sql(wrong):
    among = Prepared(lambda: Domain.all_tenants.filter(pk__among=KeysSlot("keys")))

    with pytest.raises((ValueError, TypeError)):
        among(keys=[wrong])


def test_a_value_stays_a_value_whatever_it_looks_like(make):
    row = make.domain("%s' OR '1'='1 <keys keys>")
    asked = Prepared(lambda: Domain.all_tenants.filter(name=Slot("name"), pk__among=KeysSlot("keys")))

    assert asked(name="%s' OR '1'='1 <keys keys>", keys=[row.pk]) == [row]
    assert asked(name="x' OR '1'='1", keys=[row.pk]) == []


def test_what_its_answers_would_lose_is_refused(make):
    make.domain()
    asked = Prepared(lambda: Domain.all_tenants.filter(name=Slot("name")).values("name"))

    with pytest.raises(TypeError, match="models, tuples or single values"):
        asked(name="ROOT")


def test_rows_are_changed_where_they_are_as_said_and_counted(make):
    alice, bob = make.account("alice"), make.account("bob")
    user = User.all_tenants.get(account=alice)

    assert changed(Account, {"pk": alice.pk, "removed": None}, {"name": "carol"}) == 1
    assert changed(Account, {"pk": bob.pk, "name": "alice"}, {"name": "x"}) == 0
    assert changed(User, {"pk": user.pk}, {"account": bob, "removed": None}) == 1
    assert changed(Account, {"pk": bob.pk}, {"name": "bob"}) == 1  # found, if as it was

    assert [row.name for row in Account.all_tenants.order_by("pk")] == ["carol", "bob"]
    assert User.all_tenants.get(pk=user.pk).account == bob


def test_a_column_that_is_empty_is_none_that_has_a_value(make):
    row = make.account()
    row.mark_removed()

    assert changed(Account, {"pk": row.pk, "removed": None}, {"name": "x"}) == 0
    assert changed(Account, {"pk": row.pk, "alive": None}, {"name": "y"}) == 1
    assert Account.including_removed.get(pk=row.pk).name == "y"


def test_numbers_are_added_to_where_there_is_room(make):
    row = Counter.objects.create(account=make.account(), kind="user_vm", used=3)

    assert changed(Counter, {"pk": row.pk, "limit": None}, plus={"used": 2}, most={"used": 3}) == 1
    assert changed(Counter, {"pk": row.pk}, plus={"used": 1}, most={"used": 4}) == 0
    assert changed(Counter, {"pk": row.pk}, {"limit": 9}, plus={"used": -1}) == 1

    row.refresh_from_db()
    assert (row.used, row.limit) == (4, 9)
