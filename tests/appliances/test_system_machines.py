"""Secondary storage VM and console proxy: they live and die with their zone."""

from types import SimpleNamespace

import pytest

from apps.accounts.models import Account
from apps.appliances.flows.zone import look_at_all
from apps.appliances.models import SystemAddress
from apps.core import audit, dispatch
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.core.seeds import sow
from apps.hypervisors import fake
from apps.hypervisors.errors import Refused, Unknown
from apps.infrastructure.models import Host, Pod, PodAddress, Zone
from apps.jobs.models import FlowRun
from apps.machines.models import Reservation, VirtualMachine
from apps.network.models import RangeAddress
from apps.offerings.models import ServiceOffering
from tests import centre
from tests.conftest import answer
from tests.crash import matrix, work_off
from tests.network.scenes import nothing_wrong

K = VirtualMachine.Kind


def place(make, monkeypatch, *faults, **how):
    """A data centre in a zone that is Disabled still."""
    cloud = fake.Cloud()
    monkeypatch.setattr(fake, "CLOUD", cloud)
    found = centre.centre(make, **how)
    Zone.all_tenants.filter(pk=found.zone.pk).update(allocation_state="Disabled")
    role = make.role(Kind.ROOT, "system")
    Account(name="system", domain=make.domain(), role=role, is_hidden=True, type=1).save()
    for call, error, when in faults:
        cloud.fail(call, error, **when)
    return SimpleNamespace(**vars(found), cloud=cloud, root=make.root())


def enable(w):
    dispatch.call(w.root, "updateZone", id=w.zone.uuid, allocationstate="Enabled")


@pytest.fixture
def w(db, make, monkeypatch):
    found = place(make, monkeypatch)
    enable(found)
    work_off()
    return found


def machines():
    return VirtualMachine.all_tenants.filter(kind__in=(K.SECONDARY_STORAGE, K.CONSOLE_PROXY)).order_by("kind")


def check(w, *states):
    """Rows, hosts and books say the same."""
    rows = list(machines())
    assert [row.state for row in rows] == list(states)
    held = {str(row.uuid): {row.host.name} for row in rows if row.state == "Running"}
    assert {vm: hosts for vm, hosts in w.cloud.running.items() if hosts} == held
    assert Reservation.objects.count() == len(held)
    taken = PodAddress.objects.exclude(taken_by="").count()
    assert (
        taken == SystemAddress.objects.exclude(private=None).count() == sum(row.last_host is not None for row in rows)
    )
    assert RangeAddress.objects.exclude(taken_by="").count() == len(rows)
    assert nothing_wrong()


def test_a_zone_that_is_enabled_gets_both(api, w):
    check(w, "Running", "Running")
    rows = {row["systemvmtype"]: row for row in api(w.root, "listSystemVms", zoneid=w.zone.uuid)["systemvm"]}
    assert set(rows) == {"secondarystoragevm", "consoleproxy"}
    row = rows["consoleproxy"]
    vm = machines().get(kind=K.CONSOLE_PROXY)
    assert (row["name"], row["state"], row["agentstate"], row["activeviewersessions"]) == (
        f"v-{vm.pk}-VM",
        "Running",
        "Up",
        0,
    )
    assert (row["privateip"][:9], row["privatenetmask"], row["publicip"][:10], row["publicvlan"]) == (
        "172.16.0.",
        "255.255.0.0",
        "192.168.0.",
        ["50"],
    )
    assert {card.ip for card in w.cloud.cards[str(vm.uuid)].values()} == {row["privateip"], row["publicip"]}


def test_a_zone_that_is_disabled_has_none_and_keeps_those_that_it_has(api, make, monkeypatch, db):
    w = place(make, monkeypatch)
    look_at_all()
    work_off()
    check(w)
    enable(w)
    work_off()

    api(w.root, "updateZone", id=w.zone.uuid, allocationstate="Disabled")
    look_at_all()
    work_off()

    check(w, "Running", "Running")


ENABLING = {
    "well": (("Running", "Running"), ()),
    "with a host that refuses": (("Running", "Running"), (("power.start", Refused("no"), {"host": "h1", "times": 9}),)),
    "with a start that times out and acted": (
        ("Running", "Running"),
        (("power.start", Unknown("?"), {"when": "after"}),),
    ),
}


@pytest.mark.parametrize("name", ENABLING)
def test_killed_at_every_point_both_come_up(db, make, monkeypatch, name):
    states, faults = ENABLING[name]

    def scene():
        w = place(make, monkeypatch, *faults)
        enable(w)
        return w

    if name == "well":
        assert matrix(scene, lambda w, lost: check(w, *states)) >= 15
    else:
        w = scene()
        work_off()
        check(w, *states)


def test_hosts_that_refuse_for_good_are_asked_again_and_again(db, make, monkeypatch):
    w = place(make, monkeypatch, ("power.start", Refused("no"), {"times": 4}))
    enable(w)
    work_off()
    assert set(machines().values_list("state", flat=True)) == {"Stopped"}
    assert Reservation.objects.count() == 0

    for _ in range(2):
        look_at_all()
        work_off()

    check(w, "Running", "Running")


def test_one_that_an_operator_stopped_stays_down(api, w):
    vm = machines().first()

    row = api(w.root, "stopSystemVm", id=vm.uuid)["systemvm"]
    look_at_all()
    work_off()

    assert (row["state"], FlowRun.objects.filter(flow="appliances.zone").count()) == ("Stopped", 1)
    check(w, "Stopped", "Running")
    assert api(w.root, "startSystemVm", id=vm.uuid)["systemvm"]["state"] == "Running"
    check(w, "Running", "Running")


def test_one_that_is_destroyed_is_replaced_with_addresses_of_its_own(api, w):
    vm = machines().first()

    api(w.root, "destroySystemVm", id=vm.uuid)
    check(w, "Running")
    look_at_all()
    work_off()

    check(w, "Running", "Running")
    assert not machines().filter(pk=vm.pk).exists()


def test_a_machine_that_is_down_gets_another_size(api, w):
    vm = machines().get(kind=K.CONSOLE_PROXY)
    large = centre.saved(ServiceOffering(name="large", is_system=True, system_vm_type="consoleproxy", memory_mib=2048))
    given = {"id": vm.uuid, "serviceofferingid": large.uuid}
    with pytest.raises(CloudError, match="it must be Stopped"):
        api(w.root, "changeServiceForSystemVm", **given)
    api(w.root, "stopSystemVm", id=vm.uuid)

    assert api(w.root, "changeServiceForSystemVm", **given)["systemvm"]["serviceofferingname"] == "large"

    api(w.root, "startSystemVm", id=vm.uuid)
    assert VirtualMachine.all_tenants.get(pk=vm.pk).reservation.memory_mib == 2048


def test_a_reboot_is_one_call(api, w):
    vm = machines().first()
    w.cloud.calls.clear()

    api(w.root, "rebootSystemVm", id=vm.uuid)

    assert w.cloud.calls == [f"power.reboot on {vm.host.name}"]


def test_only_root_handles_them(api, make, w):
    for caller in (make.caller("bob"), make.caller("boss", kind=Kind.DOMAIN_ADMIN)):
        with pytest.raises(CloudError) as error:
            api(caller, "stopSystemVm", id=machines().first().uuid)
        assert error.value.code == 432
    check(w, "Running", "Running")


def test_a_zone_with_system_machines_is_not_deleted_and_without_them_it_is(api, w):
    api(w.root, "updateZone", id=w.zone.uuid, allocationstate="Disabled")
    host = machines().first().host
    with pytest.raises(CloudError, match=f"machines hold capacity of host {host.name}"):
        api(w.root, "deleteHost", id=host.uuid, forced=True)
    for vm in machines():
        api(w.root, "destroySystemVm", id=vm.uuid)

    for row in Host.all_tenants.all():
        api(w.root, "deleteHost", id=row.uuid, forced=True)
    api(w.root, "deleteCluster", id=w.cluster.uuid)
    api(w.root, "deletePod", id=w.pod.uuid)
    api(w.root, "deleteVlanIpRange", id=w.public.uuid)
    api(w.root, "deletePhysicalNetwork", id=w.carrier.uuid)

    assert api(w.root, "deleteZone", id=w.zone.uuid) == {"success": True}
    assert nothing_wrong()


def test_its_management_address_is_of_the_pod_that_it_runs_in(api, w):
    pod = centre.saved(Pod(zone=w.zone, name="pod2", **centre.POD | {"start_ip": "172.16.1.2", "end_ip": "172.16.1.3"}))
    PodAddress.objects.bulk_create([PodAddress(pod=pod, ip=f"172.16.1.{n}") for n in (2, 3)])
    vm = machines().first()
    api(w.root, "stopSystemVm", id=vm.uuid)
    Host.all_tenants.filter(name="h2").update(pod=pod)
    Host.all_tenants.filter(name="h1").update(status="Down")

    row = api(w.root, "startSystemVm", id=vm.uuid)["systemvm"]

    assert (row["privateip"], row["podid"]) == ("172.16.1.2", str(pod.uuid))
    assert PodAddress.objects.filter(taken_by=vm.lock_key).count() == 1
    assert nothing_wrong()


def test_a_pod_without_a_free_address_takes_none(db, make, monkeypatch):
    w = place(make, monkeypatch)
    PodAddress.objects.update(taken_by="other")
    enable(w)

    work_off()

    assert set(machines().values_list("state", flat=True)) == {"Stopped"}
    assert (Reservation.objects.count(), w.cloud.calls) == (0, [])


def test_a_zone_without_a_cluster_waits_for_one(db, make, monkeypatch):
    w = place(make, monkeypatch)
    type(w.cluster).all_tenants.update(allocation_state="Disabled")
    enable(w)
    work_off()
    assert machines().count() == 0

    type(w.cluster).all_tenants.update(allocation_state="Enabled")
    look_at_all()
    work_off()

    check(w, "Running", "Running")


def test_a_basic_zone_takes_their_addresses_from_its_guest_ranges(db, make, monkeypatch):
    w = place(make, monkeypatch, basic=True, public=0)
    centre.shared(w, w.root.account, vlan="")
    enable(w)

    work_off()

    assert {row.public.ip for row in SystemAddress.objects.all()} == {"10.8.0.10", "10.8.0.11"}
    assert nothing_wrong()


def test_maintenance_moves_them(api, w):
    here = machines().first().host

    api(w.root, "prepareHostForMaintenance", id=here.uuid)

    assert set(machines().values_list("host__name", flat=True)) == {"h1", "h2"} - {here.name}
    check(w, "Running", "Running")


def test_what_a_fresh_installation_seeds_is_enough(db, make, monkeypatch):
    """The system account and the system offerings are the seeds'."""
    sow()
    w = place_of_seeds(make, monkeypatch)
    dispatch.call(w.root, "updateZone", id=w.zone.uuid, allocationstate="Enabled")

    work_off()

    check(w, "Running", "Running")


def place_of_seeds(make, monkeypatch):
    from apps.accounts.tenants import caller_for

    cloud = fake.Cloud()
    monkeypatch.setattr(fake, "CLOUD", cloud)
    monkeypatch.setattr(centre, "SYSTEM", ())
    found = centre.centre(make)
    Zone.all_tenants.filter(pk=found.zone.pk).update(allocation_state="Disabled")
    root = caller_for(Account.all_tenants.select_related("domain", "role").get(name="admin"))
    return SimpleNamespace(**vars(found), cloud=cloud, root=root)


def test_two_of_a_kind_are_found_by_the_audit(make, w):
    (vm := machines().first()).refresh_from_db()
    twin = make.vm(vm.owner, kind=vm.kind, zone=vm.zone, is_counted=False)
    type(twin).all_tenants.filter(pk=twin.pk).update(instance_name="v-twin")

    found = audit.findings()["system machines: a zone has at most one of each kind, with a row for its addresses"]

    assert found == [f"zone z1 has 2 machines of the kind {vm.kind}", "system machine v-twin has no addresses"]


def test_a_management_address_that_is_marked_as_free_is_found_by_the_audit(w):
    held = SystemAddress.objects.exclude(private=None).first().private
    PodAddress.objects.filter(pk=held.pk).update(taken_by="")

    found = audit.findings()["pods: management addresses are held by machines that live"]

    assert found == [f"address {held.ip} is a system machine's and marked as free"]


def test_the_answer_of_a_job_names_the_machine(w):
    job = dispatch.call(w.root, "stopSystemVm", id=machines().first().uuid)["jobid"]

    work_off()

    assert answer(job)["systemvm"]["id"] == str(machines().first().uuid)


def test_one_that_has_lost_its_addresses_gets_others_when_it_starts(api, w):
    vm = machines().get(kind=K.CONSOLE_PROXY)
    api(w.root, "stopSystemVm", id=vm.uuid)
    SystemAddress.objects.filter(vm=vm).delete()
    RangeAddress.objects.filter(taken_by=vm.lock_key).update(taken_by="")
    PodAddress.objects.filter(taken_by=vm.lock_key).update(taken_by="")

    api(w.root, "startSystemVm", id=vm.uuid)

    check(w, "Running", "Running")
