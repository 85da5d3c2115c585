"""What machines use is kept as their hosts tell it: totals of the last, and samples that end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from apps.configuration.store import STORE
from apps.core.loads import LARGEST
from apps.machines.models import Load, LoadSample
from apps.machines.services import loads

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
MIB = 1 << 20
FIRST = loads.Use("one", 100.0, 524288, 10 * MIB, 5 * MIB, 3 * MIB, 2 * MIB, 30, 20)
LATER = loads.Use("one", 190.0, 524288, 16 * MIB, 9 * MIB, 3 * MIB, 4 * MIB, 30, 70)


@pytest.fixture
def vm(make):
    return make.vm(make.account(), cpus=2)


def minutes(number):
    return NOON + timedelta(minutes=number)


def last(vm):
    return Load.objects.values_list("cpu_percent", "received_bytes", "write_requests").get(vm=vm)


def samples(vm):
    rows = LoadSample.objects.filter(vm=vm).order_by("at")
    return list(rows.values_list("at", "cpu_percent", "received_bytes", "written_bytes", "write_requests"))


def test_totals_are_kept_and_what_came_in_between_is_a_sample(vm):
    loads.note({vm.pk: FIRST}, NOON)
    loads.note({vm.pk: LATER}, minutes(1))

    assert last(vm) == (75.0, 16 * MIB, 70)  # 90 seconds of two processors in a minute
    assert samples(vm) == [
        (NOON, None, 10 * MIB, 2 * MIB, 20),
        (minutes(1), 75.0, 6 * MIB, 2 * MIB, 50),
    ]


def test_reports_that_come_more_often_than_the_interval_change_nothing(vm):
    loads.note({vm.pk: FIRST}, NOON)

    assert loads.note({vm.pk: LATER}, NOON + timedelta(seconds=30)) == 0
    assert loads.note({vm.pk: LATER}, NOON + timedelta(seconds=58)) == 1
    assert len(samples(vm)) == 2


def test_who_counts_anew_has_used_what_it_says_since(vm):
    loads.note({vm.pk: LATER}, NOON)

    loads.note({vm.pk: replace(FIRST, epoch="two")}, minutes(1))

    assert last(vm) == (None, 10 * MIB, 20)
    assert samples(vm)[1] == (minutes(1), None, 10 * MIB, 2 * MIB, 20)


def test_nothing_is_kept_where_the_interval_is_none(vm):
    STORE.store("vm.stats.interval", "0")
    STORE.forget()

    assert loads.note({vm.pk: FIRST}, NOON) == 0
    assert (Load.objects.count(), LoadSample.objects.count()) == (0, 0)


def test_a_machine_that_is_not_known_is_not_noted(vm):
    assert loads.note({vm.pk: FIRST, vm.pk + 7: FIRST}, NOON) == 1


def test_a_hundred_machines_cost_what_one_costs(make, django_assert_num_queries):
    owner = make.account()
    keys = [make.vm(owner, name=f"vm{n}").pk for n in range(20)]
    loads.note(dict.fromkeys(keys, FIRST), NOON)

    for chosen in (keys[:1], keys):
        at = minutes(1 if len(chosen) == 1 else 3)
        with django_assert_num_queries(6):  # two of them begin and end the transaction
            loads.note(dict.fromkeys(chosen, LATER), at)


def test_samples_end(vm):
    for number in range(5):
        loads.note({vm.pk: FIRST}, minutes(number))
    STORE.store("vm.stats.max.retention.time", "2")
    STORE.forget()

    assert loads.forget_old(minutes(4)) == 2
    assert [at for at, *_ in samples(vm)] == [minutes(2), minutes(3), minutes(4)]
    assert Load.objects.count() == 1


@pytest.mark.parametrize(
    "wrong",
    [{}, {"epoch": "e"}, {"epoch": "e", "cpu_seconds": "x", "nics": [], "disks": []}, {"nics": [{}], "disks": []}],
)
def test_what_is_no_measurement_is_said_to_be_none(wrong):
    with pytest.raises((KeyError, TypeError, ValueError)):
        loads.read(wrong)


def test_numbers_beyond_reason_are_cut_to_what_a_column_takes():
    nic = {"received_bytes": 1 << 80, "sent_bytes": -5}

    use = loads.read({"epoch": "e" * 50, "cpu_seconds": float("inf"), "nics": [nic, nic], "disks": []})

    assert (len(use.epoch), use.received_bytes, use.sent_bytes) == (32, LARGEST, 0)
    assert use.cpu_seconds == LARGEST
