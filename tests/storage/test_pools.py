import pytest

from apps.configuration.store import STORE
from apps.core import secret
from apps.core.errors import CloudError
from apps.hypervisors.errors import Refused, Unknown
from apps.infrastructure.models import Host
from apps.jobs import runner
from apps.simulator.models import Mount
from apps.storage.flows import measure
from apps.storage.models import StoragePool, StoragePoolTag, Volume
from apps.storage.services import pool_urls, pools
from tests.storage.conftest import GIB, TIB, Place, audits

pytestmark = pytest.mark.django_db
URL = "nfs://127.0.0.1:/export/primary1"


@pytest.fixture
def root(make):
    make.domain()
    return make.root()


@pytest.fixture
def simulated(make, root):
    return Place(make, "Simulator")


def create(api, root, place, **more):
    given = {"zoneid": place.zone.uuid, "name": "PS1", "url": URL} | more
    return api(root, "createStoragePool", **given)["storagepool"]


def in_cluster(api, root, place, cluster=None, **more):
    cluster = cluster or place.cluster()
    return create(api, root, place, **{"clusterid": cluster.uuid, "podid": cluster.pod.uuid} | more)


def code_of(call):
    with pytest.raises(CloudError) as error:
        call()
    return error.value.code


def test_a_pool_of_a_cluster_has_a_tebibyte_as_simulated_hosts_say(api, root, simulated):
    cluster = simulated.cluster()

    got = in_cluster(api, root, simulated, cluster, scope="cluster", tags="ssd, fast,,ssd")

    assert {name: got[name] for name in got if name not in ("id", "created")} == {
        "name": "PS1",
        "state": "Up",
        "type": "NetworkFilesystem",
        "scope": "CLUSTER",
        "provider": "DefaultPrimary",
        "hypervisor": "Simulator",
        "zoneid": str(simulated.zone.uuid),
        "zonename": simulated.zone.name,
        "podid": str(simulated.pod.uuid),
        "podname": "p",
        "clusterid": str(cluster.uuid),
        "clustername": cluster.name,
        "ipaddress": "127.0.0.1",
        "path": "/export/primary1",
        "disksizetotal": 1099511627776,
        "disksizeallocated": 0,
        "disksizeused": 0,
        "capacitybytes": 2 * 1099511627776,
        "overprovisionfactor": "2.0",
        "managed": False,
        "istagarule": False,
        "hasannotations": False,
        "tags": "fast,ssd",
    }
    assert list(Mount.objects.values_list("pool", "host")) == [(got["id"], cluster.hosts.get().pk)]
    assert api(root, "listStoragePools", id=got["id"])["storagepool"] == [got]
    assert audits() == {}


def test_a_simulated_cluster_may_get_its_hosts_later(api, root, simulated):
    got = in_cluster(api, root, simulated, simulated.cluster(hosts=0))

    assert (got["state"], got["disksizetotal"]) == ("Up", TIB)


def test_storage_that_no_host_can_use_is_not_added(api, root, place, cloud):
    empty, cluster = place.cluster(hosts=0), place.cluster()
    cloud.fail("pools.ensure", Refused("no such export"), times=9)

    assert code_of(lambda: in_cluster(api, root, place, empty)) == 534
    assert code_of(lambda: in_cluster(api, root, place, cluster)) == 534

    assert StoragePool.including_removed.count() == 0


def test_another_host_is_asked_when_one_does_not_answer(api, root, place, cloud):
    cluster = place.cluster(hosts=2)
    cloud.fail("pools.ensure", Unknown("timeout"))

    assert in_cluster(api, root, place, cluster)["state"] == "Up"


def test_storage_of_a_whole_zone_names_its_hypervisor(api, root, place):
    place.cluster(hypervisor="KVM", hosts=0)
    place.cluster()

    assert code_of(lambda: create(api, root, place, scope="ZONE")) == 431
    assert code_of(lambda: create(api, root, place, scope="ZONE", hypervisor="XenServer")) == 431
    got = create(api, root, place, scope="ZONE", hypervisor="Any")

    assert (got["scope"], got["hypervisor"]) == ("ZONE", "Any")
    assert got.keys().isdisjoint({"clusterid", "podid"})
    assert StoragePool.all_tenants.get().place == f"zone:{place.zone.pk}"


@pytest.mark.parametrize("by", ["name", "uuid", "ip"])
def test_local_storage_names_its_host_in_the_url(api, root, make, by):
    place = Place(make, "Simulator", local_storage_enabled=True)
    cluster = place.cluster(hosts=0)
    host = place.host(cluster, ip="10.0.0.7")

    got = create(api, root, place, url=f"file://{getattr(host, by)}/var/disks")

    assert (got["scope"], got["type"], got["clusterid"]) == ("HOST", "Filesystem", str(cluster.uuid))
    assert StoragePool.all_tenants.get().host == host
    assert code_of(lambda: create(api, root, place, url=f"file://{host.name}/var/disks/")) == 431
    assert code_of(lambda: create(api, root, place, url="file://nowhere/var/disks")) == 431


def test_a_zone_without_local_storage_takes_none(api, root, simulated):
    host = simulated.host(simulated.cluster(hosts=0))

    assert code_of(lambda: create(api, root, simulated, scope="HOST", url=f"file://{host.name}/x")) == 431


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "nfs://server"},
        {"url": "nfs:///export"},
        {"url": "nfs://server/../etc"},
        {"url": "nfs://server:99999/export"},
        {"url": "nfs://server/a b"},
        {"url": "nfs://[::1/export"},
        {"url": "tape://server/export"},
        {"url": "/export"},
        {"url": "iscsi://server/disks/1"},
        {"url": "iscsi://server/iqn.2001-04.com.example:disks/first"},
        {"url": "cifs://server/share?user=u&password=p"},
        {"url": "file://localhost/export"},
        {"name": " "},
        {"scope": "REGION"},
        {"provider": "SolidFire"},
        {"capacitybytes": TIB + 1},
        {"capacitybytes": 0},
        {"hypervisor": "KVM"},
        {"clusterid": None},
    ],
)
def test_what_is_no_storage_is_refused_and_makes_nothing(api, root, simulated, wrong):
    assert code_of(lambda: in_cluster(api, root, simulated, **wrong)) == 431

    assert StoragePool.including_removed.count() == 0


def test_places_that_do_not_belong_together_are_refused(api, root, make, simulated):
    far = Place(make, "Simulator").cluster()

    assert code_of(lambda: create(api, root, simulated, clusterid=far.uuid)) == 431
    mine = simulated.cluster()
    assert code_of(lambda: create(api, root, simulated, clusterid=mine.uuid, podid=far.pod.uuid)) == 431


@pytest.mark.parametrize(
    ("url", "type_", "host", "path"),
    [
        ("nfs://10.1.1.1/a%20b", "NetworkFilesystem", "10.1.1.1", "/a b"),
        ("NFS://Server:2049/x", "NetworkFilesystem", "server", "/x"),
        (
            "iscsi://10.1.1.1/iqn.2001-04.com.example:disks/0",
            "IscsiLUN",
            "10.1.1.1",
            "/iqn.2001-04.com.example:disks/0",
        ),
        ("rbd://monitor/pool", "RBD", "monitor", "/pool"),
        ("gluster://g/volume", "Gluster", "g", "/volume"),
        ("clvm://localhost/vg", "CLVM", "localhost", "/vg"),
        ("SharedMountPoint://localhost/mnt/x", "SharedMountPoint", "localhost", "/mnt/x"),
        ("presetup://localhost/label", "PreSetup", "localhost", "/label"),
        ("vmfs://vcenter/dc/ds", "VMFS", "vcenter", "/dc/ds"),
        ("cifs://server/share", "SMB", "server", "/share"),
        ("ocfs2://localhost/cluster", "OCFS2", "localhost", "/cluster"),
    ],
)
def test_simulated_hosts_have_storage_of_every_kind(api, root, simulated, url, type_, host, path):
    got = in_cluster(api, root, simulated, url=url)

    assert (got["type"], got["ipaddress"], got["path"]) == (type_, host, path)


def test_a_hypervisor_has_storage_of_its_own_kinds():
    for hypervisor, good, bad in (
        ("KVM", "rbd://m/p", "vmfs://v/d/s"),
        ("VMware", "presetup://localhost/l", "iscsi://s/iqn.x/1"),
        ("Hyperv", "cifs://s/x", "nfs://s/x"),
    ):
        assert pool_urls.location(good, hypervisor).url == good
        with pytest.raises(CloudError, match=f"^url: {hypervisor} has no primary storage of the kind"):
            pool_urls.location(bad, hypervisor)


def test_the_same_storage_is_not_added_twice_however_it_is_written(api, root, simulated):
    in_cluster(api, root, simulated)

    for url in (URL, "nfs://127.0.0.1/export/primary1/", "NFS://127.0.0.1:2049/export/primary1"):
        assert code_of(lambda url=url: in_cluster(api, root, simulated, name="other", url=url)) == 431
    in_cluster(api, root, simulated, name="PS1", url="nfs://127.0.0.1/export/primary2")

    assert StoragePool.all_tenants.count() == 2


def test_a_mount_point_is_another_one_in_another_cluster(api, root, simulated):
    first = simulated.cluster()
    path = "sharedmountpoint://localhost/mnt"
    in_cluster(api, root, simulated, first, url=path)

    assert code_of(lambda: in_cluster(api, root, simulated, first, url=path)) == 431
    in_cluster(api, root, simulated, url=path)

    assert StoragePool.all_tenants.count() == 2


def test_two_that_add_the_same_at_the_same_moment_add_it_once(api, root, simulated, monkeypatch):
    from apps.storage.services import primary_storage

    monkeypatch.setattr(primary_storage, "_check_new", lambda *args: None)
    in_cluster(api, root, simulated)

    assert code_of(lambda: in_cluster(api, root, simulated)) == 431
    assert StoragePool.all_tenants.count() == 1


def test_what_is_secret_in_a_url_lies_sealed_and_is_shown_to_nobody(api, root, simulated):
    got = in_cluster(api, root, simulated, url="rbd://admin:AQD%2Fcanary@monitor:6790/pool")

    pool = StoragePool.all_tenants.get()
    assert "canary" not in str(got) + str(StoragePool.all_tenants.values().get())
    assert (pool.url, secret.unseal(pool.secret)) == ("rbd://monitor:6790/pool", "admin:AQD%2Fcanary")
    assert pool_urls.spec(pool).url == "rbd://admin:AQD%2Fcanary@monitor:6790/pool"


def test_operators_change_name_tags_size_and_details(api, root, simulated):
    got = in_cluster(api, root, simulated, tags="a", details={"nfsmountopts": "vers=4.1"}, capacityiops=10)

    changed = api(
        root,
        "updateStoragePool",
        id=got["id"],
        name="new",
        tags="c,b",
        capacitybytes=GIB,
        capacityiops=20,
        details={"x": "y"},
    )["storagepool"]

    assert (changed["name"], changed["tags"], changed["capacityiops"]) == ("new", "b,c", 20)
    assert (changed["disksizetotal"], changed["capacitybytes"]) == (GIB, 2 * GIB)
    assert changed["details"] == {"nfsmountopts": "vers=4.1", "x": "y"}
    assert "tags" not in api(root, "updateStoragePool", id=got["id"], tags="")["storagepool"]
    for wrong in ({"name": ""}, {"tags": "x" * 256}):
        assert code_of(lambda wrong=wrong: api(root, "updateStoragePool", id=got["id"], **wrong)) == 431
    assert StoragePool.all_tenants.get().name == "new"
    assert audits() == {}


def test_a_pool_does_not_become_smaller_than_what_it_has_promised(api, root, make, simulated):
    got = in_cluster(api, root, simulated)
    pool = StoragePool.all_tenants.get()
    volume = make.volume(make.account(), zone=simulated.zone, size=10 * GIB)
    assert pools.take(volume, pool)

    assert code_of(lambda: api(root, "updateStoragePool", id=got["id"], capacitybytes=4 * GIB)) == 431
    assert code_of(lambda: api(root, "updateStoragePool", id=got["id"], capacitybytes=2 * TIB)) == 431
    assert code_of(lambda: api(root, "updateStoragePool", id=got["id"], capacitybytes=(1 << 63) - 1)) == 431

    assert StoragePool.all_tenants.get().size_bytes == TIB
    api(root, "updateStoragePool", id=got["id"], capacitybytes=5 * GIB)
    assert StoragePool.all_tenants.get().size_bytes == 5 * GIB


def test_a_disabled_pool_gets_nothing_new_until_it_is_enabled(api, root, make, simulated):
    got = in_cluster(api, root, simulated)
    host, account = Host.all_tenants.get(), make.account()

    for enabled, state, found in ((False, "Disabled", 0), (False, "Disabled", 0), (True, "Up", 1), (True, "Up", 1)):
        answer = api(root, "updateStoragePool", id=got["id"], enabled=enabled)["storagepool"]
        assert answer["state"] == state
        assert len(pools.candidates(pools.Wish(GIB), host)) == found
    assert pools.take(make.volume(account, zone=simulated.zone), StoragePool.all_tenants.get())


def test_lists_by_every_filter(api, root, make, simulated):
    cluster = simulated.cluster()
    near = in_cluster(api, root, simulated, cluster, name="near")
    wide = create(api, root, simulated, name="wide", url="nfs://10.0.0.9/w", scope="ZONE", hypervisor="Simulator")
    far = in_cluster(api, root, Place(make, "Simulator"), name="far", url="nfs://10.0.0.9/f")
    api(root, "updateStoragePool", id=far["id"], enabled=False)

    def listed(**by):
        return [row["name"] for row in api(root, "listStoragePools", **by).get("storagepool", [])]

    assert listed() == ["near", "wide", "far"]
    assert listed(zoneid=simulated.zone.uuid) == ["near", "wide"]
    assert listed(clusterid=cluster.uuid) == listed(podid=cluster.pod.uuid, zoneid=simulated.zone.uuid) == ["near"]
    assert listed(hostid=cluster.hosts.get().uuid) == ["near", "wide"]
    assert listed(scope="zone") == ["wide"]
    assert listed(status="Disabled") == ["far"]
    assert listed(name="NEAR") == listed(id=near["id"]) == listed(path="/export/primary1") == ["near"]
    assert listed(ipaddress="10.0.0.9") == ["wide", "far"]
    assert listed(keyword="ea") == ["near"]
    assert listed(name="none") == []
    assert wide["scope"] == "ZONE"


def test_tenants_and_domain_administrators_know_nothing_of_pools(api, make, simulated, root):
    in_cluster(api, root, simulated, tags="fast")
    alice = make.caller("alice")

    for name, params in (
        ("listStoragePools", {}),
        ("listStorageProviders", {"type": "primary"}),
        ("listStorageTags", {}),
    ):
        assert code_of(lambda name=name, params=params: api(alice, name, **params)) == 432


def test_tags_are_listed_each_once(api, root, simulated):
    in_cluster(api, root, simulated, tags="fast,ssd")
    in_cluster(api, root, simulated, url="nfs://10.0.0.9/w", tags="fast")

    assert api(root, "listStorageTags") == {"count": 2, "storagetag": [{"name": "fast"}, {"name": "ssd"}]}
    assert api(root, "listStorageTags", keyword="SS")["storagetag"] == [{"name": "ssd"}]


def test_providers_are_listed_by_their_type(api, root):
    primary = [{"name": "DefaultPrimary", "type": "PRIMARY"}]

    assert api(root, "listStorageProviders", type="Primary") == {"count": 1, "dataStoreProvider": primary}
    assert api(root, "listStorageProviders", type="image")["dataStoreProvider"] == [{"name": "NFS", "type": "IMAGE"}]
    assert code_of(lambda: api(root, "listStorageProviders", type="tape")) == 431


# settings


def test_settings_say_how_much_is_promised_to_all_pools_or_one(api, root, simulated):
    in_cluster(api, root, simulated)
    other = in_cluster(api, root, simulated, url="nfs://10.0.0.9/w")
    key = StoragePool.all_tenants.get(uuid=other["id"]).pk

    def sizes():
        rows = StoragePool.all_tenants.order_by("pk").values_list("capacity_bytes", "placement_bytes")
        return [(capacity / TIB, round(places / TIB, 4)) for capacity, places in rows]

    assert sizes() == [(2, 1.7), (2, 1.7)]
    STORE.store("storage.overprovisioning.factor", "3")
    assert sizes() == [(3, 2.55), (3, 2.55)]
    STORE.store("storage.overprovisioning.factor", "1", kind="storagepool", row_id=key)
    STORE.store("pool.storage.allocated.capacity.disablethreshold", "0.5", kind="storagepool", row_id=key)
    assert sizes() == [(3, 2.55), (1, 0.5)]
    STORE.store("pool.storage.allocated.capacity.disablethreshold", "1")
    assert sizes() == [(3, 3), (1, 0.5)]
    assert api(root, "listStoragePools", id=other["id"])["storagepool"][0]["overprovisionfactor"] == "1.0"
    assert audits() == {}


def test_a_pool_that_is_full_of_data_gets_nothing_new(api, root, simulated, make):
    in_cluster(api, root, simulated)
    host = Host.all_tenants.get()
    StoragePool.all_tenants.update(stored_bytes=int(0.86 * TIB))
    STORE.store("pool.storage.capacity.disablethreshold", "0.85")

    assert not pools.candidates(pools.Wish(GIB), host).exists()
    STORE.store("pool.storage.capacity.disablethreshold", "0.9")
    assert pools.candidates(pools.Wish(GIB), host).exists()


def test_the_smallest_pool_is_written_in_whole_bytes(api, root, simulated):
    in_cluster(api, root, simulated, capacitybytes=333)

    pool = StoragePool.all_tenants.get()
    assert [type(pool.capacity_bytes), type(pool.placement_bytes)] == [int, int]
    assert (pool.capacity_bytes, pool.placement_bytes) == (666, 566)


# measuring


def test_hosts_say_how_full_pools_are(api, root, place, cloud):
    in_cluster(api, root, place)
    pool = StoragePool.all_tenants.get()
    cloud.disks["d"], cloud.places["d"], cloud.pool_size = 7 * GIB, str(pool.uuid), 2 * TIB

    measure.begin_measuring()
    runner.drain()

    pool.refresh_from_db()
    assert (pool.size_bytes, pool.stored_bytes, pool.capacity_bytes) == (2 * TIB, 7 * GIB, 4 * TIB)
    assert api(root, "listStoragePools")["storagepool"][0]["disksizeused"] == 7 * GIB


def test_a_size_that_an_operator_stated_stays_unless_there_is_less(api, root, place, cloud):
    got = in_cluster(api, root, place, capacitybytes=4 * GIB)

    for there, size in ((TIB, 4), (3 * GIB, 3), (TIB, 4)):
        cloud.pool_size = there
        measure.begin_measuring()
        runner.drain()
        assert StoragePool.all_tenants.get(uuid=got["id"]).size_bytes == size * GIB


def test_a_pool_that_nobody_can_measure_does_not_keep_the_others(api, root, place, cloud):
    in_cluster(api, root, place)
    in_cluster(api, root, place, url="nfs://10.0.0.9/w")
    in_cluster(api, root, place, url="nfs://10.0.0.9/x")
    first, second, third = StoragePool.all_tenants.order_by("pk")
    Host.all_tenants.filter(cluster=second.cluster).update(status="Down")
    cloud.fail("pools.ensure", Unknown("timeout"), host=first.cluster.hosts.get().name, times=3)
    cloud.pool_size = 3 * TIB

    measure.begin_measuring()
    runner.drain()

    assert list(StoragePool.all_tenants.order_by("pk").values_list("size_bytes", flat=True)) == [TIB, TIB, 3 * TIB]
    assert (first.measured, second.measured) == (None, None)


def test_one_measurement_goes_on_at_a_time(db):
    from apps.jobs.models import FlowRun

    for _ in range(2):
        measure.begin_measuring()

    assert FlowRun.objects.count() == 1


# deleting


def test_a_pool_in_maintenance_that_is_empty_is_deleted_and_its_hosts_let_go(api, root, simulated):
    got = in_cluster(api, root, simulated, tags="a")
    assert code_of(lambda: api(root, "deleteStoragePool", id=got["id"])) == 431
    api(root, "enableStorageMaintenance", id=got["id"])

    assert api(root, "deleteStoragePool", id=got["id"]) == {"success": True}
    runner.drain()

    pool = StoragePool.including_removed.get()
    assert (pool.state, bool(pool.removed)) == ("Removed", True)
    assert (StoragePoolTag.objects.count(), Mount.objects.count()) == (0, 0)
    assert api(root, "listStoragePools") == {}
    assert in_cluster(api, root, simulated)["state"] == "Up"  # the same URL again
    assert audits() == {}


@pytest.mark.parametrize("forced", [True, False])
@pytest.mark.parametrize("state", ["Allocated", "Ready"])
def test_a_pool_with_volumes_is_not_deleted(api, root, simulated, make, state, forced):
    got = in_cluster(api, root, simulated)
    volume = make.volume(make.account(), zone=simulated.zone)
    assert pools.take(volume, StoragePool.all_tenants.get())
    Volume.all_tenants.kernel_update(state=state)
    api(root, "enableStorageMaintenance", id=got["id"])

    assert code_of(lambda: api(root, "deleteStoragePool", id=got["id"], forced=forced)) == 536

    assert (StoragePool.all_tenants.count(), Volume.all_tenants.get().pool_id is None) == (1, False)


def test_destroyed_volumes_go_with_their_pool_if_it_is_forced(api, root, simulated, make):
    got = in_cluster(api, root, simulated)
    pool = StoragePool.all_tenants.get()
    account = make.account()
    for state in ("Destroy", "Expunging"):
        volume = make.volume(account, zone=simulated.zone)
        assert pools.take(volume, pool)
        gone = {"removed": "2020-01-01T00:00Z", "alive": None} if state == "Expunging" else {}
        Volume.all_tenants.filter(pk=volume.pk).kernel_update(state=state, **gone)
    api(root, "enableStorageMaintenance", id=got["id"])

    assert code_of(lambda: api(root, "deleteStoragePool", id=got["id"])) == 536
    assert api(root, "deleteStoragePool", id=got["id"], forced=True) == {"success": True}

    assert set(Volume.including_removed.values_list("state", "pool")) == {("Expunged", None)}
    assert StoragePool.including_removed.get().used_bytes == 0
    assert {name for name in audits() if name.startswith("storage:")} == set()


def test_a_host_that_does_not_answer_keeps_nobody_from_deleting(api, root, place, cloud):
    cluster = place.cluster(hosts=2)
    got = in_cluster(api, root, place, cluster)
    pool = StoragePool.all_tenants.get()
    cloud.pools[str(pool.uuid)] = {host.name for host in cluster.hosts.all()}
    api(root, "enableStorageMaintenance", id=got["id"])
    cloud.fail("pools.remove", Unknown("timeout"), host=cluster.hosts.order_by("pk")[0].name)

    api(root, "deleteStoragePool", id=got["id"])
    runner.drain()

    assert cloud.pools[str(pool.uuid)] == {cluster.hosts.order_by("pk")[0].name}


def test_places_with_primary_storage_stay(api, root, make):
    place = Place(make, "Simulator", local_storage_enabled=True)
    cluster, other = place.cluster(hosts=0), place.cluster(hosts=0)
    host = place.host(other)
    in_cluster(api, root, place, cluster)
    create(api, root, place, url=f"file://{host.name}/x")

    assert code_of(lambda: api(root, "deleteCluster", id=cluster.uuid)) == 431
    api(root, "prepareHostForMaintenance", id=host.uuid)  # disks on a host do not keep it from that
    assert code_of(lambda: api(root, "deleteHost", id=host.uuid)) == 431
    assert Host.all_tenants.get().resource_state == "Maintenance"


# scope


def test_a_disabled_pool_changes_its_scope(api, root, simulated):
    cluster = simulated.cluster()
    got = in_cluster(api, root, simulated, cluster)
    assert code_of(lambda: api(root, "changeStoragePoolScope", id=got["id"], scope="ZONE")) == 431
    api(root, "updateStoragePool", id=got["id"], enabled=False)

    assert api(root, "changeStoragePoolScope", id=got["id"], scope="ZONE") == {"success": True}
    pool = StoragePool.all_tenants.get()
    assert (pool.scope, pool.cluster, pool.pod, pool.place) == ("ZONE", None, None, f"zone:{simulated.zone.pk}")
    assert code_of(lambda: api(root, "changeStoragePoolScope", id=got["id"], scope="ZONE")) == 431
    assert code_of(lambda: api(root, "changeStoragePoolScope", id=got["id"], scope="CLUSTER")) == 431
    api(root, "changeStoragePoolScope", id=got["id"], scope="CLUSTER", clusterid=cluster.uuid)
    pool = StoragePool.all_tenants.get()
    assert (pool.scope, pool.cluster, pool.pod, pool.place) == (
        "CLUSTER",
        cluster,
        cluster.pod,
        f"cluster:{cluster.pk}",
    )
    assert audits() == {}


@pytest.mark.parametrize("column", ["host", "last_host"])
def test_a_pool_stays_wide_while_machines_of_other_clusters_have_disks_there(api, root, make, simulated, column):
    home, away = simulated.cluster(), simulated.cluster()
    got = create(api, root, simulated, scope="ZONE", hypervisor="Simulator")
    alice = make.account()
    volume = make.volume(alice, zone=simulated.zone)
    vm = make.vm(alice, zone=simulated.zone, **{column: away.hosts.get()})
    assert pools.take(volume, StoragePool.all_tenants.get())
    vm.attachments.create(volume=volume, device_id=1)
    api(root, "updateStoragePool", id=got["id"], enabled=False)

    to = {"id": got["id"], "scope": "CLUSTER"}
    assert code_of(lambda: api(root, "changeStoragePoolScope", **to, clusterid=home.uuid)) == 536
    assert StoragePool.all_tenants.get().scope == "ZONE"
    api(root, "changeStoragePoolScope", **to, clusterid=away.uuid)
