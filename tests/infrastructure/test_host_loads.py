"""What hosts use is kept as they tell it: totals of the last, and samples that end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from apps.configuration.store import STORE
from apps.core.loads import LARGEST
from apps.infrastructure.models import Host, HostLoad, HostLoadSample
from apps.infrastructure.services import hosts, loads

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
MIB = 1 << 20
FIRST = loads.HostUse("one", 100.0, 700 * MIB, 10 * MIB, 5 * MIB, 0.5)
LATER = loads.HostUse("one", 280.0, 900 * MIB, 16 * MIB, 9 * MIB, 3.25)
STATS = ("cpuused", "memoryused", "networkkbsread", "networkkbswrite", "cpuloadaverage")


@pytest.fixture
def host(make):
    return make.host()  # of four cores


def minutes(number):
    return NOON + timedelta(minutes=number)


def samples(host):
    rows = HostLoadSample.objects.filter(host=host).order_by("at")
    return list(rows.values_list("at", "cpu_percent", "memory_bytes", "received_bytes", "sent_bytes"))


@pytest.fixture
def listed(api, make):
    root = make.root()
    return lambda **given: api(root, "listHosts", **given)["host"]


def test_totals_are_kept_and_what_came_in_between_is_a_sample(host):
    loads.note({host.pk: FIRST}, NOON)
    loads.note({host.pk: LATER}, minutes(1))

    assert HostLoad.objects.values_list("cpu_percent", "received_bytes", "load_average").get() == (75.0, 16 * MIB, 3.25)
    assert samples(host) == [
        (NOON, None, 700 * MIB, 10 * MIB, 5 * MIB),
        (minutes(1), 75.0, 900 * MIB, 6 * MIB, 4 * MIB),
    ]


def test_reports_that_come_more_often_than_the_interval_change_nothing(host):
    loads.note({host.pk: FIRST}, NOON)

    assert loads.note({host.pk: LATER}, NOON + timedelta(seconds=30)) == 0
    assert loads.note({host.pk: LATER}, NOON + timedelta(seconds=58)) == 1
    assert len(samples(host)) == 2


def test_a_host_that_started_anew_has_used_what_it_says_since(host):
    loads.note({host.pk: LATER}, NOON)

    loads.note({host.pk: replace(FIRST, epoch="two")}, minutes(1))

    assert samples(host)[1] == (minutes(1), None, 700 * MIB, 10 * MIB, 5 * MIB)


def test_a_card_that_was_taken_away_is_no_traffic_below_none(host):
    loads.note({host.pk: LATER}, NOON)

    loads.note({host.pk: replace(LATER, received_bytes=MIB)}, minutes(1))

    assert samples(host)[1] == (minutes(1), 0.0, 900 * MIB, 0, 0)


def test_nothing_is_kept_where_the_interval_is_none(host):
    STORE.store("host.stats.interval", "0")
    STORE.forget()

    assert loads.note({host.pk: FIRST}, NOON) == 0
    assert (HostLoad.objects.count(), HostLoadSample.objects.count()) == (0, 0)


def test_a_host_that_is_not_known_is_not_noted(host):
    assert loads.note({host.pk: FIRST, host.pk + 7: FIRST}, NOON) == 1


def test_many_hosts_cost_what_one_costs(make, django_assert_num_queries):
    keys = [make.host(f"h{n}").pk for n in range(20)]
    loads.note(dict.fromkeys(keys, FIRST), NOON)

    for chosen in (keys[:1], keys):
        at = minutes(1 if len(chosen) == 1 else 3)
        with django_assert_num_queries(6):  # two of them begin and end the transaction
            loads.note(dict.fromkeys(chosen, LATER), at)


def test_samples_end(host):
    for number in range(5):
        loads.note({host.pk: FIRST}, minutes(number))
    STORE.store("host.stats.max.retention.time", "2")
    STORE.forget()

    assert loads.forget_old(minutes(4)) == 2
    assert [at for at, *_ in samples(host)] == [minutes(2), minutes(3), minutes(4)]
    assert HostLoad.objects.count() == 1


def test_a_host_that_is_removed_uses_nothing_any_more(host):
    loads.note({host.pk: FIRST}, NOON)

    hosts.delete(host=host, forced=True)

    assert HostLoad.objects.count() == 0


GOOD = {"epoch": "e", "cpu_seconds": 1.5, "memory_bytes": 1, "received_bytes": 2, "sent_bytes": 3, "load_average": 0.1}


@pytest.mark.parametrize(
    "wrong", [{}, GOOD | {"cpu_seconds": "x"}, GOOD | {"memory_bytes": None}, GOOD | {"load_average": []}]
)
def test_what_is_no_measurement_is_said_to_be_none(wrong):
    with pytest.raises((KeyError, TypeError, ValueError)):
        loads.read(wrong)


def test_numbers_beyond_reason_are_cut_to_what_a_column_takes():
    wild = {"epoch": "e" * 50, "cpu_seconds": float("inf"), "received_bytes": 1 << 80, "sent_bytes": -5}

    use = loads.read(GOOD | wild)

    assert (len(use.epoch), use.received_bytes, use.sent_bytes) == (32, LARGEST, 0)
    assert use.cpu_seconds == LARGEST


def test_lists_of_hosts_tell_what_each_used_last(listed, host):
    loads.note({host.pk: FIRST}, NOON)
    loads.note({host.pk: LATER}, minutes(1))

    told = listed()[0]

    assert [told[name] for name in STATS] == ["75%", 900 * MIB, 16384, 9216, 3.25]
    assert "stats" not in told


def test_one_that_is_not_up_or_whose_load_was_not_asked_for_tells_none(listed, host):
    loads.note({host.pk: FIRST}, NOON)

    assert [name for name in STATS if name in listed(details="capacity")[0]] == []
    Host.all_tenants.filter(pk=host.pk).update(status="Disconnected")
    assert [name for name in STATS if name in listed()[0]] == []


def test_the_samples_since_a_date_are_told_with_it(listed, host, make):
    make.host("h2")
    for number, use in enumerate((FIRST, FIRST, LATER)):
        loads.note({host.pk: use}, minutes(number))

    told = listed(startdate="2026-11-26T12:01:00+0000")

    assert [each["stats"] for each in told] == [
        [
            {
                "cpuused": "0%",
                "timestamp": "2026-11-26T12:01:00+0000",
                "memoryused": 700 * MIB,
                "networkkbsread": 0,
                "networkkbswrite": 0,
            },
            {
                "cpuused": "75%",
                "timestamp": "2026-11-26T12:02:00+0000",
                "memoryused": 900 * MIB,
                "networkkbsread": 6144,
                "networkkbswrite": 4096,
            },
        ],
        [],
    ]
    ended = listed(id=host.uuid, startdate="2026-11-26T11:00:00+0000", enddate="2026-11-26T12:00:30+0000")
    assert len(ended[0]["stats"]) == 1
