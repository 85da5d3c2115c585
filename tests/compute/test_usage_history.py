from datetime import timedelta

import pytest
from django.utils import timezone

from apps.machines.services import loads
from tests.machines.test_loads import FIRST, LATER


@pytest.fixture
def used(world):
    """Two machines, one of which was measured twice within the last ten minutes."""
    now = timezone.now()
    vm, idle = world.deploy(name="web"), world.deploy(name="idle")
    loads.note({vm.pk: FIRST}, now - timedelta(minutes=10))
    loads.note({vm.pk: LATER}, now - timedelta(minutes=9))
    return vm, idle


def listed(world, caller=None, **given):
    return world.do("listVirtualMachines", caller, **given).get("virtualmachine", [])


def history(world, caller=None, **given):
    rows = world.do("listVirtualMachinesUsageHistory", caller, **given).get("virtualmachine", [])
    return {row["name"]: row["stats"] for row in rows}


def test_machines_tell_what_they_use(world, used):
    vm, idle = used
    wanted = {
        "cpuused": f"{90 / 60 / vm.cpus * 100:.2f}".rstrip("0").rstrip(".") + "%" if vm.cpus > 1 else "100%",
        "memorykbs": 524288,
        "networkkbsread": 16384,
        "networkkbswrite": 9216,
        "diskkbsread": 3072,
        "diskkbswrite": 4096,
        "diskioread": 30,
        "diskiowrite": 70,
    }

    web, other = listed(world, id=vm.uuid)[0], listed(world, id=idle.uuid)[0]

    assert {name: web.get(name) for name in wanted} == wanted
    assert not wanted.keys() & other.keys()
    assert not wanted.keys() & listed(world, id=vm.uuid, details="min")[0].keys()
    assert wanted.keys() <= listed(world, id=vm.uuid, details="stats")[0].keys()


def test_one_that_does_not_run_uses_nothing_and_has_a_history(world, used):
    vm, _ = used
    world.do("stopVirtualMachine", id=vm.uuid)

    assert "cpuused" not in listed(world, id=vm.uuid)[0]
    assert len(history(world, id=vm.uuid)["web"]) == 2


def test_samples_come_in_their_order_with_what_was_used_in_between(world, used):
    vm, _ = used

    stats = history(world)

    assert stats["idle"] == []
    first, second = stats["web"]
    assert first["timestamp"] < second["timestamp"]
    assert "cpuused" not in first
    assert second["cpuused"] == f"{150 / vm.cpus:g}%" if vm.cpus > 1 else "100%"
    assert (second["networkkbsread"], second["networkread"]) == (6144, "6.00 MB")
    assert (second["diskkbswrite"], second["diskiowrite"], second["diskiopstotal"]) == (2048, 50, 50)


def test_dates_cut(world, used):
    now = timezone.now()
    middle = f"{now - timedelta(minutes=9, seconds=30):%Y-%m-%dT%H:%M:%S+0000}"

    assert [len(history(world, **{name: middle})["web"]) for name in ("startdate", "enddate")] == [1, 1]


def test_nobody_sees_those_of_others(world, make, used):
    vm, _ = used
    bob = make.caller("bob")

    assert history(world, bob) == history(world, bob, id=vm.uuid) == {}
