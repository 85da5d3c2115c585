"""Routers as operators handle them; that networks make and need them is in tests/network."""

from types import SimpleNamespace

import pytest

from apps.appliances.models import Router
from apps.core import dispatch
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.hypervisors.errors import Busy, Refused, Unknown
from apps.infrastructure.models import Host
from apps.machines.models import Reservation, VirtualMachine
from apps.offerings.models import ServiceOffering
from tests import centre
from tests.conftest import answer, unknown
from tests.crash import matrix, work_off
from tests.network import scenes
from tests.network.scenes import check_network, routers


@pytest.fixture
def w(db, make, monkeypatch):
    found = scenes.up(scenes.world(make, monkeypatch))
    return SimpleNamespace(**vars(found), root=make.root(), router=routers().get())


def refused(api, caller, command, /, **params):
    before = [(vm.pk, vm.state) for vm in VirtualMachine.including_removed.order_by("pk")]
    with pytest.raises(CloudError) as error:
        api(caller, command, **params)
    assert [(vm.pk, vm.state) for vm in VirtualMachine.including_removed.order_by("pk")] == before
    return error.value.code, str(error.value)


def other_host(w):
    return Host.all_tenants.exclude(pk=w.router.host.pk).get()


def test_a_router_is_told_with_both_its_cards(api, w):
    (row,) = api(w.root, "listRouters", listall=True)["router"]

    assert (row["name"], row["state"], row["account"]) == (f"r-{w.router.pk}-VM", "Running", "alice")
    assert (row["guestnetworkid"], row["guestipaddress"], row["publicip"]) == (
        str(w.network.uuid),
        "10.1.1.1",
        "192.168.0.2",
    )
    assert (row["publicnetmask"], row["gateway"], row["hostname"]) == (
        "255.255.255.0",
        "192.168.0.1",
        w.router.host.name,
    )
    cards = {card.device_id: card for card in w.cloud.cards[str(w.router.uuid)].values()}
    assert [(card["id"], card["ipaddress"]) for card in row["nic"]] == [
        (cards[0].uuid, cards[0].ip),
        (cards[1].uuid, cards[1].ip),
    ]
    assert [cards[n].segment for n in (0, 1)] == ["vlan:100", "vlan:50"]


def test_tenants_do_not_see_their_router_and_domain_administrators_do_not_see_where_it_is(api, make, w):
    boss = make.caller("boss", kind=Kind.DOMAIN_ADMIN)

    (row,) = api(boss, "listRouters", listall=True)["router"]

    assert not row.keys() & {"hostid", "hostname", "podid", "linklocalip"}
    assert refused(api, make.caller("bob"), "listRouters")[0] == 432


def test_filters_find_what_they_say(api, w):
    for given, count in (
        ({"name": w.router.instance_name}, 1),
        ({"name": "r-0-VM"}, 0),
        ({"keyword": "r-"}, 1),
        ({"state": "running"}, 1),
        ({"networkid": w.network.uuid}, 1),
        ({"hostid": w.router.host.uuid, "podid": w.centre.pod.uuid}, 1),
        ({"clusterid": w.centre.cluster.uuid, "zoneid": w.centre.zone.uuid}, 1),
        ({"hostid": other_host(w).uuid}, 0),
        ({"forvpc": True}, 0),
    ):
        assert (given, api(w.root, "listRouters", listall=True, **given).get("count", 0)) == (given, count)
    assert api(w.root, "listSystemVms") == {}


def test_a_router_goes_down_and_comes_up_knowing_all(api, w):
    row = api(w.root, "stopRouter", id=w.router.uuid)["router"]
    assert (row["state"], "hostid" in row) == ("Stopped", False)
    assert (w.cloud.running[str(w.router.uuid)], w.cloud.routers[str(w.network.uuid)]) == (set(), {})
    assert (Reservation.objects.count(), Host.all_tenants.exclude(memory_mib_used=0).count()) == (0, 0)

    assert api(w.root, "startRouter", id=w.router.uuid)["router"]["state"] == "Running"

    check_network(w, "Implemented")


def test_a_stopped_router_stays_down_until_a_machine_needs_it(api, make, w):
    api(w.root, "stopRouter", id=w.router.uuid)
    other = centre.machine(make, w.alice, w.network)
    assert routers().get().state == "Stopped"

    scenes.start(other, w.network)
    work_off()

    check_network(w, "Implemented")


def test_a_rebooted_router_is_given_its_document_again(api, w):
    w.cloud.calls.clear()

    assert api(w.root, "rebootRouter", id=w.router.uuid)["router"]["state"] == "Running"

    assert [call.split()[0] for call in w.cloud.calls] == ["power.reboot", "networks.apply"]
    check_network(w, "Implemented")


def test_a_destroyed_router_is_gone_and_a_restart_makes_another(api, w):
    api(w.root, "destroyRouter", id=w.router.uuid)
    assert (routers().count(), Router.objects.exclude(network=None).count()) == (0, 0)
    assert w.cloud.running[str(w.router.uuid)] == set()

    api(w.root, "restartNetwork", id=w.network.uuid)

    assert routers().get().pk != w.router.pk
    check_network(w, "Implemented")


@pytest.mark.parametrize(
    ("command", "state", "text"),
    [
        ("startRouter", "Running", "is Running, it must be Stopped"),
        ("rebootRouter", "Stopped", "is Stopped, it must be Running"),
        ("changeServiceForRouter", "Running", "is Running, it must be Stopped"),
    ],
)
def test_what_the_state_forbids_is_refused(api, w, command, state, text):
    if state == "Stopped":
        api(w.root, "stopRouter", id=w.router.uuid)
    more = {}
    if command.startswith("change"):
        more = {"serviceofferingid": ServiceOffering.all_tenants.get(system_vm_type="domainrouter").uuid}

    code, said = refused(api, w.root, command, id=w.router.uuid, **more)

    assert (code, text in said) == (431, True)


def test_commands_of_routers_know_no_other_machine(api, make, w):
    ssvm = make.vm(w.alice, kind="ConsoleProxy", is_counted=False)
    for command in ("startRouter", "stopRouter", "rebootRouter", "destroyRouter"):
        assert refused(api, w.root, command, id=w.vm.uuid)[0] == 431
        assert refused(api, w.root, command, id=ssvm.uuid)[0] == 431
        assert refused(api, w.root, command, id=unknown())[0] == 431
    assert refused(api, w.root, "stopSystemVm", id=w.router.uuid)[0] == 431
    assert refused(api, w.root, "stopVirtualMachine", id=w.router.uuid)[0] == 431


def test_routers_of_other_domains_are_out_of_reach(api, make, w):
    boss = make.caller("boss", make.domain("far", make.domain()), kind=Kind.DOMAIN_ADMIN)

    assert refused(api, boss, "stopRouter", id=w.router.uuid)[0] == 531
    assert api(boss, "listRouters", listall=True) == {}


def test_a_stopped_router_gets_another_size_of_its_kind(api, w):
    api(w.root, "stopRouter", id=w.router.uuid)
    large = centre.saved(
        ServiceOffering(name="large", is_system=True, system_vm_type="domainrouter", cpus=2, memory_mib=512)
    )
    for wrong in (ServiceOffering.all_tenants.get(system_vm_type="consoleproxy"), w.vm.offering):
        given = {"id": w.router.uuid, "serviceofferingid": wrong.uuid}
        assert refused(api, w.root, "changeServiceForRouter", **given)[0] == 431

    row = api(w.root, "changeServiceForRouter", id=w.router.uuid, serviceofferingid=large.uuid)["router"]
    api(w.root, "startRouter", id=w.router.uuid)

    assert row["serviceofferingname"] == "large"
    assert sorted(Host.all_tenants.values_list("memory_mib_used", flat=True)) == [0, 512]


FAULTS = {
    "stopRouter": ("power.stop", "Stopped"),
    "destroyRouter": ("power.stop", None),
    "rebootRouter": ("power.reboot", "Running"),
}


@pytest.mark.parametrize("error", [Busy("later"), Unknown("?")])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("command", FAULTS)
def test_what_times_out_or_is_busy_is_done_all_the_same(w, command, when, error):
    call, state = FAULTS[command]
    w.cloud.fail(call, error, when=when)
    job = dispatch.call(w.root, command, id=w.router.uuid)["jobid"]

    work_off()

    assert "router" in answer(job)
    assert [router.state for router in routers()] == ([state] if state else [])
    assert scenes.nothing_wrong()


def test_a_reboot_that_is_refused_says_so(api, w):
    w.cloud.fail("power.reboot", Refused("no"))

    with pytest.raises(CloudError) as error:
        api(w.root, "rebootRouter", id=w.router.uuid)

    assert (error.value.code, routers().get().state) == (534, "Running")


def test_killed_at_every_point_a_router_that_is_started_runs_and_knows_all(db, make, monkeypatch):
    def scene():
        found = scenes.up(scenes.world(make, monkeypatch))
        root = make.root()
        dispatch.call(root, "stopRouter", id=routers().get().uuid)
        work_off()
        found.root, found.router = root, routers().get()
        found.job = dispatch.call(root, "startRouter", id=found.router.uuid)["jobid"]
        return found

    def check(found, lost):
        if lost:
            found.job = dispatch.call(found.root, "startRouter", id=found.router.uuid)["jobid"]
            work_off()
        assert answer(found.job)["router"]["state"] == "Running"
        check_network(found, "Implemented")

    assert matrix(scene, check) >= 10


# hosts that are emptied


def test_maintenance_moves_routers_elsewhere(api, w):
    centre.put(w.vm, "Stopped")
    here, there = w.router.host, other_host(w).name

    row = api(w.root, "prepareHostForMaintenance", id=here.uuid)["host"]

    assert row["resourcestate"] == "Maintenance"
    router = routers().get()
    assert (router.state, router.host.name, w.cloud.running[str(router.uuid)]) == ("Running", there, {there})
    assert list(w.cloud.routers[str(w.network.uuid)]) == [there]
    assert api(w.root, "deleteHost", id=here.uuid) == {"success": True}


def test_without_another_place_a_router_stays_where_it_is_and_so_does_the_host(api, w):
    Host.all_tenants.filter(pk=other_host(w).pk).update(status="Down")

    with pytest.raises(CloudError, match="no other host has room") as error:
        api(w.root, "prepareHostForMaintenance", id=w.router.host.uuid)

    assert error.value.code == 536
    assert set(Host.all_tenants.values_list("resource_state", flat=True)) == {"Enabled"}
    check_network(w, "Implemented")


def test_a_host_with_instances_of_users_is_left_alone(api, w):
    type(w.vm).all_tenants.filter(pk=w.vm.pk).update(host=w.router.host)

    with pytest.raises(CloudError, match="instances of users run on host h"):
        api(w.root, "prepareHostForMaintenance", id=w.router.host.uuid)

    assert set(Host.all_tenants.values_list("resource_state", flat=True)) == {"Enabled"}
    check_network(w, "Implemented")


def test_a_router_whose_network_is_gone_is_not_started(api, w):
    api(w.root, "stopRouter", id=w.router.uuid)
    Router.objects.filter(vm=w.router).update(network=None)

    code, text = refused(api, w.root, "startRouter", id=w.router.uuid)

    assert (code, text) == (431, f"id: the network of {w.router.instance_name} is gone, it has nothing to start for")
    assert Reservation.objects.count() == 0
