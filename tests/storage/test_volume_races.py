"""Sixteen at once on the same rows."""

import random

import pytest

from apps.core import dispatch
from apps.core.errors import CloudError
from apps.hypervisors import fake
from apps.jobs import runner, worker
from apps.jobs.models import Job
from apps.limits.services import set_limit
from apps.machines.models import Attachment
from apps.storage.flows import expunge
from apps.storage.models import StoragePool, Volume
from apps.storage.services import pools, primary_storage, volumes
from tests.crash import work_off
from tests.storage.conftest import GIB, Place, audits
from tests.test_concurrency import THREADS, in_threads

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def disk(make, cloud):
    place = Place(make)
    cluster = place.cluster()
    pool = place.pool(cluster=cluster)
    return pool, make.caller("alice"), place.zone, cluster.hosts.get(), place


def ready(make, disk):
    pool, alice, zone, *_ = disk
    volume = make.volume(alice.account, zone=zone)
    assert pools.take(volume, pool)
    Volume.all_tenants.filter(pk=volume.pk).kernel_update(state="Ready")
    fake.CLOUD.disks[str(volume.uuid)] = volume.size
    return Volume.all_tenants.get(pk=volume.pk)


def tried(call):
    """True if it went well; only errors that callers may see count as refusals."""
    try:
        call()
    except CloudError:
        return False
    return True


def test_a_volume_is_deleted_once(make, disk):
    volume, went = ready(make, disk), []

    in_threads(lambda number: went.append(tried(lambda: dispatch.call(disk[1], "deleteVolume", id=volume.uuid))))

    assert went.count(True) == 1
    work_off()
    assert (Volume.including_removed.get().state, StoragePool.all_tenants.get().used_bytes) == ("Expunged", 0)
    assert audits() == {}


def test_recovering_and_expunging_exclude_each_other(make, disk):
    alice, rows = disk[1], [ready(make, disk) for _ in range(4)]
    for row in rows:
        volumes.destroy(row)
    Volume.all_tenants.update(destroyed="2020-01-01T00:00Z")

    def work(number):
        if number % 2:
            tried(lambda: dispatch.call(alice, "recoverVolume", id=rows[number % 4].uuid))
        else:
            expunge.clean_up()

    in_threads(work)
    work_off()

    states = list(Volume.including_removed.values_list("state", flat=True))
    assert set(states) <= {"Ready", "Expunged"}
    assert len(fake.CLOUD.disks) == states.count("Ready") == StoragePool.all_tenants.get().used_bytes // GIB
    assert audits() == {}


def test_one_volume_has_its_disk_wiped_by_many_and_leaves_its_pool_once(make, disk):
    rows = [ready(make, disk) for _ in range(3)]
    for row in rows:
        volumes.give_up(row)

    def work(number):
        for row in Volume.including_removed.filter(state="Expunging").select_related("pool", "via"):
            volumes.wipe(row)

    in_threads(work)

    assert (fake.CLOUD.disks, StoragePool.all_tenants.get().used_bytes) == ({}, 0)
    assert set(Volume.including_removed.values_list("state", flat=True)) == {"Expunged"}
    assert audits() == {}


def test_orders_of_one_account_are_exact(make, disk):
    _, alice, zone, *_ = disk
    set_limit(kind="primary_storage", limit=21 * GIB, account=alice.account)
    went = []

    def work(number):
        for _ in range(3):
            went.append(tried(lambda: dispatch.call(alice, "createVolume", name="v", size=2, zoneid=zone.uuid)))

    in_threads(work)

    assert (went.count(True), Volume.all_tenants.count()) == (10, 10)
    runner.drain()
    assert audits() == {}


def test_jobs_and_calls_on_one_volume_leave_it_whole(make, disk):
    """Attach to a stopped machine, resize, delete and destroy, all at once, worked on by all."""
    pool, alice, zone, host, place = disk
    rows = [ready(make, disk) for _ in range(6)]
    vms = [make.vm(alice.account, zone=zone, state="Stopped") for _ in range(2)]

    def work(number):
        row = rows[number % 6]
        calls = (
            ("attachVolume", {"virtualmachineid": vms[number % 2].uuid}),
            ("resizeVolume", {"size": 2 + number % 3}),
            ("destroyVolume", {"expunge": number % 2 == 0}),
            ("deleteVolume", {}),
        )
        name, params = calls[number % 4]
        tried(lambda: dispatch.call(alice, name, id=row.uuid, **params))
        for _ in range(4):
            waiting = list(Job.objects.filter(status="queued").values_list("pk", flat=True)[:20])
            if waiting:
                worker.run(random.choice(waiting))

    in_threads(work)
    work_off()

    for volume in Volume.including_removed.all():
        held = Attachment.objects.filter(volume=volume).exists()
        assert volume.state in (("Ready",) if held else ("Ready", "Destroy", "Expunged")), volume.state
    kept = Volume.all_tenants.all()
    assert {str(v.uuid): v.size for v in kept} == fake.CLOUD.disks
    assert StoragePool.all_tenants.get().used_bytes == sum(v.size for v in kept)
    assert audits() == {}


def test_a_pool_that_goes_into_maintenance_takes_nothing_more(make, disk):
    pool, alice, zone, host, place = disk
    rows = [make.volume(alice.account, zone=zone) for _ in range(THREADS)]
    taken = []

    def work(number):
        if number == THREADS // 2:
            primary_storage.begin_maintenance(StoragePool.all_tenants.get())
        else:
            taken.append(pools.take(rows[number], pool))

    in_threads(work)

    assert StoragePool.all_tenants.get().used_bytes == taken.count(True) * GIB
    assert not pools.take(rows[THREADS // 2], pool)
    assert audits() == {}


def test_one_pool_is_deleted_or_takes_a_volume(make, disk):
    pool, alice, zone, host, place = disk
    StoragePool.all_tenants.kernel_update(state="Maintenance")
    rows = [make.volume(alice.account, zone=zone) for _ in range(THREADS)]
    root = make.root()

    def work(number):
        if number % 2:
            tried(lambda: dispatch.call(root, "deleteStoragePool", id=pool.uuid))
        elif number == 0:
            tried(lambda: primary_storage.end_maintenance(StoragePool.including_removed.get(pk=pool.pk)))
        else:
            pools.take(rows[number], pool)

    in_threads(work)
    work_off()

    row = StoragePool.including_removed.get()
    on_it = Volume.all_tenants.filter(pool=row).count()
    assert row.used_bytes == on_it * GIB
    assert not (row.removed and on_it)
    assert audits() == {}
