import pytest

from apps.configuration.store import STORE
from apps.core import dispatch
from apps.core.errors import CloudError, ResourceInUse
from apps.hypervisors import fake
from apps.jobs import runner
from apps.machines.models import VirtualMachine
from apps.storage import ports
from apps.storage.models import StoragePool, Volume
from apps.storage.services import pools, volumes
from tests.conftest import answer
from tests.crash import matrix, work_off
from tests.storage.conftest import Place

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(make):
    make.domain()
    return make.root()


@pytest.fixture
def stopper(monkeypatch):
    """What an app above does: it stops machines one at a time, and starts them again."""
    stopped = []

    def stop(pool):
        first = (
            VirtualMachine.all_tenants.filter(attachments__volume__pool=pool, state="Running").order_by("pk").first()
        )
        VirtualMachine.all_tenants.filter(pk=first.pk).kernel_update(state="Stopped")
        stopped.append(first.pk)

    def start(pool):
        VirtualMachine.all_tenants.filter(pk__in=stopped).kernel_update(state="Running")

    monkeypatch.setattr(ports.stop_machines, "_answers", [(0, stop)])
    monkeypatch.setattr(ports.start_machines, "_answers", [(0, start)])
    return stopped


def on_pool(make, disk, count=1, state="Running"):
    made = []
    for number in range(count):
        volume = make.volume(disk.alice.account, zone=disk.zone, state="Ready")
        vm = make.vm(disk.alice.account, zone=disk.zone, host=disk.host, state=state)
        Volume.all_tenants.filter(pk=volume.pk).kernel_update(state="Allocated")
        assert pools.take(volume, disk.pool)
        Volume.all_tenants.filter(pk=volume.pk).kernel_update(state="Ready")
        vm.attachments.create(volume=volume, device_id=number)
        made.append(vm)
    return made


def states():
    return list(VirtualMachine.all_tenants.order_by("pk").values_list("state", flat=True))


def pool_state():
    return StoragePool.all_tenants.get().state


def begin(root, disk, name="enableStorageMaintenance"):
    return dispatch.call(root, name, id=disk.pool.uuid)["jobid"]


def test_an_empty_pool_goes_into_maintenance_and_comes_back(api, root, disk):
    got = api(root, "enableStorageMaintenance", id=disk.pool.uuid)["storagepool"]
    assert (got["state"], pool_state()) == ("Maintenance", "Maintenance")

    got = api(root, "cancelStorageMaintenance", id=disk.pool.uuid)["storagepool"]
    assert (got["state"], pool_state()) == ("Up", "Up")


def test_machines_are_stopped_first_and_started_again(api, make, root, disk, stopper):
    on_pool(make, disk, 3)
    on_pool(make, disk, 1, state="Stopped")

    jobid = begin(root, disk)
    runner.drain()
    assert (pool_state(), states()) == ("PrepareForMaintenance", ["Stopped", "Running", "Running", "Stopped"])
    with pytest.raises(AssertionError, match="job is running"):
        answer(jobid)
    work_off()

    assert answer(jobid)["storagepool"]["state"] == "Maintenance"
    assert (pool_state(), states()) == ("Maintenance", ["Stopped"] * 4)
    api(root, "cancelStorageMaintenance", id=disk.pool.uuid)
    assert (pool_state(), states()) == ("Up", ["Running"] * 3 + ["Stopped"])


@pytest.mark.parametrize("state", ["Running", "Starting", "Stopping"])
def test_where_nobody_stops_machines_maintenance_fails_and_can_be_tried_again(
    api, make, root, disk, monkeypatch, state
):
    monkeypatch.setattr(ports.stop_machines, "_answers", [])
    (vm,) = on_pool(make, disk, state=state)

    with pytest.raises(CloudError, match="stop them first") as error:
        api(root, "enableStorageMaintenance", id=disk.pool.uuid)

    assert (error.value.code, pool_state(), states()) == (536, "ErrorInMaintenance", [state])
    VirtualMachine.all_tenants.filter(pk=vm.pk).kernel_update(state="Stopped")
    assert api(root, "enableStorageMaintenance", id=disk.pool.uuid)["storagepool"]["state"] == "Maintenance"


def test_a_failed_maintenance_can_be_cancelled(api, make, root, disk, monkeypatch):
    def stop(pool):
        raise ResourceInUse("an instance cannot be stopped")

    monkeypatch.setattr(ports.stop_machines, "_answers", [(0, stop)])
    on_pool(make, disk)

    with pytest.raises(CloudError, match="an instance cannot be stopped"):
        api(root, "enableStorageMaintenance", id=disk.pool.uuid)

    assert api(root, "cancelStorageMaintenance", id=disk.pool.uuid)["storagepool"]["state"] == "Up"


def test_machines_that_do_not_stop_in_time_end_it(make, root, disk, monkeypatch):
    STORE.store("storage.pool.max.waitseconds", "0")
    monkeypatch.setattr(ports.stop_machines, "_answers", [(0, lambda pool: None)])
    on_pool(make, disk)

    jobid = begin(root, disk)
    work_off()

    with pytest.raises(CloudError):
        answer(jobid)
    assert pool_state() == "ErrorInMaintenance"


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("enableStorageMaintenance", "Maintenance"),
        ("enableStorageMaintenance", "PrepareForMaintenance"),
        ("enableStorageMaintenance", "Disabled"),
        ("cancelStorageMaintenance", "Up"),
        ("cancelStorageMaintenance", "PrepareForMaintenance"),
        ("cancelStorageMaintenance", "Disabled"),
    ],
)
def test_states_forbid_what_the_reference_forbids(api, root, disk, name, state):
    StoragePool.all_tenants.kernel_update(state=state)

    with pytest.raises(CloudError) as error:
        api(root, name, id=disk.pool.uuid)

    assert (error.value.code, pool_state()) == (431, state)


def test_cancelling_while_machines_are_being_stopped_is_refused_at_once(api, make, root, disk, monkeypatch):
    monkeypatch.setattr(ports.stop_machines, "_answers", [(0, lambda pool: None)])
    on_pool(make, disk)
    begin(root, disk)

    with pytest.raises(CloudError, match="PrepareForMaintenance, not in maintenance"):
        api(root, "cancelStorageMaintenance", id=disk.pool.uuid)


def test_a_pool_cannot_be_switched_or_deleted_while_a_job_works_on_it(make, root, disk, monkeypatch):
    monkeypatch.setattr(ports.stop_machines, "_answers", [(0, lambda pool: None)])
    on_pool(make, disk)
    begin(root, disk)
    runner.drain()

    for name, params in (("updateStoragePool", {"enabled": False}), ("deleteStoragePool", {})):
        with pytest.raises(CloudError) as error:
            dispatch.call(root, name, id=disk.pool.uuid, **params)
        assert error.value.code == 536
    assert pool_state() == "PrepareForMaintenance"


def test_disks_on_storage_in_maintenance_are_left_alone(api, make, disk, cloud):
    alice = disk.alice
    (vm,) = on_pool(make, disk, state="Stopped")
    loose, volume = make.volume(alice.account, zone=disk.zone), Volume.all_tenants.get(attachment__vm=vm)
    StoragePool.all_tenants.kernel_update(state="Maintenance")

    with pytest.raises(CloudError, match="not in service now"):
        volumes.spec(Volume.all_tenants.get(pk=volume.pk), 1)
    with pytest.raises(CloudError, match="not in service now"):
        api(alice, "resizeVolume", id=volume.uuid, size=2)
    with pytest.raises(CloudError, match="no primary storage"):
        volumes.create_disk(loose, disk.host)
    vm.attachments.all().delete()
    api(alice, "deleteVolume", id=volume.uuid)
    runner.drain()

    assert cloud.calls == []
    assert Volume.including_removed.get(pk=volume.pk).state == "Expunging"


@pytest.mark.parametrize("state", ["Creating", "Resizing", "Attaching"])
def test_maintenance_waits_for_what_is_done_to_disks(make, root, disk, state):
    on_pool(make, disk, state="Stopped")
    Volume.all_tenants.kernel_update(state=state)

    jobid = begin(root, disk)
    runner.drain()
    assert pool_state() == "PrepareForMaintenance"
    Volume.all_tenants.kernel_update(state="Ready")
    work_off()

    assert answer(jobid)["storagepool"]["state"] == "Maintenance"


@pytest.mark.parametrize("state", ["PrepareForMaintenance", "Maintenance", "ErrorInMaintenance"])
def test_what_was_read_before_maintenance_began_is_not_worked_on_after(make, disk, cloud, state):
    on_pool(make, disk, state="Stopped")
    stale, loose = Volume.all_tenants.select_related("pool").get(), make.volume(disk.alice.account, zone=disk.zone)
    assert pools.take(loose, disk.pool)
    StoragePool.all_tenants.kernel_update(state=state)

    for call in (
        lambda: volumes.change_size(stale, 1),
        lambda: volumes.create_disk(loose),
    ):
        with pytest.raises(CloudError, match="not in service now"):
            call()

    assert cloud.calls == []
    assert list(Volume.all_tenants.order_by("pk").values_list("state", flat=True)) == ["Ready", "Allocated"]


def test_what_was_deleted_during_maintenance_goes_when_it_is_over(api, make, root, disk, cloud):
    from apps.storage.flows.expunge import try_again

    (vm,) = on_pool(make, disk, state="Stopped")
    volume = Volume.all_tenants.get()
    vm.attachments.all().delete()
    cloud.disks[str(volume.uuid)] = volume.size
    api(root, "enableStorageMaintenance", id=disk.pool.uuid)
    api(disk.alice, "deleteVolume", id=volume.uuid)
    try_again()
    work_off()
    assert list(cloud.disks) == [str(volume.uuid)]

    api(root, "cancelStorageMaintenance", id=disk.pool.uuid)
    try_again()
    work_off()

    assert (cloud.disks, StoragePool.all_tenants.get().used_bytes) == ({}, 0)
    assert Volume.including_removed.get().state == "Expunged"


def test_killed_at_every_point_it_ends_in_maintenance(db, make, monkeypatch):
    def scene():
        cloud = fake.Cloud()
        monkeypatch.setattr(fake, "CLOUD", cloud)
        place = Place(make)
        cluster = place.cluster()
        pool, root = place.pool(cluster=cluster), make.root()
        alice = make.account()
        volume = make.volume(alice, zone=place.zone)
        assert pools.take(volume, pool)
        vm = make.vm(alice, zone=place.zone, host=cluster.hosts.get(), state="Running")
        vm.attachments.create(volume=volume, device_id=1)

        def stop(pool):
            VirtualMachine.all_tenants.kernel_update(state="Stopped")

        monkeypatch.setattr(ports.stop_machines, "_answers", [(0, stop)])
        return dispatch.call(root, "enableStorageMaintenance", id=pool.uuid)["jobid"]

    def check(jobid, lost):
        assert pool_state() == ("Up" if lost else "Maintenance")
        if lost:
            with pytest.raises(CloudError):
                answer(jobid)
        else:
            assert answer(jobid)["storagepool"]["state"] == "Maintenance"

    make.domain()
    assert matrix(scene, check) >= 4
