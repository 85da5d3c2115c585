"""Networks that nobody uses are shut down, as often and as late as the operator says."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.jobs import schedule
from apps.jobs.models import FlowRun, Schedule
from apps.network.models import Network
from apps.network.schedules import INTERVAL, WAIT, shut_down_idle
from tests import centre
from tests.crash import work_off
from tests.network.scenes import check_network, start, up, world


def later(**how):
    """So much time has passed since the network was seen idle."""
    Network.all_tenants.filter(idle_since__isnull=False).update(idle_since=timezone.now() - timedelta(**how))


@pytest.fixture
def idle(db, make, monkeypatch):
    w = up(world(make, monkeypatch))
    centre.put(w.vm, "Stopped")
    return w


def test_an_idle_network_is_noted_and_goes_down_when_it_stayed_so(idle):
    shut_down_idle()
    work_off()
    assert Network.all_tenants.get().idle_since is not None
    check_network(idle, "Implemented")
    later(seconds=WAIT.default - 10)
    shut_down_idle()
    work_off()
    check_network(idle, "Implemented")

    later(seconds=WAIT.default + 1)
    shut_down_idle()
    work_off()

    check_network(idle, "Allocated")
    assert Network.all_tenants.get().idle_since is None


def test_a_machine_that_comes_meanwhile_ends_the_waiting(idle):
    shut_down_idle()
    later(hours=1)
    start(idle.vm, idle.network)
    work_off()

    shut_down_idle()
    work_off()

    check_network(idle, "Implemented")
    assert Network.all_tenants.get().idle_since is None


@pytest.mark.parametrize("state", ["Starting", "Running", "Stopping"])
def test_a_network_with_a_machine_that_runs_or_begins_to_is_not_idle(db, make, monkeypatch, state):
    w = up(world(make, monkeypatch))
    centre.put(w.vm, state)

    shut_down_idle()

    assert Network.all_tenants.get().idle_since is None


def test_the_wait_is_the_operators(idle, set_to):
    set_to("network.gc.wait", "0")

    shut_down_idle()
    work_off()

    check_network(idle, "Allocated")


def test_the_look_comes_as_often_as_the_operator_says(set_to):
    entry = schedule.SCHEDULES["network.gc"]
    assert (entry.every, entry.pause) == (INTERVAL, timedelta(seconds=600))
    schedule.run_due()
    set_to("network.gc.interval", "20")

    schedule.run_due()

    assert Schedule.objects.get(name="network.gc").next_at <= timezone.now() + timedelta(seconds=20)


def test_looking_costs_the_same_for_one_network_and_for_many(db, make, monkeypatch):
    w = up(world(make, monkeypatch, segments=40, public=40))
    costs = []
    for more in (2, 30):
        for n in range(more):
            network = centre.isolated(w.centre, make.account(f"a{more}-{n}"))
            Network.all_tenants.filter(pk=network.pk).kernel_update(state="Implemented")
        with CaptureQueriesContext(connection) as queries:
            shut_down_idle()
        costs.append(len(queries))

    assert costs[0] == costs[1]
    assert Network.all_tenants.filter(idle_since=None).count() == 1


def test_one_shutdown_is_begun_for_a_network_whatever_the_number_of_looks(idle):
    shut_down_idle()
    later(hours=1)

    shut_down_idle()
    shut_down_idle()

    assert FlowRun.objects.filter(flow="network.shutdown").count() == 1
