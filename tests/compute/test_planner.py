import pytest

from apps.core.errors import CloudError
from apps.jobs import runner
from apps.jobs.models import Job
from apps.machines.models import VirtualMachine


def test_root_names_the_planner_of_a_call_and_others_are_not_heard(world):
    world.setting("vm.deployment.planner", "UserDispersingPlanner")
    wanted = {"deploymentplanner": "UserConcentratedPodPlanner"}
    alice = {"account": "alice", "domainid": world.alice.account.domain}

    named = world.submit("deployVirtualMachine", world.root, **wanted, **world.order(**alice))
    unheard = world.submit("deployVirtualMachine", **wanted, **world.order())
    runner.drain()

    planners = [Job.objects.get(uuid=got["jobid"]).explanation["planner"] for got in (named, unheard)]
    assert planners == ["UserConcentratedPodPlanner", "UserDispersingPlanner"]


def test_a_start_is_planned_as_root_says(world):
    vm = world.deploy(name="web")
    world.do("stopVirtualMachine", id=vm.uuid)

    got = world.submit("startVirtualMachine", world.root, id=vm.uuid, deploymentplanner="UserDispersingPlanner")
    runner.drain()

    assert Job.objects.get(uuid=got["jobid"]).explanation["planner"] == "UserDispersingPlanner"
    assert world.read(vm).state == "Running"


def test_a_planner_that_is_not_there_is_refused_and_makes_nothing(world):
    with pytest.raises(CloudError, match="deploymentplanner"):
        world.submit("deployVirtualMachine", world.root, deploymentplanner="Best", **world.order())

    assert VirtualMachine.all_tenants.count() == 0
