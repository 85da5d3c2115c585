from datetime import timedelta

import pytest
from django.utils import timezone

from apps.infrastructure.services import loads

pytestmark = pytest.mark.django_db
MIB = 1 << 20


@pytest.fixture
def host(make):
    return make.row("infrastructure.Host", None)  # four cores, 8 GiB


@pytest.fixture
def page(browser, make, host):
    root = browser(make.root())
    return lambda query="": root.page(f"/hosts/{host.uuid}{query}")


def measured(host, minutes):
    """Half busy, with 6 MiB in and 3 out a minute."""
    now = timezone.now()
    for at in range(minutes, -1, -1):
        done = 1000 - at
        use = loads.HostUse("e", done * 120.0, 3 << 30, done * 6 * MIB, done * 3 * MIB, 2.0)
        loads.note({host.pk: use}, now - timedelta(minutes=at))


def test_a_host_that_was_measured_has_its_load_drawn(page, host):
    measured(host, 10)

    shown = page()

    assert shown.count('<svg class="plot"') == 3
    said = ("Processor: 50.0 %", "Memory: 37.5 %", "Network: 153.6 KiB/s")
    assert [text for text in said if text not in shown] == []


def test_one_that_was_not_has_no_empty_charts(page, host):
    measured(host, 1)

    assert '<svg class="plot"' not in page()


def test_what_hosts_use_now_can_be_columns_of_their_list(browser, make, host):
    measured(host, 1)
    root = browser(make.root())

    root.post("/hosts", {"_token": root.token("/hosts?panel=columns"), "column": ["name", "cpuused", "memoryused"]})

    shown = root.page("/hosts")
    assert "50%" in shown
    assert "3 GiB" in shown
