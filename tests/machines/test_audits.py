"""Each check finds what was broken, and nothing before."""

import pytest

from apps.core.audit import CHECKS
from apps.infrastructure.models import Host
from apps.machines.models import Reservation, VirtualMachine
from apps.machines.services import placement

HELD = "hosts: what is promised is what machines hold there"
PLACED = "machines: one that runs holds a place on its host"
IDLE = "machines: one that does not run holds no place"


@pytest.fixture
def vm(park):
    """Runs on h1."""
    park.host("h1")
    vm = park.machine(disks=())
    VirtualMachine.all_tenants.filter(pk=vm.pk).kernel_update(state="Running", host=placement.reserve(vm))
    park.host("h2")
    return VirtualMachine.all_tenants.get(pk=vm.pk)


def findings():
    return {subject: found for subject in (HELD, PLACED, IDLE) if (found := list(CHECKS[subject]()))}


def test_nothing_is_found_where_nothing_is_wrong(vm):
    assert findings() == {}


@pytest.mark.parametrize(
    ("values", "figures"),
    [
        ({"guests": 2}, "2 machines, 1000 MHz, 1024 MiB"),
        ({"cpu_mhz_used": 0}, "1 machines, 0 MHz, 1024 MiB"),
        ({"memory_mib_used": 1}, "1 machines, 1000 MHz, 1 MiB"),
    ],
)
def test_a_host_that_promised_something_else_than_is_held(vm, values, figures):
    Host.all_tenants.filter(name="h1").kernel_update(**values)

    assert findings() == {HELD: [f"host h1 has promised {figures}; machines hold 1 machines, 1000 MHz, 1024 MiB"]}


def test_a_machine_that_runs_without_a_place(vm):
    placement.unreserve(vm)

    assert findings() == {PLACED: [f"machine {vm.uuid} is Running and holds no place"]}


def test_a_machine_that_runs_on_another_host_than_it_holds(vm):
    VirtualMachine.all_tenants.kernel_update(host=Host.all_tenants.get(name="h2"))

    assert findings() == {PLACED: [f"machine {vm.uuid} is Running and holds a place on h1 instead"]}


@pytest.mark.parametrize("state", ["Stopped", "Destroyed", "Expunging", "Error", "Restoring"])
def test_a_machine_that_holds_a_place_and_does_not_run(vm, state):
    VirtualMachine.all_tenants.kernel_update(state=state, host=None)

    assert findings() == {IDLE: [f"machine {vm.uuid} is {state} and holds a place on h1"]}


@pytest.mark.parametrize("state", ["Starting", "Stopping"])
def test_a_machine_on_its_way_up_or_down_may_hold_its_place(vm, state):
    VirtualMachine.all_tenants.kernel_update(state=state)

    assert (findings(), Reservation.objects.count()) == ({}, 1)
