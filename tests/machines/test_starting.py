"""The start of an instance takes its place by placement: with storage, by affinity, and it says why not."""

import pytest

from apps.accounts.tenants import caller_for
from apps.compute.services import affinity, instances
from apps.core import dispatch
from apps.core.audit import CHECKS
from apps.core.errors import GENERIC, CloudError
from apps.hypervisors.errors import Refused
from apps.jobs.models import Job
from apps.machines.models import VirtualMachine
from apps.storage.models import Volume
from tests.conftest import answer
from tests.crash import work_off
from tests.machines.conftest import books, pools_of

ONE = (1, 1000, 1024)
BOOKS = ("hosts: what is promised is what machines hold there", "machines: one that runs holds a place on its host",
         "machines: one that does not run holds no place")  # fmt: skip


@pytest.fixture
def start(park, cloud):
    def start(vm, caller=None, **params):
        job = dispatch.call(caller or caller_for(park.owner), "startVirtualMachine", id=vm.uuid, **params)["jobid"]
        work_off()
        answer(job)
        return VirtualMachine.all_tenants.select_related("host").get(pk=vm.pk)

    yield start
    assert {subject: found for subject in BOOKS if (found := list(CHECKS[subject]()))} == {}


def stop(park, api, vm):
    api(caller_for(park.owner), "stopVirtualMachine", id=vm.uuid, forced=True)
    return VirtualMachine.all_tenants.get(pk=vm.pk)


def test_the_disks_are_made_on_the_pools_that_were_taken(park, start, cloud):
    park.host("h1")
    park.pool("s1")
    vm = start(park.machine(disks=(10, 20)))

    assert (vm.state, vm.host.name, pools_of(vm), books()) == ("Running", "h1", ["s1", "s1"], ({"h1": ONE}, {"s1": 30}))
    assert sorted(cloud.disks.values()) == [10 << 30, 20 << 30]
    assert Job.objects.get().explanation["host"]["name"] == "h1"


def test_started_again_it_stays_with_its_disks_and_on_its_host(park, start, api):
    near, far = park.cluster(), park.cluster()
    park.host("near", near)
    park.pool("s1", near)
    vm = stop(park, api, start(park.machine()))
    assert books() == ({}, {"s1": 10})
    park.host("empty", far)
    park.pool("s2", far)
    assert start(vm).host.name == "near"

    assert books() == ({"near": ONE}, {"s1": 10})
    assert Job.objects.last().explanation["text"] == "near: it was there before, and still fits"


@pytest.fixture
def refusing(park, cloud):
    """Two clusters with a host and a pool each; the host that is tried first refuses."""
    for number in (1, 2):
        cluster = park.cluster()
        park.host(f"h{number}", cluster, cpu_mhz_capacity=8000 + number, memory_mib_capacity=9000)
        park.pool(f"s{number}", cluster)
    cloud.fail("power.start", Refused("no"), host="h2", times=9)
    return park


def test_a_deployment_that_a_host_refuses_goes_elsewhere_with_its_storage(refusing, start):
    vm = refusing.machine()

    instances.start(vm, is_fresh=True)
    work_off()

    vm = VirtualMachine.all_tenants.get(pk=vm.pk)
    assert (vm.host.name, vm.state, pools_of(vm), books()) == ("h1", "Running", ["s1"], ({"h1": ONE}, {"s1": 10}))


def test_a_disk_that_is_there_keeps_its_instance_where_it_is_reached(refusing, start):
    """Not of a deployment: what an earlier step has made is the instance's, and cannot be left behind."""
    vm = refusing.machine()

    with pytest.raises(CloudError, match=f"^{GENERIC[533]}$"):
        start(vm)

    vm = VirtualMachine.all_tenants.get(pk=vm.pk)
    assert (vm.state, pools_of(vm), books()) == ("Stopped", ["s2"], ({}, {"s2": 10}))
    assert [each["filter"] for each in Job.objects.get().explanation["dropped"]] == ["avoid", "reach"]


def test_what_an_administrator_wishes_holds(park, start, make):
    park.host("h1")
    other = park.host("h2", cpu_mhz_used=0, cpu_mhz_capacity=2000)
    vm = start(park.machine(disks=()), make.root(), hostid=other.uuid)

    assert vm.host.name == "h2"


def test_a_wish_that_cannot_be_met_is_no_wish_for_another_place(park, start, make):
    park.host("h1")
    other = park.host("h2", resource_state="Disabled")
    vm = park.machine(disks=())

    with pytest.raises(CloudError) as refusal:
        start(vm, make.root(), hostid=other.uuid)

    assert (refusal.value.code, str(refusal.value)) == (
        533,
        f"no host of zone z1 can take instance {vm.uuid}: of 2 hosts 1 not in the host that was asked for, "
        "1 not Enabled",
    )
    assert VirtualMachine.all_tenants.get(pk=vm.pk).state == "Stopped"


@pytest.mark.parametrize(("kind", "hosts"), [("host affinity", 1), ("host anti-affinity", 2)])
def test_affinity_groups_hold(park, start, kind, hosts):
    for name in ("h1", "h2"):
        park.host(name)
    group = affinity.create(owner=park.owner, name="g", kind=kind)
    machines = [park.machine(disks=()) for _ in range(2)]
    for vm in machines:
        affinity.join(vm, [group])

    assert len({start(vm).host.name for vm in machines}) == hosts


def test_a_third_of_an_anti_affinity_group_is_refused_in_words_of_its_owner(park, start):
    for name in ("h1", "h2"):
        park.host(name)
    group = affinity.create(owner=park.owner, name="g", kind="host anti-affinity")
    machines = [park.machine(disks=()) for _ in range(3)]
    for vm in machines:
        affinity.join(vm, [group])
    for vm in machines[:2]:
        start(vm)

    with pytest.raises(CloudError, match="^the affinity groups of the instance leave no place for it in zone z1 now$"):
        start(machines[2])

    assert VirtualMachine.all_tenants.get(pk=machines[2].pk).state == "Stopped"


def test_a_tenant_hears_that_storage_is_short_and_nothing_was_taken(park, start):
    park.host("h1")
    park.pool("s1", gib=9)
    vm = park.machine()

    with pytest.raises(
        CloudError, match="^zone z1 has not enough storage for the disks of the instance now$"
    ) as refusal:
        start(vm)

    assert refusal.value.code == 533
    assert (books(), pools_of(vm), Volume.all_tenants.get().state) == (({}, {}), [None], "Allocated")
    assert VirtualMachine.all_tenants.get(pk=vm.pk).state == "Stopped"


def test_when_all_hosts_have_refused_a_tenant_hears_no_more_than_that_there_is_none(park, start, cloud):
    park.host("h1")
    park.pool("s1")
    cloud.fail("power.start", Refused("no"), host="h1", times=9)

    with pytest.raises(CloudError, match=f"^{GENERIC[533]}$"):
        start(park.machine())

    assert Job.objects.get().explanation["dropped"] == [{"filter": "avoid", "reason": "tried before", "dropped": 1}]
