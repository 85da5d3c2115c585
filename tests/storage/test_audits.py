"""Each check finds nothing in a sound world, and what it is for in a broken one."""

import pytest
from django.utils import timezone

from apps.core.audit import CHECKS
from apps.core.models import Question
from apps.storage.models import StoragePool, StoragePoolTag, Volume
from apps.storage.services import pools
from tests.storage.conftest import GIB, audits

pytestmark = pytest.mark.django_db
PROMISED = "storage: pools have promised what their volumes have"
LIMITS = "storage: pools promise what their size and the settings give"
PLACES = "storage: the place of a pool is that of its scope"
LEFT = "storage: a pool that is gone has neither volumes nor tags"
GONE = "storage: volumes that are gone are expunged or on their way, and the others are neither"
RESIZES = "storage: a resize is under way where a question about it is open, and nowhere else"
SIZES = "storage: volumes have a size, the larger one while they are resized"
NOW = timezone.now()


@pytest.fixture
def world(disk, make):
    """A pool with a volume that is Ready, one that is Expunging, one that is Expunged, and one that is on no pool."""
    rows = [make.volume(disk.alice.account, zone=disk.zone, name=name) for name in ("ready", "going", "gone", "new")]
    for row in rows[:2]:
        assert pools.take(row, disk.pool)
    volumes("ready").kernel_update(state="Ready")
    for name, state in (("going", "Expunging"), ("gone", "Expunged")):
        row = Volume.all_tenants.get(name=name)
        from apps.core.ownership import release

        release(row)
        volumes(name).kernel_update(state=state)
    StoragePoolTag.objects.create(pool=disk.pool, tag="fast")
    assert audits() == {}
    return disk


def volumes(name):
    return Volume.including_removed.filter(name=name)


BREAKS = {
    "a promise too much": (PROMISED, lambda: StoragePool.all_tenants.kernel_update(used_bytes=3 * GIB)),
    "a promise too little": (PROMISED, lambda: StoragePool.all_tenants.kernel_update(used_bytes=GIB)),
    "a volume without its promise": (
        PROMISED,
        lambda: volumes("new").kernel_update(pool=StoragePool.all_tenants.get()),
    ),
    "a volume that grew alone": (PROMISED, lambda: volumes("ready").kernel_update(size=5 * GIB)),
    "another capacity": (LIMITS, lambda: StoragePool.all_tenants.kernel_update(capacity_bytes=7)),
    "more places than capacity": (LIMITS, lambda: StoragePool.all_tenants.kernel_update(placement_bytes=9 << 40)),
    "another place": (PLACES, lambda: StoragePool.all_tenants.update(place="zone:1")),
    "no place": (PLACES, lambda: StoragePool.all_tenants.update(place="")),
    "a cluster scope without cluster": (PLACES, lambda: StoragePool.all_tenants.update(cluster=None)),
    "a host scope without host": (PLACES, lambda: StoragePool.all_tenants.update(scope="HOST")),
    "a pool that went with its volumes": (LEFT, lambda: StoragePool.all_tenants.get().mark_removed()),
    "a removed volume that is Ready": (GONE, lambda: volumes("gone").kernel_update(state="Ready")),
    "an owner of an expunging volume": (GONE, lambda: volumes("going").kernel_update(removed=None)),
    "an expunged volume on a pool": (GONE, lambda: volumes("going").kernel_update(state="Expunged")),
    "a resize that nobody asked for": (RESIZES, lambda: volumes("ready").kernel_update(state="Resizing")),
    "a target without a resize": (RESIZES, lambda: volumes("ready").kernel_update(target_size=1)),
    "a question about a volume at rest": (
        RESIZES,
        lambda: Question.objects.create(kind="storage.resize", row_id=volumes("ready").get().pk, due_at=NOW),
    ),
    "no size": (SIZES, lambda: volumes("new").kernel_update(size=0)),
    "a promise of the smaller size": (
        SIZES,
        lambda: volumes("ready").kernel_update(state="Resizing", target_size=2 * GIB, settled_size=GIB),
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_broken_is_found(world, name):
    check, break_it = BREAKS[name]

    break_it()

    assert len(list(CHECKS[check]())) >= 1


def test_every_check_is_broken_once():
    mine = {name for name in CHECKS if name.startswith("storage:")}

    assert mine == {check for check, _ in BREAKS.values()}


def test_a_tag_of_a_pool_that_is_gone_is_found(world):
    empty = world.place.pool(cluster=world.cluster, tags="old")
    empty.mark_removed()

    assert list(CHECKS[LEFT]()) == ["tag old of a pool that is removed"]
