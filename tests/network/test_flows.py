"""Networks come up, go down and are made anew, whatever dies or fails on the way."""

import pytest

from apps.core import dispatch
from apps.core.errors import CloudError
from apps.hypervisors.errors import Busy, Refused, Unknown
from apps.jobs import runner
from apps.jobs.flows import begin
from apps.jobs.models import FlowRun, Job
from apps.machines.models import VirtualMachine
from apps.network.flows.restart import RESTART, Restart
from apps.network.flows.shutdown import SHUTDOWN, Shutdown
from apps.network.models import Network, PublicAddress, Segment
from apps.network.schedules import shut_down_idle
from tests import centre
from tests.conftest import answer
from tests.crash import let_time_pass, matrix, work_off
from tests.network import scenes
from tests.network.scenes import check_network, routers, start, up, world

EVER = {"times": 99}
AFTER, LATE = {"when": "after"}, {"when": "late"}
IMPLEMENTING = {
    "well": ("Implemented", ()),
    "with a host that refuses the router": ("Implemented", (("power.start", Refused("no"), {"host": "h1", **EVER}),)),
    "with hosts that all refuse it": ("Allocated", (("power.start", Refused("no"), EVER),)),
    "with a host that is busy at first": ("Implemented", (("power.start", Busy("later"), {"times": 2}),)),
    "with a start that times out and did not act": ("Implemented", (("power.start", Unknown("?"), {}),)),
    "with a start that times out and acted": ("Implemented", (("power.start", Unknown("?"), AFTER),)),
    "with starts that always time out": ("Allocated", (("power.start", Unknown("?"), {**AFTER, **EVER}),)),
    "with a document that is refused": ("Allocated", (("networks.apply", Refused("bad"), EVER),)),
    "with a document that times out and did not arrive": ("Implemented", (("networks.apply", Unknown("?"), {}),)),
    "with a document that times out and arrived": ("Implemented", (("networks.apply", Unknown("?"), AFTER),)),
    "and cannot undo at first": (
        "Allocated",
        (("networks.apply", Refused("bad"), EVER), ("power.stop", Unknown("?"), {"times": 2})),
    ),
    "and cannot forget the document at first": (
        "Allocated",
        (("networks.apply", Refused("bad"), EVER), ("networks.remove", Busy("later"), {"times": 2})),
    ),
}


def first_machine(make, monkeypatch, *faults):
    def begin_scene():
        w = world(make, monkeypatch, *faults)
        start(w.vm, w.network)
        return w

    return begin_scene


def check_first(w, state):
    w.vm.refresh_from_db()
    assert w.vm.state == ("Running" if state == "Implemented" else "Stopped")
    check_network(w, state)
    assert PublicAddress.all_tenants.count() == (1 if state == "Implemented" else 0)


@pytest.mark.parametrize("name", IMPLEMENTING)
def test_a_network_comes_up_or_takes_nothing(db, make, monkeypatch, name):
    state, faults = IMPLEMENTING[name]
    w = first_machine(make, monkeypatch, *faults)()

    work_off()

    check_first(w, state)


@pytest.mark.parametrize("name", ["well", "with a document that is refused", "with a start that times out and acted"])
def test_also_if_its_worker_is_killed_at_any_point(db, make, monkeypatch, name):
    state, faults = IMPLEMENTING[name]

    points = matrix(first_machine(make, monkeypatch, *faults), lambda w, lost: check_first(w, state))

    assert points >= 20


def test_a_start_that_arrives_late_is_waited_for(db, make, monkeypatch):
    w = first_machine(make, monkeypatch, ("power.start", Unknown("?"), LATE))()

    runner.drain()
    let_time_pass()
    runner.drain()
    assert Network.all_tenants.get().state == "Implementing"
    w.cloud.land()
    work_off()

    check_network(w, "Implemented")


def test_two_machines_bring_one_network_up_once_and_both_are_known(db, make, monkeypatch):
    w = world(make, monkeypatch)
    other = centre.machine(make, w.alice, w.network)
    start(w.vm, w.network), start(other, w.network)

    work_off()

    check_network(w, "Implemented")
    assert FlowRun.objects.filter(flow="network.implement").count() == 1
    assert [call.split()[0] for call in w.cloud.calls] == ["power.start", "networks.apply"]
    (document,) = w.cloud.routers[str(w.network.uuid)].values()
    assert len(document["dhcp"]) == 2


def test_a_machine_that_comes_to_a_network_that_is_up_is_told_before_it_starts(db, make, monkeypatch):
    w = up(world(make, monkeypatch))
    other = centre.machine(make, w.alice, w.network)
    start(other, w.network)

    work_off()

    check_network(w, "Implemented")
    assert [call.split()[0] for call in w.cloud.calls] == ["networks.apply"]
    assert FlowRun.objects.filter(flow="network.implement").count() == 1


def test_a_router_that_is_missing_comes_back_and_a_failure_takes_nothing_else_away(db, make, monkeypatch):
    w = up(world(make, monkeypatch))
    root = make.root()
    router = routers().get()
    dispatch.call(root, "destroyRouter", id=router.uuid)
    work_off()
    assert (routers().count(), Network.all_tenants.get().state) == (0, "Implemented")
    other = centre.machine(make, w.alice, w.network)
    w.cloud.fail("power.start", Refused("no"), times=2)
    start(other, w.network)
    work_off()
    other.refresh_from_db()
    assert (other.state, Network.all_tenants.get().state) == ("Stopped", "Implemented")
    assert Segment.objects.exclude(network=None).count() == 1

    start(other, w.network)
    work_off()

    check_network(w, "Implemented")


DOWN = {
    "well": ("Allocated", ()),
    "with a host that is busy": ("Allocated", (("power.stop", Busy("later"), {"times": 2}),)),
    "with a stop that times out and acted": ("Allocated", (("power.stop", Unknown("?"), AFTER),)),
    "with a stop that times out and did not act": ("Allocated", (("power.stop", Unknown("?"), {}),)),
    "with a document that stays at first": ("Allocated", (("networks.remove", Unknown("?"), AFTER),)),
}


def shutting_down(make, monkeypatch, *faults):
    def scene():
        w = up(world(make, monkeypatch))
        centre.put(w.vm, "Stopped")
        for call, error, how in faults:
            w.cloud.fail(call, error, **how)
        begin(SHUTDOWN, Shutdown(network_id=w.network.pk), child=True)
        return w

    return scene


def check_down(w, state):
    check_network(w, state)
    assert PublicAddress.all_tenants.count() == 1, "a network keeps its source NAT address"


@pytest.mark.parametrize("name", DOWN)
def test_a_shutdown_leaves_nothing_on_hosts(db, make, monkeypatch, name):
    state, faults = DOWN[name]
    w = shutting_down(make, monkeypatch, *faults)()

    work_off()

    check_down(w, state)


def test_nor_if_its_worker_is_killed_at_any_point(db, make, monkeypatch):
    state, faults = DOWN["with a stop that times out and acted"]

    assert matrix(shutting_down(make, monkeypatch, *faults), lambda w, lost: check_down(w, state)) >= 8


def test_a_shutdown_that_fails_goes_on_with_the_next_look(db, make, monkeypatch):
    w = up(world(make, monkeypatch))
    centre.put(w.vm, "Stopped")
    w.cloud.fail("power.stop", Unknown("no route"), times=6)
    begin(SHUTDOWN, Shutdown(network_id=w.network.pk), child=True)
    work_off()
    assert (Network.all_tenants.get().state, routers().get().state) == ("Shutdown", "Stopping")

    shut_down_idle()
    work_off()

    check_network(w, "Allocated")


def test_a_machine_that_starts_after_a_failed_shutdown_finds_its_network_up(db, make, monkeypatch):
    w = up(world(make, monkeypatch))
    centre.put(w.vm, "Stopped")
    w.cloud.fail("power.stop", Unknown("no route"), times=6)
    begin(SHUTDOWN, Shutdown(network_id=w.network.pk), child=True)
    work_off()

    start(w.vm, w.network)
    work_off()

    check_network(w, "Implemented")


def test_a_network_in_which_a_machine_runs_is_not_shut_down(db, make, monkeypatch):
    w = up(world(make, monkeypatch))

    begin(SHUTDOWN, Shutdown(network_id=w.network.pk), child=True)
    work_off()

    check_network(w, "Implemented")
    assert w.cloud.calls == []


def test_killed_at_every_point_a_restart_ends_with_devices_that_know_all(db, make, monkeypatch):
    def scene():
        w = up(world(make, monkeypatch))
        begin(RESTART, Restart(network_id=w.network.pk, cleanup=True), child=True)
        return w

    def check(w, lost):
        check_network(w, "Implemented")
        assert Network.all_tenants.get().restart_required is False

    assert matrix(scene, check) >= 8


def test_a_restart_makes_devices_anew_only_with_cleanup(api, make, monkeypatch):
    w = up(world(make, monkeypatch))
    caller, before = make.root(), routers().get().pk

    api(caller, "restartNetwork", id=w.network.uuid)
    assert ([c.split()[0] for c in w.cloud.calls], routers().get().pk) == (["networks.apply"], before)
    w.cloud.calls.clear()
    api(caller, "restartNetwork", id=w.network.uuid, cleanup=True)

    assert routers().get().pk != before
    calls = ["power.stop", "networks.remove", "power.start", "networks.apply"]
    assert [c.split()[0] for c in w.cloud.calls] == calls
    check_network(w, "Implemented")


def test_a_restart_that_fails_says_so_and_the_next_one_mends_it(api, make, monkeypatch):
    w = up(world(make, monkeypatch))
    caller = make.root()
    w.cloud.fail("power.start", Refused("no"), times=2)

    with pytest.raises(CloudError) as error:
        api(caller, "restartNetwork", id=w.network.uuid, cleanup=True)

    assert error.value.code == 534
    assert api(caller, "listNetworks", id=w.network.uuid)["network"][0]["restartrequired"] is True
    api(caller, "restartNetwork", id=w.network.uuid)
    check_network(w, "Implemented")
    assert api(caller, "listNetworks", id=w.network.uuid)["network"][0]["restartrequired"] is False


def test_a_network_that_is_down_has_nothing_to_restart(api, make, monkeypatch):
    w = world(make, monkeypatch)

    with pytest.raises(CloudError, match="nothing to restart") as error:
        api(make.root(), "restartNetwork", id=w.network.uuid)

    assert (error.value.code, w.cloud.calls) == (431, [])


GONE = {
    "well": (),
    "with a stop that times out": (("power.stop", Unknown("?"), AFTER),),
    "with a busy host": (("networks.remove", Busy("later"), {}),),
}


def deleting(make, monkeypatch, *faults):
    def scene():
        w = up(world(make, monkeypatch))
        leave(w.vm)
        for call, error, how in faults:
            w.cloud.fail(call, error, **how)
        w.caller = make.root()
        w.jobid = dispatch.call(w.caller, "deleteNetwork", id=w.network.uuid)["jobid"]
        return w

    return scene


def check_gone(w, lost=False):
    if lost:
        with pytest.raises(CloudError):
            answer(w.jobid)
        w.jobid = dispatch.call(w.caller, "deleteNetwork", id=w.network.uuid)["jobid"]
        work_off()
    assert answer(w.jobid) == {"success": True}
    check_network(w, "Destroy")
    assert (Network.all_tenants.count(), PublicAddress.all_tenants.count()) == (0, 0)


@pytest.mark.parametrize("name", GONE)
def test_a_deletion_gives_everything_back(db, make, monkeypatch, name):
    w = deleting(make, monkeypatch, *GONE[name])()

    work_off()

    check_gone(w)


def test_also_if_the_worker_of_the_deletion_is_killed_at_any_point(db, make, monkeypatch):
    assert matrix(deleting(make, monkeypatch), check_gone) >= 10


def leave(vm):
    """The machine goes for good."""
    from apps.core.ownership import release
    from apps.machines.services import nics

    centre.put(vm, "Expunging")
    nics.release_all(vm)
    release(vm)


def test_a_network_with_machines_is_not_deleted(api, make, monkeypatch):
    w = up(world(make, monkeypatch))

    with pytest.raises(CloudError, match="still has instances in it") as error:
        api(make.root(), "deleteNetwork", id=w.network.uuid)

    assert error.value.code == 536
    check_network(w, "Implemented")


def test_a_card_that_comes_while_a_network_is_deleted_keeps_it(db, make, monkeypatch):
    w = up(world(make, monkeypatch))
    leave(w.vm)
    job = dispatch.call(make.root(), "deleteNetwork", id=w.network.uuid)["jobid"]
    stop = w.cloud.end

    def come(vm, host):
        monkeypatch.setattr(w.cloud, "end", stop)
        w.late = centre.machine(make, w.alice, w.network)
        stop(vm, host)

    monkeypatch.setattr(w.cloud, "end", come)
    work_off()

    with pytest.raises(CloudError, match="still has instances in it"):
        answer(job)
    start(w.late, w.network)
    work_off()
    check_network(w, "Implemented")


def test_with_force_a_network_goes_though_its_host_does_not_answer_and_the_router_later(api, make, monkeypatch):
    from apps.appliances.flows.zone import retire_abandoned

    w = up(world(make, monkeypatch))
    leave(w.vm)
    w.cloud.fail("power.stop", Unknown("no route"), times=7)
    root = make.root()
    job = dispatch.call(root, "deleteNetwork", id=w.network.uuid)["jobid"]
    work_off()
    with pytest.raises(CloudError):
        answer(job)
    assert Network.all_tenants.get().state == "Shutdown"

    assert api(root, "deleteNetwork", id=w.network.uuid, forced=True) == {"success": True}

    assert (Network.all_tenants.count(), routers().get().state) == (0, "Stopping")
    retire_abandoned()
    work_off()
    check_network(w, "Destroy")


def test_accounts_leave_nothing_of_their_networks(db, make, monkeypatch):
    def scene():
        w = up(world(make, monkeypatch))
        centre.isolated(w.centre, w.alice, name="unused")
        leave(w.vm)
        w.jobid = dispatch.call(make.root(), "deleteAccount", id=w.alice.uuid)["jobid"]
        return w

    w = scene()
    work_off()

    assert answer(w.jobid) == {"success": True}
    check_network(w, "Destroy")
    assert scenes.owned_by(w.alice) == {}


def test_a_persistent_network_is_up_before_its_first_machine(api, make, monkeypatch):
    w = world(make, monkeypatch)
    chosen = centre.offering(is_persistent=True)
    caller = make.caller("bob")

    row = api(caller, "createNetwork", name="n", networkofferingid=chosen.uuid, zoneid=w.centre.zone.uuid)["network"]
    work_off()

    assert api(caller, "listNetworks", id=row["id"])["network"][0]["state"] == "Implemented"
    assert Job.objects.count() == 0
    shut_down_idle()
    work_off()
    assert api(caller, "listNetworks", id=row["id"])["network"][0]["state"] == "Implemented"


def test_without_a_free_segment_nothing_comes_up_and_nothing_is_kept(db, make, monkeypatch):
    w = world(make, monkeypatch, segments=0)
    start(w.vm, w.network)

    work_off()

    w.vm.refresh_from_db()
    assert w.vm.state == "Stopped"
    assert "no VLAN is free" in FlowRun.objects.get(flow="network.implement").error
    check_network(w, "Allocated")


def test_without_a_free_public_address_nothing_comes_up_and_nothing_is_kept(db, make, monkeypatch):
    w = world(make, monkeypatch, public=0)
    start(w.vm, w.network)

    work_off()

    check_network(w, "Allocated")
    assert (VirtualMachine.all_tenants.get().state, PublicAddress.all_tenants.count()) == ("Stopped", 0)
