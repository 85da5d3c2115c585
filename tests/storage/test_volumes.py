import pytest

from apps.configuration.store import STORE
from apps.core.errors import CloudError
from apps.core.models import Tag
from apps.events.models import Event
from apps.infrastructure.models import Host
from apps.jobs import runner
from apps.limits.models import Counter
from apps.limits.services import set_limit
from apps.machines.models import Attachment, VirtualMachine
from apps.offerings.models import DiskOffering
from apps.storage.flows import expunge
from apps.storage.models import StoragePool, Volume
from apps.storage.services import pools
from tests.storage.conftest import GIB, Place, audits, saved

pytestmark = pytest.mark.django_db


def fixed(size=5, **kw):
    return saved(DiskOffering(name=f"fixed{size}", size_bytes=size * GIB, **kw))


def custom(**kw):
    return saved(DiskOffering(name="custom", customized=True, **kw))


def create(api, disk, **params):
    given = {"name": "v", "zoneid": disk.zone.uuid, "size": 2} | params
    return api(disk.alice, "createVolume", **given)["volume"]


def used(account, kind="primary_storage"):
    return Counter.objects.filter(account=account, kind=kind).values_list("used", flat=True).first() or 0


def row(got):
    return Volume.including_removed.get(uuid=got["id"])


def ready(make, disk, cloud, size=2, **kw):
    """A volume of alice whose disk exists on the pool."""
    volume = make.volume(disk.alice.account, zone=disk.zone, size=size * GIB, **kw)
    assert pools.take(volume, disk.pool)
    Volume.all_tenants.filter(pk=volume.pk).kernel_update(state="Ready")
    cloud.disks[str(volume.uuid)] = volume.size
    return Volume.all_tenants.get(pk=volume.pk)


def machine(make, disk, cloud, state="Running", **kw):
    on = {"host": disk.host} if state == "Running" else {}
    vm = make.vm(disk.alice.account, zone=disk.zone, state=state, **on, **kw)
    if state == "Running":
        cloud.running[str(vm.uuid)].add(disk.host.name)
    return vm


def refused(call):
    with pytest.raises(CloudError) as error:
        call()
    return error.value.code


# create


def test_a_volume_is_a_row_until_it_is_attached(api, disk, cloud):
    offering = fixed(5)
    got = create(api, disk, size=None, diskofferingid=offering.uuid)

    assert (got["state"], got["type"], got["size"], got["name"]) == ("Allocated", "DATADISK", 5 * GIB, "v")
    assert (got["diskofferingid"], got["diskofferingname"]) == (str(offering.uuid), "fixed5")
    assert (got["zonename"], got["provisioningtype"], got["deleteprotection"]) == (disk.zone.name, "thin", False)
    assert (used(disk.alice.account), used(disk.alice.account, "volume"), cloud.calls) == (5 * GIB, 1, [])
    shown = api(disk.alice, "listVolumes")["volume"]
    assert [shown[0] | {"jobid": got["jobid"], "jobstatus": 0}] == [got]  # it was answered while its job still ran


def test_a_volume_without_a_name_gets_one(api, disk):
    assert create(api, disk, name=None)["name"].startswith("VOL-")


def test_a_custom_offering_leaves_the_size_to_the_customer(api, disk):
    assert create(api, disk, size=7, diskofferingid=custom().uuid)["size"] == 7 * GIB


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": None},
        {"size": 0},
        {"size": 2001},
        {"zoneid": None},
        {"size": 3, "diskofferingid": "fixed"},
        {"size": None, "diskofferingid": "custom"},
        {"size": 1025, "diskofferingid": "custom"},
        {"size": None, "diskofferingid": "inactive"},
        {"size": None, "diskofferingid": "elsewhere"},
    ],
)
def test_an_order_that_cannot_be_is_refused_and_makes_nothing(api, make, disk, wrong):
    offerings = {"fixed": fixed(), "custom": custom(), "inactive": fixed(6, state="Inactive"), "elsewhere": fixed(8)}
    offerings["elsewhere"].zones.set([Place(make).zone])
    if wrong.get("diskofferingid"):
        wrong = wrong | {"diskofferingid": offerings[wrong["diskofferingid"]].uuid}

    assert refused(lambda: create(api, disk, **wrong)) == 431

    assert (Volume.including_removed.count(), used(disk.alice.account)) == (0, 0)


def test_only_administrators_order_in_a_disabled_zone(api, make, disk):
    type(disk.zone).all_tenants.update(allocation_state="Disabled")

    assert refused(lambda: create(api, disk)) == 531
    assert Volume.including_removed.count() == 0
    root = make.root()
    assert api(root, "createVolume", name="v", size=1, zoneid=disk.zone.uuid)["volume"]["state"] == "Allocated"


@pytest.mark.parametrize(("kind", "limit", "left"), [("volume", 2, 2), ("primary_storage", 5 * GIB, 2)])
def test_limits_are_exact(api, disk, kind, limit, left):
    set_limit(kind=kind, limit=limit, account=disk.alice.account)
    for _ in range(left):
        create(api, disk, size=2)

    assert refused(lambda: create(api, disk, size=2)) == 535

    assert (Volume.including_removed.count(), used(disk.alice.account)) == (left, left * 2 * GIB)


def test_a_volume_in_a_project_is_the_projects(api, make, disk):
    project = make.project(disk.alice.account)
    from apps.accounts.tenants import caller_for

    member = caller_for(disk.alice.account)
    got = api(member, "createVolume", name="v", size=1, zoneid=disk.zone.uuid, projectid=project.uuid)["volume"]

    assert (got["projectid"], "account" in got) == (str(project.uuid), False)
    assert (used(project), used(disk.alice.account)) == (GIB, 0)


@pytest.mark.parametrize("state", ["Running", "Stopped"])
def test_a_volume_is_attached_at_once_to_the_instance_that_is_named(api, make, disk, cloud, state):
    vm = machine(make, disk, cloud, state)

    got = create(api, disk, zoneid=None, virtualmachineid=vm.uuid)

    assert (got["virtualmachineid"], got["deviceid"], got["zoneid"]) == (str(vm.uuid), 1, str(disk.zone.uuid))
    assert got["state"] == ("Ready" if state == "Running" else "Allocated")
    assert cloud.attached[got["id"]] == ({str(vm.uuid)} if state == "Running" else set())


def test_a_volume_that_cannot_be_attached_is_not_left_behind(api, make, disk, cloud):
    from apps.hypervisors.errors import Refused

    vm = machine(make, disk, cloud)
    cloud.fail("disks.attach", Refused("no slot"))

    assert refused(lambda: create(api, disk, virtualmachineid=vm.uuid)) == 534
    runner.drain()

    assert (Volume.all_tenants.count(), used(disk.alice.account), cloud.disks) == (0, 0, {})
    assert Volume.including_removed.get().state == "Expunged"


@pytest.mark.parametrize("call", ["disks.create", "disks.attach"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_volume_that_may_be_attached_stays_and_turns_out_to_be_what_it_is(api, make, disk, cloud, call, when):
    from apps.hypervisors.errors import Unknown

    vm = machine(make, disk, cloud)
    cloud.fail(call, Unknown("timeout"), when=when)

    assert refused(lambda: create(api, disk, virtualmachineid=vm.uuid)) == 534
    runner.drain()

    volume = Volume.all_tenants.get()
    there = str(volume.uuid) in cloud.disks
    assert volume.state == ("Ready" if there else "Allocated")
    assert Attachment.objects.filter(volume=volume).exists() == bool(cloud.attached[str(volume.uuid)])
    assert used(disk.alice.account) == 2 * GIB
    assert not Event.objects.filter(family="alert").exists()


def test_an_instance_of_somebody_else_or_somewhere_else_gets_no_volume(api, make, disk, cloud):
    vm = machine(make, disk, cloud)
    root, far = make.root(), Place(make)

    assert refused(lambda: create(api, disk, virtualmachineid=vm.uuid, zoneid=far.zone.uuid)) == 431
    assert refused(lambda: api(root, "createVolume", name="v", size=1, virtualmachineid=vm.uuid)) == 431
    foreign = make.vm(make.account("bob"), zone=disk.zone)
    assert refused(lambda: create(api, disk, virtualmachineid=foreign.uuid)) == 531

    assert Volume.including_removed.count() == 0


# delete, destroy, recover


def test_deleting_takes_the_volume_from_its_owner_at_once_and_the_disk_soon(api, make, disk, cloud):
    volume = ready(make, disk, cloud)

    assert api(disk.alice, "deleteVolume", id=volume.uuid) == {"success": True}

    assert (api(disk.alice, "listVolumes"), used(disk.alice.account)) == ({}, 0)
    assert Volume.including_removed.get().state == "Expunging"
    assert StoragePool.all_tenants.get().used_bytes == 2 * GIB  # there until the disk is gone
    runner.drain()
    assert (cloud.disks, StoragePool.all_tenants.get().used_bytes) == ({}, 0)
    assert Volume.including_removed.get().state == "Expunged"
    assert audits() == {}
    assert refused(lambda: api(disk.alice, "deleteVolume", id=volume.uuid)) == 431


def test_a_volume_that_never_had_a_disk_is_gone_at_once(api, disk, cloud):
    got = create(api, disk)

    api(disk.alice, "deleteVolume", id=got["id"])

    assert (row(got).state, cloud.calls, used(disk.alice.account)) == ("Expunged", [], 0)


def test_destroyed_is_aside_and_counts_nothing_until_it_is_recovered(api, make, disk, cloud):
    volume = ready(make, disk, cloud)

    got = api(disk.alice, "destroyVolume", id=volume.uuid)["volume"]
    assert (got["state"], got["destroyed"], used(disk.alice.account)) == ("Destroy", True, 0)
    assert cloud.disks == {str(volume.uuid): 2 * GIB}
    got = api(disk.alice, "recoverVolume", id=volume.uuid)["volume"]

    assert (got["state"], got["destroyed"], used(disk.alice.account)) == ("Ready", False, 2 * GIB)
    assert audits() == {}


def test_a_volume_that_the_limit_has_no_room_for_is_not_recovered(api, make, disk, cloud):
    volume = ready(make, disk, cloud)
    api(disk.alice, "destroyVolume", id=volume.uuid)
    set_limit(kind="volume", limit=0, account=disk.alice.account)

    assert refused(lambda: api(disk.alice, "recoverVolume", id=volume.uuid)) == 535

    assert (Volume.all_tenants.get().state, used(disk.alice.account, "volume")) == ("Destroy", 0)


def test_destroying_for_good_is_deleting(api, make, disk, cloud):
    volume = ready(make, disk, cloud)

    got = api(disk.alice, "destroyVolume", id=volume.uuid, expunge=True)["volume"]
    runner.drain()

    assert (got["id"], got["state"] in ("Expunging", "Expunged")) == (str(volume.uuid), True)
    assert (cloud.disks, Volume.including_removed.get().state) == ({}, "Expunged")


def test_an_operator_may_keep_expunging_and_recovering_for_administrators(api, make, disk, cloud):
    STORE.store("allow.user.expunge.recover.volume", "false")
    volume = ready(make, disk, cloud)

    assert refused(lambda: api(disk.alice, "destroyVolume", id=volume.uuid, expunge=True)) == 531
    api(disk.alice, "destroyVolume", id=volume.uuid)
    assert refused(lambda: api(disk.alice, "recoverVolume", id=volume.uuid)) == 531
    assert Volume.all_tenants.get().state == "Destroy"
    assert api(make.root(), "recoverVolume", id=volume.uuid)["volume"]["state"] == "Ready"


@pytest.mark.parametrize("name", ["deleteVolume", "destroyVolume"])
def test_what_is_attached_or_protected_or_worked_on_is_not_deleted(api, make, disk, cloud, name):
    inside, kept, busy = (ready(make, disk, cloud) for _ in range(3))
    Attachment.objects.create(volume=inside, vm=machine(make, disk, cloud, "Stopped"), device_id=1)
    api(make.root(), "updateVolume", id=kept.uuid, deleteprotection=True)
    Volume.all_tenants.filter(pk=busy.pk).kernel_update(state="Resizing")

    for volume in (inside, kept, busy):
        assert refused(lambda volume=volume: api(disk.alice, name, id=volume.uuid)) == 431

    assert Volume.all_tenants.count() == 3
    assert list(Volume.all_tenants.order_by("pk").values_list("state", flat=True)) == ["Ready", "Ready", "Resizing"]


def test_only_what_is_destroyed_is_recovered(api, make, disk, cloud):
    assert refused(lambda: api(disk.alice, "recoverVolume", id=ready(make, disk, cloud).uuid)) == 431


def test_a_volume_is_not_deleted_while_a_job_works_on_it(api, make, disk, cloud):
    from apps.core import dispatch
    from apps.jobs import worker
    from apps.jobs.models import Job

    volume = ready(make, disk, cloud)
    dispatch.call(disk.alice, "resizeVolume", id=volume.uuid, size=3)
    assert worker.claim(Job.objects.get().pk)

    assert refused(lambda: api(disk.alice, "deleteVolume", id=volume.uuid)) == 536
    assert Volume.all_tenants.get().state == "Ready"


def test_the_cleanup_expunges_what_was_destroyed_long_enough_ago(api, make, disk, cloud):
    old, young, back = (ready(make, disk, cloud) for _ in range(3))
    for volume in (old, young, back):
        api(disk.alice, "destroyVolume", id=volume.uuid)
    Volume.all_tenants.exclude(pk=young.pk).update(destroyed="2020-01-01T00:00Z")
    api(disk.alice, "recoverVolume", id=back.uuid)

    expunge.clean_up()
    runner.drain()

    states = dict(Volume.including_removed.values_list("pk", "state"))
    assert states == {old.pk: "Expunged", young.pk: "Destroy", back.pk: "Ready"}
    assert set(cloud.disks) == {str(young.uuid), str(back.uuid)}
    assert audits() == {}


def test_the_cleanup_takes_all_however_many(api, make, disk, cloud, monkeypatch):
    monkeypatch.setattr(expunge, "SOME", 2)
    for _ in range(5):
        api(disk.alice, "destroyVolume", id=ready(make, disk, cloud).uuid)
    STORE.store("storage.cleanup.delay", "0")

    expunge.clean_up()
    runner.drain()

    assert (Volume.all_tenants.count(), cloud.disks, StoragePool.all_tenants.get().used_bytes) == (0, {}, 0)


def test_the_cleanup_can_be_switched_off(api, make, disk, cloud):
    api(disk.alice, "destroyVolume", id=ready(make, disk, cloud).uuid)
    STORE.store("storage.cleanup.delay", "0")
    STORE.store("storage.cleanup.enabled", "false")

    expunge.clean_up()

    assert Volume.all_tenants.get().state == "Destroy"


# resize


@pytest.mark.parametrize("state", ["Running", "Stopped", None])
def test_a_disk_that_exists_grows_where_it_is(api, make, disk, cloud, state):
    volume = ready(make, disk, cloud)
    if state:
        Attachment.objects.create(volume=volume, vm=machine(make, disk, cloud, state), device_id=1)

    got = api(disk.alice, "resizeVolume", id=volume.uuid, size=5)["volume"]

    assert (got["size"], got["state"], cloud.disks[str(volume.uuid)]) == (5 * GIB, "Ready", 5 * GIB)
    assert (used(disk.alice.account), StoragePool.all_tenants.get().used_bytes) == (5 * GIB, 5 * GIB)
    assert audits() == {}


def test_the_host_of_a_running_instance_is_the_one_that_resizes(api, make, disk, cloud):
    volume = ready(make, disk, cloud)
    for _ in range(5):
        disk.place.host(disk.cluster)
    Attachment.objects.create(volume=volume, vm=machine(make, disk, cloud), device_id=1)

    api(disk.alice, "resizeVolume", id=volume.uuid, size=5)

    assert cloud.calls == [f"disks.resize on {disk.host.name}"]


def test_an_order_that_is_only_a_row_changes(api, make, disk, cloud):
    got = create(api, disk)
    assert pools.take(row(got), disk.pool)

    for size in (5, 1):
        assert api(disk.alice, "resizeVolume", id=got["id"], size=size, shrinkok=True)["volume"]["size"] == size * GIB
        assert (used(disk.alice.account), StoragePool.all_tenants.get().used_bytes) == (size * GIB, size * GIB)

    assert (cloud.calls, audits()) == ([], {})


def test_a_volume_shrinks_only_if_that_is_said_and_its_instance_does_not_run(api, make, disk, cloud):
    volume = ready(make, disk, cloud, size=5)
    call = {"id": volume.uuid, "size": 2}

    assert refused(lambda: api(disk.alice, "resizeVolume", **call)) == 431
    held = Attachment.objects.create(volume=volume, vm=machine(make, disk, cloud), device_id=1)
    assert refused(lambda: api(disk.alice, "resizeVolume", **call, shrinkok=True)) == 431
    held.delete()
    assert cloud.disks[str(volume.uuid)] == 5 * GIB
    assert api(disk.alice, "resizeVolume", **call, shrinkok=True)["volume"]["size"] == 2 * GIB
    assert (cloud.disks[str(volume.uuid)], used(disk.alice.account)) == (2 * GIB, 2 * GIB)
    assert audits() == {}


def test_a_volume_gets_the_size_and_the_name_of_another_offering(api, make, disk, cloud):
    small, large = fixed(2), fixed(8)
    volume = ready(make, disk, cloud, offering=small)

    assert refused(lambda: api(disk.alice, "resizeVolume", id=volume.uuid, size=9)) == 431  # a size of its own
    got = api(disk.alice, "resizeVolume", id=volume.uuid, diskofferingid=large.uuid)["volume"]

    assert (got["size"], got["diskofferingname"]) == (8 * GIB, "fixed8")
    got = api(disk.alice, "resizeVolume", id=volume.uuid, diskofferingid=custom().uuid, size=8)["volume"]
    assert (got["size"], got["diskofferingname"]) == (8 * GIB, "custom")
    assert (len(cloud.calls), audits()) == (1, {})


def test_an_offering_that_wants_other_storage_is_refused(api, make, disk, cloud):
    volume = ready(make, disk, cloud, offering=custom())
    local, fast = fixed(8, storage_type="local"), fixed(9, storage_tags="fast")

    for offering in (local, fast):
        with pytest.raises(CloudError, match="wants other storage than the volume lies on"):
            api(disk.alice, "resizeVolume", id=volume.uuid, diskofferingid=offering.uuid)

    assert Volume.all_tenants.get().offering.name == "custom"


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"size": 2001},
        {"size": 0},
        {"diskofferingid": "inactive"},
        {"diskofferingid": "fixed", "size": 9},
    ],
)
def test_a_size_that_cannot_be_is_refused_and_nothing_changes(api, make, disk, cloud, wrong):
    volume = ready(make, disk, cloud)
    offerings = {"inactive": fixed(6, state="Inactive"), "fixed": fixed(7)}
    if "diskofferingid" in wrong:
        wrong = wrong | {"diskofferingid": offerings[wrong["diskofferingid"]].uuid}

    assert refused(lambda: api(disk.alice, "resizeVolume", id=volume.uuid, **wrong)) == 431

    assert (Volume.all_tenants.get().size, cloud.calls, used(disk.alice.account)) == (2 * GIB, [], 2 * GIB)


def test_an_offering_may_forbid_it(api, make, disk, cloud):
    volume = ready(make, disk, cloud, offering=custom(size_strictness=True))

    assert refused(lambda: api(disk.alice, "resizeVolume", id=volume.uuid, size=9)) == 431


def test_a_root_disk_has_at_least_the_size_of_its_template(api, make, disk, cloud):
    template = make.template(disk.alice.account, size_bytes=3 * GIB)
    root = ready(make, disk, cloud, size=5, kind="ROOT", template=template)

    assert refused(lambda: api(disk.alice, "resizeVolume", id=root.uuid, size=2, shrinkok=True)) == 431
    assert refused(lambda: api(disk.alice, "resizeVolume", id=root.uuid, diskofferingid=fixed(9).uuid)) == 431
    assert api(disk.alice, "resizeVolume", id=root.uuid, size=9)["volume"]["size"] == 9 * GIB


@pytest.mark.parametrize("state", ["Destroy", "Resizing", "Attaching", "Creating"])
def test_a_volume_that_is_not_at_rest_is_not_resized(api, make, disk, cloud, state):
    volume = ready(make, disk, cloud)
    Volume.all_tenants.kernel_update(state=state)

    assert refused(lambda: api(disk.alice, "resizeVolume", id=volume.uuid, size=9)) == 431
    assert (Volume.all_tenants.get().size, cloud.calls) == (2 * GIB, [])


def test_nor_while_its_instance_starts_or_stops(api, make, disk, cloud):
    volume, vm = ready(make, disk, cloud), machine(make, disk, cloud)
    Attachment.objects.create(volume=volume, vm=vm, device_id=1)
    VirtualMachine.all_tenants.kernel_update(state="Stopping")

    assert refused(lambda: api(disk.alice, "resizeVolume", id=volume.uuid, size=9)) == 431


def test_limits_and_room_hold_for_a_larger_size(api, make, disk, cloud):
    volume = ready(make, disk, cloud)
    set_limit(kind="primary_storage", limit=4 * GIB, account=disk.alice.account)
    assert refused(lambda: api(disk.alice, "resizeVolume", id=volume.uuid, size=5)) == 535
    set_limit(kind="primary_storage", limit=-1, account=disk.alice.account)
    StoragePool.all_tenants.kernel_update(placement_bytes=4 * GIB, capacity_bytes=10 * GIB)

    with pytest.raises(CloudError, match="no room for") as error:
        api(disk.alice, "resizeVolume", id=volume.uuid, size=5)

    assert error.value.code == 534
    volume = Volume.all_tenants.get()
    assert (volume.state, volume.size, cloud.calls) == ("Ready", 2 * GIB, [])
    assert (used(disk.alice.account), StoragePool.all_tenants.get().used_bytes) == (2 * GIB, 2 * GIB)
    StoragePool.all_tenants.kernel_update(placement_bytes=5 * GIB)
    assert api(disk.alice, "resizeVolume", id=volume.uuid, size=5)["volume"]["size"] == 5 * GIB


def test_volumes_may_grow_beyond_what_new_ones_get_if_the_operator_says_so(api, make, disk, cloud):
    volume = ready(make, disk, cloud)
    StoragePool.all_tenants.kernel_update(placement_bytes=4 * GIB, capacity_bytes=10 * GIB)
    STORE.store("volume.resize.allowed.beyond.allocation", "true")

    assert refused(lambda: api(disk.alice, "resizeVolume", id=volume.uuid, size=10)) == 534
    assert api(disk.alice, "resizeVolume", id=volume.uuid, size=9)["volume"]["size"] == 9 * GIB


# update


def test_root_changes_what_is_said_about_a_volume(api, make, disk):
    got, root = create(api, disk), make.root()

    changed = api(root, "updateVolume", id=got["id"], name="new", displayvolume=False, deleteprotection=True)["volume"]

    assert (changed["name"], changed["displayvolume"], changed["deleteprotection"]) == ("new", False, True)
    assert api(disk.alice, "listVolumes") == {}
    for wrong in ({"id": got["id"]}, {"name": "x"}, {"id": got["id"], "name": " "}):
        assert refused(lambda wrong=wrong: api(root, "updateVolume", **wrong)) == 431
    assert row(got).name == "new"
    assert refused(lambda: api(disk.alice, "updateVolume", id=got["id"], name="mine")) == 432


# list


def test_lists_by_every_filter(api, make, disk, cloud):
    alice, root, offering = disk.alice, make.root(), fixed(3)
    vm = machine(make, disk, cloud)
    inside = ready(make, disk, cloud, name="inside", offering=offering)
    Attachment.objects.create(volume=inside, vm=vm, device_id=1)
    make.volume(alice.account, name="root", zone=disk.zone, kind="ROOT")
    far = make.volume(alice.account, name="far", zone=Place(make).zone)
    aside = make.volume(alice.account, name="aside", zone=disk.zone, state="Destroy")
    make.volume(alice.account, name="system", zone=disk.zone, is_system=True)
    make.volume(alice.account, name="hidden", zone=disk.zone, is_displayed=False)
    make.volume(make.account("bob"), name="foreign", zone=disk.zone)
    Tag.objects.create(kind="storage.volume", row_id=far.pk, key="k", value="v")

    def listed(caller=alice, **by):
        return [v["name"] for v in api(caller, "listVolumes", **by).get("volume", [])]

    assert listed() == ["inside", "root", "far", "aside"]
    assert listed(id=far.uuid) == listed(tags=[{"key": "k", "value": "v"}]) == ["far"]
    assert listed(ids=f"{far.uuid},{inside.uuid}") == ["inside", "far"]
    assert listed(name="FAR") == ["far"]
    assert listed(keyword="ide") == ["inside", "aside"]
    assert listed(state="Destroy") == ["aside"]
    assert listed(type="root") == ["root"]
    assert listed(zoneid=disk.zone.uuid) == ["inside", "root", "aside"]
    assert listed(virtualmachineid=vm.uuid) == listed(diskofferingid=offering.uuid) == ["inside"]
    assert listed(serviceofferingid=vm.offering.uuid) == ["inside"]
    assert listed(hostid=disk.host.uuid, storageid=disk.pool.uuid) == listed()  # a customer cannot say these
    of_root = {"caller": root, "listall": True}
    assert listed(**of_root) == ["inside", "root", "far", "aside", "hidden", "foreign"]
    assert listed(**of_root, displayvolume=False) == ["hidden"]
    assert listed(**of_root, listsystemvms=True) == ["inside", "root", "far", "aside", "system", "hidden", "foreign"]
    for name, value in (
        ("hostid", disk.host),
        ("storageid", disk.pool),
        ("clusterid", disk.cluster),
        ("podid", disk.place.pod),
    ):
        assert listed(**of_root, **{name: value.uuid}) == ["inside"], name
    assert aside.name in listed()


def test_customers_do_not_see_where_a_volume_lies(api, make, disk, cloud):
    volume = ready(make, disk, cloud)

    mine = api(disk.alice, "listVolumes")["volume"][0]
    whole = api(make.root(), "listVolumes", id=volume.uuid)["volume"][0]

    hidden = {"storage", "storageid", "storagetype", "clusterid", "clustername", "podid", "podname", "path"}
    hidden |= {"hypervisor", "displayvolume"}
    assert whole.keys() - mine.keys() == hidden
    assert (whole["storage"], whole["storagetype"], whole["path"]) == (disk.pool.name, "shared", str(volume.uuid))


def test_a_host_that_is_down_is_not_asked(api, make, disk, cloud):
    volume = ready(make, disk, cloud)
    Host.all_tenants.update(status="Down")

    with pytest.raises(CloudError) as error:
        api(disk.alice, "resizeVolume", id=volume.uuid, size=3)

    assert (error.value.code, Volume.all_tenants.get().state, cloud.calls) == (534, "Ready", [])
