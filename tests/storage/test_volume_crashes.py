"""Workers that die and calls that time out, at every point of what is done to volumes: the books, the rows and the
hosts agree in the end, and no disk is lost or left.
"""

from contextlib import suppress
from types import SimpleNamespace

import pytest

from apps.core import dispatch
from apps.core.errors import CloudError
from apps.core.models import Question
from apps.events.models import Alert
from apps.hypervisors import fake
from apps.hypervisors.errors import Busy, Refused, Unknown
from apps.infrastructure.models import Host
from apps.jobs.models import Job
from apps.machines.models import Attachment
from apps.storage.flows import expunge
from apps.storage.models import StoragePool, Volume
from apps.storage.services import pools, volumes
from tests.conftest import answer
from tests.crash import PAST, let_time_pass, matrix, work_off
from tests.storage.conftest import GIB, Place, audits

pytestmark = pytest.mark.django_db
EVER = {"times": 99}
FAULTS = {
    "well": (),
    "refused": ((Refused("no"), EVER),),
    "busy at first": ((Busy("later"), {}),),
    "lost before": ((Unknown("?"), {}),),
    "lost after": ((Unknown("?"), {"when": "after"}),),
    "lost after, always": ((Unknown("?"), {"when": "after", **EVER}),),
    "late": ((Unknown("?"), {"when": "late"}),),
}
UNTOUCHED = {"well", "lost after", "lost after, always", "late"}  # faults with which the effect is there in the end


def world(make, monkeypatch, call, faults):
    cloud = fake.Cloud()
    monkeypatch.setattr(fake, "CLOUD", cloud)
    for error, how in FAULTS[faults]:
        cloud.fail(call, error, **how)
    make.domain()
    place = Place(make)
    cluster = place.cluster(hosts=2)
    pool, alice = place.pool(cluster=cluster), make.caller("alice")
    host = cluster.hosts.order_by("pk")[0]
    return SimpleNamespace(cloud=cloud, zone=place.zone, pool=pool, alice=alice, host=host, root=make.root())


def ready(make, w, size=2):
    volume = make.volume(w.alice.account, zone=w.zone, size=size * GIB)
    assert pools.take(volume, w.pool)
    Volume.all_tenants.filter(pk=volume.pk).kernel_update(state="Ready")
    volume.refresh_from_db()
    w.cloud.make(fake.DiskSpec(str(volume.uuid), volume.size, pool=volumes.pool_spec(volume)), w.host.name)
    return volume


def running(make, w):
    vm = make.vm(w.alice.account, zone=w.zone, host=w.host, state="Running")
    w.cloud.running[str(vm.uuid)].add(w.host.name)
    return vm


def settle(w):
    """Late calls land, questions are due, what waits goes on; then hosts are well, and what is left is tried again."""
    for _ in range(4):
        w.cloud.land()
        Question.objects.update(due_at=PAST, tries=0)
        let_time_pass()
        work_off()
    w.cloud.faults.clear()
    w.cloud.land()
    expunge.try_again()
    work_off()


def whole(w):
    """Rows, books and hosts say the same."""
    assert Question.objects.count() == 0
    with_disk = {
        str(v.uuid): v.size for v in Volume.including_removed.filter(state__in=("Ready", "Expunging", "Destroy"))
    }
    assert w.cloud.disks == with_disk
    attached = {(str(a.volume.uuid), str(a.vm.uuid)) for a in Attachment.objects.filter(volume__state="Ready")}
    assert {(disk, vm) for disk, machines in w.cloud.attached.items() for vm in machines} == attached
    assert audits() == {}


@pytest.mark.parametrize("faults", FAULTS)
def test_a_deleted_volume_is_gone_with_its_disk(db, make, monkeypatch, faults):
    def scene():
        w = world(make, monkeypatch, "disks.delete", faults)
        w.volume = ready(make, w)
        dispatch.call(w.alice, "deleteVolume", id=w.volume.uuid)
        return w

    def check(w, lost):
        settle(w)
        whole(w)
        assert Volume.including_removed.get().state == "Expunged"
        assert (StoragePool.all_tenants.get().used_bytes, Volume.all_tenants.count()) == (0, 0)

    assert matrix(scene, check) >= 5


@pytest.mark.parametrize("faults", FAULTS)
@pytest.mark.parametrize("size", [1, 5], ids=["shrinks", "grows"])
def test_a_volume_has_one_of_two_sizes(db, make, monkeypatch, size, faults):
    def scene():
        w = world(make, monkeypatch, "disks.resize", faults)
        w.volume = ready(make, w)
        params = {"id": w.volume.uuid, "size": size, "shrinkok": True}
        w.jobid = dispatch.call(w.alice, "resizeVolume", **params)["jobid"]
        return w

    def check(w, lost):
        settle(w)
        whole(w)
        volume = Volume.all_tenants.get()
        assert (volume.state, w.cloud.disks[str(volume.uuid)]) == ("Ready", volume.size)
        assert StoragePool.all_tenants.get().used_bytes == volume.size
        assert volume.size in (2 * GIB, size * GIB)
        if not lost:
            assert volume.size == (size if faults in UNTOUCHED else 2) * GIB
        if lost or faults != "well":
            with pytest.raises(CloudError):
                answer(w.jobid)

    assert matrix(scene, check) >= 4


@pytest.mark.parametrize("faults", FAULTS)
@pytest.mark.parametrize("call", ["disks.create", "disks.attach"])
def test_a_volume_that_is_ordered_into_an_instance_is_there_or_gone(db, make, monkeypatch, call, faults):
    def scene():
        w = world(make, monkeypatch, call, faults)
        w.vm = running(make, w)
        params = {"name": "v", "size": 2, "virtualmachineid": w.vm.uuid}
        w.jobid = dispatch.call(w.alice, "createVolume", **params)["jobid"]
        return w

    def check(w, lost):
        settle(w)
        whole(w)
        volume = Volume.including_removed.get()
        assert volume.state in ("Ready", "Expunged", "Allocated")
        if faults == "well" and not lost:
            assert (volume.state, Attachment.objects.count()) == ("Ready", 1)
            assert answer(w.jobid)["volume"]["virtualmachineid"] == str(w.vm.uuid)

    assert matrix(scene, check) >= 5


@pytest.mark.parametrize("faults", ["well", "refused", "lost after", "late"])
def test_a_destroyed_volume_is_expunged_for_good(db, make, monkeypatch, faults):
    def scene():
        w = world(make, monkeypatch, "disks.delete", faults)
        w.volume = ready(make, w)
        w.jobid = dispatch.call(w.alice, "destroyVolume", id=w.volume.uuid, expunge=True)["jobid"]
        return w

    def check(w, lost):
        settle(w)
        whole(w)
        state = Volume.including_removed.get().state
        if lost and Volume.all_tenants.exists():
            assert state == "Ready"
        else:
            assert state == "Expunged"

    assert matrix(scene, check) >= 5


@pytest.mark.parametrize("faults", ["well", "busy at first", "lost before", "lost after", "late"])
def test_an_account_goes_with_its_disks(db, make, monkeypatch, faults):
    def scene():
        w = world(make, monkeypatch, "disks.delete", faults)
        for _ in range(3):
            ready(make, w)
        make.volume(w.alice.account, zone=w.zone)
        Volume.all_tenants.filter(pk=ready(make, w).pk).kernel_update(state="Destroy", is_counted=True)
        w.jobid = dispatch.call(w.root, "deleteAccount", id=w.alice.account.uuid)["jobid"]
        return w

    def check(w, lost):
        settle(w)
        if Volume.including_removed.exclude(state="Expunged").exists() or lost:
            dispatch.call(w.root, "deleteAccount", id=w.alice.account.uuid)
            settle(w)
        whole(w)
        assert set(Volume.including_removed.values_list("state", flat=True)) == {"Expunged"}
        assert (w.cloud.disks, StoragePool.all_tenants.get().used_bytes) == ({}, 0)

    assert matrix(scene, check, every=3) >= 5


def test_while_nobody_knows_the_volume_is_left_alone(db, make, monkeypatch):
    """A resize that acts late: until it has landed nobody looks, deletes, attaches or recovers."""
    w = world(make, monkeypatch, "disks.resize", "late")
    volume, vm = ready(make, w), running(make, w)
    dispatch.call(w.alice, "resizeVolume", id=volume.uuid, size=9)
    work_off()
    Question.objects.update(due_at=PAST)
    work_off()

    assert Volume.all_tenants.get().state == "Resizing"
    assert (Volume.all_tenants.get().size, StoragePool.all_tenants.get().used_bytes) == (9 * GIB, 9 * GIB)
    with pytest.raises(CloudError):
        dispatch.call(w.alice, "deleteVolume", id=volume.uuid)
    for name, params in (
        ("attachVolume", {"virtualmachineid": vm.uuid}),
        ("destroyVolume", {"expunge": True}),
        ("resizeVolume", {"size": 3, "shrinkok": True}),
    ):
        jobid = dispatch.call(w.alice, name, id=volume.uuid, **params)["jobid"]
        work_off()
        with pytest.raises(CloudError):
            answer(jobid)
    assert Volume.all_tenants.get().state == "Resizing"
    settle(w)
    whole(w)
    assert Volume.all_tenants.get().size == 9 * GIB


def test_only_the_host_that_was_asked_says_whether_it_happened(db, make, monkeypatch):
    w = world(make, monkeypatch, "disks.resize", "lost after")
    volume = ready(make, w)
    dispatch.call(w.alice, "resizeVolume", id=volume.uuid, size=9)
    monkeypatch.setattr(fake.FakeDisks, "size", lambda self, disk, within, pool: asked.append(self.host) or 9 * GIB)
    asked = []
    work_off()
    via = w.cloud.calls[0].rpartition(" ")[2]

    assert set(asked) == {via}
    assert (Volume.all_tenants.get().state, Volume.all_tenants.get().via) == ("Ready", None)


def test_a_host_that_went_down_keeps_its_answer_until_it_is_back(db, make, monkeypatch):
    from apps.infrastructure.models import Host

    w = world(make, monkeypatch, "disks.resize", "late")
    volume = ready(make, w)
    dispatch.call(w.alice, "resizeVolume", id=volume.uuid, size=9)
    work_off()
    via = Volume.all_tenants.get().via
    Host.all_tenants.filter(pk=via.pk).update(status="Down")
    w.cloud.late.clear()  # what another host sees says nothing about what that one still does

    Question.objects.update(due_at=PAST)
    work_off()
    assert Volume.all_tenants.get().state == "Resizing"
    Host.all_tenants.filter(pk=via.pk).update(status="Up")
    settle(w)

    assert (Volume.all_tenants.get().state, Volume.all_tenants.get().size) == ("Ready", 2 * GIB)
    whole(w)


def test_a_host_that_never_had_a_disk_of_the_pool_deletes_one_there(db, make, monkeypatch):
    w = world(make, monkeypatch, "disks.delete", "well")
    volume = ready(make, w)
    Host.all_tenants.filter(pk=w.host.pk).kernel_update(status="Down")

    dispatch.call(w.alice, "deleteVolume", id=volume.uuid)
    work_off()

    assert len(w.cloud.calls) == 1
    assert f"disks.delete on {w.host.name}" not in w.cloud.calls
    whole(w)


def test_a_disk_that_cannot_be_deleted_does_not_keep_the_others(db, make, monkeypatch):
    w = world(make, monkeypatch, "disks.delete", "well")
    rows = [ready(make, w) for _ in range(4)]
    w.cloud.attached[str(rows[0].uuid)].add("somebody")  # a host refuses to delete it
    Volume.all_tenants.kernel_update(state="Destroy", destroyed=PAST)
    expunge.clean_up()  # all four in one flow
    work_off()

    assert list(w.cloud.disks) == [str(rows[0].uuid)]
    assert StoragePool.all_tenants.get().used_bytes == 2 * GIB
    assert Alert.all_tenants.filter(text__endswith="are tried again: 1").count() == 1
    w.cloud.attached.clear()
    expunge.try_again()
    work_off()
    assert (w.cloud.disks, StoragePool.all_tenants.get().used_bytes) == ({}, 0)
    whole(w)


def test_a_create_that_lands_after_the_volume_was_given_up_leaves_no_disk(db, make, monkeypatch):
    w = world(make, monkeypatch, "disks.create", "late")
    vm = running(make, w)
    jobid = dispatch.call(w.alice, "createVolume", name="v", size=2, virtualmachineid=vm.uuid)["jobid"]
    work_off()
    with pytest.raises(CloudError):
        answer(jobid)
    volume = Volume.all_tenants.get()
    assert volume.state == "Creating"
    with pytest.raises(CloudError):
        dispatch.call(w.alice, "deleteVolume", id=volume.uuid)
    w.cloud.land()
    settle(w)

    assert (Volume.all_tenants.get().state, Job.objects.filter(status="running").count()) == ("Ready", 0)
    dispatch.call(w.alice, "deleteVolume", id=volume.uuid)
    settle(w)
    whole(w)
    assert w.cloud.disks == {}


@pytest.mark.parametrize("faults", FAULTS)
def test_a_disk_lies_on_the_pool_that_promised_it_or_nothing_is_promised(db, make, monkeypatch, faults):
    w = world(make, monkeypatch, "disks.create", faults)
    volume = make.volume(w.alice.account, zone=w.zone)

    with suppress(CloudError):
        volumes.create_disk(volume, w.host)
    settle(w)

    whole(w)
    there = faults in UNTOUCHED
    volume = Volume.all_tenants.get()
    assert (volume.state, volume.pool) == (("Ready", w.pool) if there else ("Allocated", None))
    assert StoragePool.all_tenants.get().used_bytes == (volume.size if there else 0)
    assert w.cloud.places == ({str(volume.uuid): str(w.pool.uuid)} if there else {})


@pytest.mark.parametrize("state", ["Creating", "Attaching", "Resizing"])
def test_what_is_under_way_is_not_given_up(db, make, monkeypatch, state):
    w = world(make, monkeypatch, "disks.delete", "well")
    volume = ready(make, w)
    Volume.all_tenants.kernel_update(state=state)

    with pytest.raises(CloudError, match=f"is {state}; it can be deleted when that has ended"):
        volumes.give_up(Volume.all_tenants.get())

    assert (Volume.all_tenants.get().pk, Volume.all_tenants.get().state) == (volume.pk, state)
