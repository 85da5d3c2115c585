"""An account is disabled: its machines stop, and all that it has stays."""

import pytest

from apps.accounts.models import Account
from apps.core.errors import CloudError
from apps.hypervisors.errors import Busy, Unknown
from apps.jobs import runner
from apps.machines.models import Nic, VirtualMachine
from apps.storage.models import Volume
from tests.compute.world import World, check, settle
from tests.conftest import answer
from tests.crash import matrix


def disable(world, *, lock=False):
    return world.submit("disableAccount", world.root, id=world.alice.account.uuid, lock=lock)["jobid"]


def what_is_there():
    return [model.all_tenants.count() for model in (VirtualMachine, Volume, Nic)]


def states(world):
    check(world)
    return dict(VirtualMachine.all_tenants.filter(kind="User").values_list("name", "state"))


def runs(world, vm):
    return bool(world.cloud.running.get(str(vm.uuid)))


def test_what_runs_stops_and_all_stays(world, make):
    running, stopped = world.deploy(name="running"), world.deploy(name="stopped")
    world.do("stopVirtualMachine", id=stopped.uuid)
    bob = make.caller("bob")
    own = {"name": "bobs", "templateid": make.template(bob.account, name="bobs")}
    other = world.do("deployVirtualMachine", bob, **world.order(**own))["virtualmachine"]["id"]
    before = what_is_there()

    job = disable(world)
    runner.drain()
    settle()

    assert answer(job)["account"]["state"] == "disabled"
    assert states(world) == {"running": "Stopped", "stopped": "Stopped", "bobs": "Running"}
    assert (runs(world, running), runs(world, world.read(other))) == (False, True)
    assert what_is_there() == before


def test_locked_it_goes_on_running(world):
    vm = world.deploy(name="web")

    job = disable(world, lock=True)
    runner.drain()

    assert answer(job)["account"]["state"] == "locked"
    assert (states(world), runs(world, vm)) == ({"web": "Running"}, True)


def test_killed_at_every_point_it_is_closed_and_nothing_runs(db, make, monkeypatch):
    world = World(make, monkeypatch)
    world.deploy(name="web")
    assert world.root

    def scene():
        world.again().job = disable(world)
        return world

    def verdict(world, lost):
        settle()
        if lost:
            with pytest.raises(CloudError):
                answer(world.job)
            world.job = disable(world)
            runner.drain()
            settle()
        assert Account.all_tenants.get(pk=world.alice.account.pk).state == "disabled"
        assert states(world) == {"web": "Stopped"}
        assert not any(world.cloud.running.values())

    assert matrix(scene, verdict, every=2) >= 10


@pytest.mark.parametrize("error", [Busy("later"), Unknown("lost")], ids=["busy", "unknown"])
def test_a_machine_that_does_not_stop_at_once_is_waited_for(world, error):
    vm = world.deploy(name="web")
    world.fail("power.stop", error, times=2)

    job = disable(world)
    runner.drain()
    world.cloud.land()
    settle()

    assert answer(job)["account"]["state"] == "disabled"
    assert (states(world), runs(world, vm)) == ({"web": "Stopped"}, False)


def test_enabled_again_its_machines_start(world):
    vm = world.deploy(name="web")
    world.submit("disableAccount", world.root, id=world.alice.account.uuid, lock=False)
    runner.drain()
    world.do("enableAccount", world.root, id=world.alice.account.uuid)

    world.do("startVirtualMachine", id=vm.uuid)

    assert (states(world), runs(world, vm)) == ({"web": "Running"}, True)
