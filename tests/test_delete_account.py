from types import SimpleNamespace

import pytest

from apps.accounts.models import Account
from apps.core import dispatch
from apps.core.errors import CloudError
from apps.core.ownership import owned_models
from apps.domains.models import Domain
from apps.hypervisors import fake
from apps.hypervisors.errors import Refused, Unknown
from apps.infrastructure.models import Host
from apps.jobs.models import FlowRun
from apps.limits.models import Counter
from apps.machines.models import Reservation
from apps.storage.models import Volume
from tests.conftest import answer
from tests.crash import matrix, work_off


def scene(make, monkeypatch, *faults):
    """Bob has a running machine with a data volume, a loose volume and a template; root deletes him."""

    def begin():
        cloud = fake.Cloud()
        monkeypatch.setattr(fake, "CLOUD", cloud)
        for call, error, how in faults:
            cloud.fail(call, error, **how)
        bob, root, host = make.account("bob"), make.root(), make.host()
        vm = make.vm(bob, state="Running", host=host)
        Host.all_tenants.kernel_update(memory_mib_used=512, cpu_mhz_used=500, guests=1)
        Reservation.objects.create(vm=vm, host=host, cpu_mhz=500, memory_mib=512)
        data, loose = make.volume(bob, state="Ready"), make.volume(bob)
        vm.attachments.create(volume=data, device_id=1)
        cloud.disks[str(data.uuid)] = 1
        cloud.running[str(vm.uuid)].add("h1")
        got = dispatch.call(root, "deleteAccount", id=bob.uuid)
        return SimpleNamespace(cloud=cloud, bob=bob, root=root, vm=vm, loose=loose, jobid=got["jobid"])

    return begin


def gone(world):
    assert all(not model.all_tenants.exists() for model in owned_models())
    assert (world.cloud.disks, world.cloud.running[str(world.vm.uuid)]) == ({}, set())
    assert Host.all_tenants.get().memory_mib_used == 0
    assert set(Counter.objects.filter(account=world.bob).values_list("used", flat=True)) == {0}
    assert Account.including_removed.get(pk=world.bob.pk).removed
    assert answer(world.jobid) == {"success": True}


TIMES_OUT = ("power.stop", Unknown("?"), {"when": "after"})


@pytest.mark.parametrize("faults", [(), (TIMES_OUT,)], ids=["well", "with a timeout"])
def test_killed_at_every_point_it_ends_with_everything_gone(db, make, monkeypatch, faults):
    def check(world, lost):
        if lost:
            with pytest.raises(CloudError):
                answer(world.jobid)
            world.jobid = dispatch.call(world.root, "deleteAccount", id=world.bob.uuid)["jobid"]
            work_off()
        gone(world)

    assert matrix(scene(make, monkeypatch, *faults), check) >= 30


def test_machines_go_before_the_disks_in_them(db, make, monkeypatch):
    world = scene(make, monkeypatch)()

    work_off()

    gone(world)
    assert list(FlowRun.objects.order_by("pk").values_list("flow", flat=True)) == [
        "accounts.delete",
        "compute.teardown",
        "storage.teardown",
        "images.teardown",
        "firewall.teardown",
        "network.teardown",
        "accounts.teardown",
    ]
    assert world.cloud.calls == ["power.stop on h1", "disks.delete on h1"]  # the loose volume has none


def test_a_disk_that_cannot_be_deleted_leaves_the_account_closed_and_the_call_repeatable(db, make, monkeypatch):
    world = scene(make, monkeypatch, ("disks.delete", Refused("in use"), {}))()

    work_off()

    with pytest.raises(CloudError) as error:
        answer(world.jobid)
    bob = Account.all_tenants.get(pk=world.bob.pk)
    assert (error.value.code, bob.state, bob.removed) == (534, "disabled", None)
    world.jobid = dispatch.call(world.root, "deleteAccount", id=bob.uuid)["jobid"]
    work_off()
    gone(world)


def test_two_deletions_join_one_teardown(db, make, monkeypatch):
    from apps.accounts.flows.delete import DELETE, Delete
    from apps.jobs.flows import begin

    world = scene(make, monkeypatch)()
    begin(DELETE, Delete(account_id=world.bob.pk))

    work_off()

    assert FlowRun.objects.filter(flow="compute.teardown").count() == 1
    gone(world)


def test_whoever_begins_the_same_child_at_the_same_moment_joins(db, make, monkeypatch):
    from apps.images.flows.teardown import TEARDOWN, Teardown
    from apps.jobs import flows

    def begin(*args, **kwargs):
        monkeypatch.undo()
        flows.begin(*args, **kwargs)
        return flows.begin(*args, **kwargs)

    monkeypatch.setattr(flows, "begin", begin)
    with pytest.raises(flows.Wait) as wait:
        flows.join({}, TEARDOWN, Teardown(1), key="k")

    assert (wait.value.seconds, FlowRun.objects.count()) == (0, 1)


def test_a_domain_goes_with_all_that_is_below_it(api, make, cloud):
    root, top = make.root(), make.domain()
    branch = make.domain("branch", top)
    leaf = make.domain("leaf", branch)
    make.volume(make.account("a", branch))
    make.volume(make.account("b", leaf))
    stays = make.account("c", top)

    with pytest.raises(CloudError) as refusal:
        api(root, "deleteDomain", id=branch.uuid)
    assert refusal.value.code == 431
    assert Account.all_tenants.filter(name__in=("a", "b")).count() == 2

    assert api(root, "deleteDomain", id=branch.uuid, cleanup=True) == {"success": True}

    assert set(Domain.all_tenants.values_list("name", flat=True)) == {"ROOT"}
    assert list(Account.all_tenants.exclude(name="admin").values_list("pk", flat=True)) == [stays.pk]
    assert not Volume.all_tenants.exists()
