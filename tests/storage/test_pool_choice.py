import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core.errors import InsufficientCapacity
from apps.core.ownership import release
from apps.offerings.models import DiskOffering, ServiceOffering
from apps.storage.models import StoragePool, Volume
from apps.storage.services import pools
from apps.storage.services.pools import Wish
from tests.storage.conftest import GIB, Place, audits
from tests.test_concurrency import THREADS, in_threads

pytestmark = pytest.mark.django_db


def names(found):
    return [row.name for row in found]


def fresh(row):
    return type(row).including_removed.get(pk=row.pk)


def promised(row):
    return fresh(row).used_bytes


def test_a_disk_may_go_to_storage_of_the_hosts_cluster_and_zone_the_least_promised_first(place):
    mine, other = place.cluster(), place.cluster()
    host = mine.hosts.get()
    place.pool(cluster=mine, name="full", used_bytes=5 * GIB)
    place.pool(name="wide")
    place.pool(cluster=mine, name="near", used_bytes=GIB)
    place.pool(cluster=other, name="far")
    place.pool(host=host, name="local")
    place.pool(cluster=other, host=None, name="elsewhere")
    Place(place.make).pool(name="other zone")

    assert names(pools.candidates(Wish(GIB), host)) == ["wide", "near", "full"]
    assert names(pools.candidates(Wish(GIB, is_local=True), host)) == ["local"]


@pytest.mark.parametrize(
    "but",
    [
        {"state": "Disabled"},
        {"state": "Maintenance"},
        {"state": "PrepareForMaintenance"},
        {"hypervisor": "KVM"},
        {"size": GIB},
        {"size": 4 * GIB, "used_bytes": 3 * GIB},
        {"placement_bytes": GIB},
        {"tags": "slow"},
    ],
)
def test_no_disk_goes_to_a_pool_that_does_not_fit(place, but):
    cluster = place.cluster()
    place.pool(cluster=cluster, **{"tags": "fast,ssd", **but})

    assert names(pools.candidates(Wish(2 * GIB, ("fast",)), cluster.hosts.get())) == []


def test_all_tags_must_be_there_and_a_pool_may_have_more(place):
    cluster = place.cluster()
    both = place.pool(cluster=cluster, tags="fast,ssd,new")
    place.pool(cluster=cluster, tags="fast")
    plain = place.pool(cluster=cluster)
    host = cluster.hosts.get()

    assert list(pools.candidates(Wish(GIB, ("fast", "ssd")), host)) == [both]
    assert plain in pools.candidates(Wish(GIB), host)
    assert pools.candidates(Wish(GIB), host).count() == 3
    assert list(pools.candidates(Wish(GIB, ("fast", "ssd")), host, avoid=[both.pk])) == []


def test_a_pool_for_any_hypervisor_takes_disks_of_all(place):
    cluster = place.cluster()
    wide = place.pool(hypervisor="Any")

    assert list(pools.candidates(Wish(GIB), cluster.hosts.get())) == [wide]


def test_looking_is_one_query_however_many_pools_there_are(place):
    cluster = place.cluster()
    host = cluster.hosts.get()
    for _ in range(30):
        place.pool(cluster=cluster, tags="fast")

    with CaptureQueriesContext(connection) as queries:
        found = list(pools.candidates(Wish(GIB, ("fast",)), host))

    assert (len(queries), len(found)) == (1, pools.CANDIDATES)


def test_offerings_say_what_a_disk_wishes(place, make):
    disk = DiskOffering(name="d", storage_tags=" ssd, fast,", storage_type="local")
    disk.save()
    alice = make.account()
    volume = make.volume(alice, size=GIB, offering=disk)
    plain = make.volume(alice, size=GIB)

    assert pools.wish_of(volume) == Wish(GIB, ("fast", "ssd"), True)
    assert pools.wish_of(plain) == Wish(GIB)
    assert pools.wish_of(plain, ServiceOffering(storage_tags="root")) == Wish(GIB, ("root",))


def test_taking_promises_once(disk, make):
    volume = make.volume(disk.alice.account, zone=disk.zone, size=3 * GIB)

    for _ in range(2):
        assert pools.take(volume, disk.pool, via=disk.host) is True
        assert (volume.pool, volume.path, volume.via) == (disk.pool, str(volume.uuid), disk.host)

    assert (promised(disk.pool), fresh(volume).pool, fresh(volume).via) == (3 * GIB, disk.pool, disk.host)
    assert audits() == {}
    for _ in range(2):
        pools.leave_pool(volume)
        assert (volume.pool, volume.path, volume.via) == (None, "", None)
    assert (promised(disk.pool), fresh(volume).pool) == (0, None)
    assert audits() == {}


def test_a_volume_stays_on_the_pool_that_it_has(disk, make):
    volume = make.volume(disk.alice.account, zone=disk.zone)
    assert pools.take(volume, disk.pool)
    other, stale = disk.place.pool(cluster=disk.cluster), Volume(pk=volume.pk, uuid=volume.uuid, size=volume.size)

    assert pools.take(stale, other) is False

    assert stale.pool == disk.pool
    assert (promised(disk.pool), promised(other)) == (volume.size, 0)
    assert pools.choose(volume, disk.host) == disk.pool


@pytest.mark.parametrize("state", ["Maintenance", "Disabled", "PrepareForMaintenance"])
def test_nothing_is_promised_by_a_pool_that_is_not_up(disk, make, state):
    volume = make.volume(disk.alice.account, zone=disk.zone)
    StoragePool.all_tenants.kernel_update(state=state)

    assert pools.take(volume, disk.pool) is False

    assert (promised(disk.pool), fresh(volume).pool) == (0, None)


def test_nothing_is_promised_to_a_volume_that_is_gone(disk, make):
    gone, aside = (make.volume(disk.alice.account, zone=disk.zone) for _ in range(2))
    release(gone)
    Volume.all_tenants.filter(pk=aside.pk).kernel_update(state="Destroy")

    assert [pools.take(gone, disk.pool), pools.take(aside, disk.pool)] == [False, False]

    assert promised(disk.pool) == 0


def test_choosing_takes_the_first_candidate_with_room_and_says_when_there_is_none(disk, make):
    StoragePool.all_tenants.kernel_update(placement_bytes=3 * GIB)
    first, second = (make.volume(disk.alice.account, zone=disk.zone, size=2 * GIB) for _ in range(2))

    assert pools.choose(first, disk.host) == disk.pool
    with pytest.raises(InsufficientCapacity) as error:
        pools.choose(second, disk.host)

    assert error.value.code == 533
    assert (promised(disk.pool), fresh(second).pool) == (2 * GIB, None)
    spare = disk.place.pool()
    assert pools.choose(second, disk.host) == spare
    assert audits() == {}


def test_a_promise_without_a_disk_is_left_where_the_host_cannot_use_it(disk, make):
    volume = make.volume(disk.alice.account, zone=disk.zone)
    assert pools.take(volume, disk.pool)
    other = disk.place.cluster()
    near = disk.place.pool(cluster=other)

    assert pools.choose(volume, other.hosts.get()) == near

    assert (promised(disk.pool), promised(near)) == (0, volume.size)


def test_a_disk_that_exists_stays_where_it_is(disk, make):
    volume = make.volume(disk.alice.account, zone=disk.zone)
    assert pools.take(volume, disk.pool)
    Volume.all_tenants.filter(pk=volume.pk).kernel_update(state="Ready")
    other = disk.place.cluster()
    disk.place.pool(cluster=other)

    assert pools.choose(fresh(volume), other.hosts.get()) == disk.pool


@pytest.mark.django_db(transaction=True)
def test_of_many_volumes_at_once_only_those_get_a_place_that_have_room(make):
    place = Place(make)
    cluster = place.cluster()
    host = cluster.hosts.get()
    small = [place.pool(cluster=cluster, size=5 * GIB) for _ in range(2)]
    volumes = [make.volume(make.account(f"a{n}"), zone=place.zone, size=2 * GIB) for n in range(THREADS)]
    placed = []

    def work(number):
        try:
            placed.append(pools.choose(volumes[number], host))
        except InsufficientCapacity:
            placed.append(None)

    in_threads(work)

    assert (len(placed), placed.count(None)) == (THREADS, THREADS - 4)
    assert [promised(row) for row in small] == [4 * GIB] * 2
    assert Volume.all_tenants.exclude(pool=None).count() == 4
    assert audits() == {}


@pytest.mark.django_db(transaction=True)
def test_of_two_volumes_one_gets_the_last_room(make):
    place = Place(make)
    last = place.pool(cluster=place.cluster(), size=3 * GIB)
    volumes = [make.volume(make.account(f"a{n}"), zone=place.zone, size=2 * GIB) for n in range(2)]
    answers = []

    in_threads(lambda number: number < 2 and answers.append(pools.take(volumes[number], last)))

    assert sorted(answers) == [False, True]
    assert promised(last) == 2 * GIB


@pytest.mark.django_db(transaction=True)
def test_one_volume_that_is_placed_and_taken_away_by_many_is_promised_once_or_not_at_all(make):
    place = Place(make)
    cluster = place.cluster()
    both = [place.pool(cluster=cluster) for _ in range(2)]
    volume = make.volume(make.account(), zone=place.zone, size=2 * GIB)

    def work(number):
        mine = Volume.all_tenants.get(pk=volume.pk)
        for turn in range(6):
            pools.take(mine, both[(number + turn) % 2])
            if turn % 3 == 2:
                pools.leave_pool(mine)

    in_threads(work)

    held = fresh(volume).pool
    assert sum(promised(row) for row in both) == (2 * GIB if held else 0)
    assert audits() == {}
