from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.tenants import caller_for
from apps.machines.models import VirtualMachine
from apps.machines.services import loads
from apps.portal.compute import load

MIB = 1 << 20


@pytest.fixture
def vm(make):
    row = make.vm(make.account(), name="web", cpus=2, memory_mib=1024)
    VirtualMachine.all_tenants.filter(pk=row.pk).kernel_update(state="Running")
    return row


@pytest.fixture
def page(browser, vm):
    alice = browser(caller_for(vm.owner))
    return lambda query="": alice.page(f"/machines/{vm.uuid}{query}")


def measured(vm, minutes, *, ago=0):
    """A machine that is half busy, gets 6 MiB a minute and writes 3."""
    now = timezone.now() - timedelta(minutes=ago)
    for at in range(minutes, -1, -1):
        done = 1000 - at
        use = loads.Use("e", done * 60.0, 524288, done * 6 * MIB, 0, 0, done * 3 * MIB, 0, 0)
        loads.note({vm.pk: use}, now - timedelta(minutes=at))


def test_a_machine_that_was_measured_has_its_load_drawn(page, vm):
    measured(vm, 10)

    shown = page()

    assert shown.count('<svg class="plot"') == 4
    said = ("Processor: 50.0 %", "Memory in use: 512 MiB of 1 GiB")
    said += ("Network in: 102.4 KiB/s", "Disk writes: 51.2 KiB/s")
    assert [text for text in said if text not in shown] == []


def test_one_that_was_not_has_no_empty_charts(page, vm):
    measured(vm, 1)

    assert '<svg class="plot"' not in page()


def test_the_range_is_chosen(page, vm):
    measured(vm, 10, ago=100)

    assert "Nothing was measured in this time." in page("?hours=1")
    assert page("?hours=3").count('<svg class="plot"') == 4
    assert page("?hours=77").count('<svg class="plot"') == 4


def test_a_long_line_keeps_its_peaks():
    points = [1.0] * 1000
    points[777] = 9.0

    thin = load._thinned(points)

    assert (len(thin), max(thin)) == (load.POINTS, 9.0)
