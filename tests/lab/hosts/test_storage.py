"""The same life on every kind of primary storage."""

import pytest

from apps.hypervisors.base import DiskSpec, ImageRules, ImageSpec, PoolSpec
from apps.hypervisors.errors import Busy, Refused
from tests.lab.agents import new
from tests.lab.tools.servers import PASSWORD, TARGET, UNITS, USER

MIB = 1 << 20
LONG = {"within": 60.0}
KINDS = ["Filesystem", "SharedMountPoint", "NetworkFilesystem", "IscsiLUN"]


@pytest.fixture
def pool_of(lab, store):
    """A pool of a kind, empty."""
    for name in ("local", "shared"):
        (lab.directory / "srv" / "primary" / name).mkdir(exist_ok=True)
    urls = {
        "Filesystem": "file://h1/srv/primary/local",
        "SharedMountPoint": "sharedmountpoint://localhost/srv/primary/shared",
        "NetworkFilesystem": store.nfs,
        "IscsiLUN": store.iscsi,
    }
    return lambda kind: PoolSpec(new(), kind, urls[kind])


def tried(call, **more):
    """As the manager does while it is told that a copy is under way."""
    while True:
        try:
            return call(within=more.get("within", 60.0))
        except Busy:
            continue


@pytest.mark.parametrize("kind", KINDS)
def test_a_machine_lives_on_it(kind, pool_of, guests, host, driver):
    pool = pool_of(kind)
    root, data = guests.root(pool, size=96 * MIB), guests.data(pool=pool, device_id=4)
    for disk in (root, data):
        tried(lambda disk=disk, **w: driver.disks.create(disk, **w))
        assert driver.disks.size(disk.uuid, **LONG) == disk.size
    spec = guests.spec(root)
    guests.started(host, spec)

    driver.power.start(spec, **LONG)
    host.guest(spec.uuid, "true", seconds=120)
    assert host.guest(spec.uuid, "cat /sys/block/vda/size").strip() == str(96 * MIB // 512)
    driver.disks.attach(spec.uuid, data, **LONG)
    serial = host.guest(spec.uuid, "until cat /sys/block/vdb/serial; do sleep 0.2; done 2>/dev/null")
    assert serial.strip() == data.uuid.replace("-", "")[:20]
    mounted = "until grep -q /mnt/vdb /proc/mounts; do sleep 0.2; done;"  # the guest makes a file system in it
    host.guest(spec.uuid, f"{mounted} echo hello >/mnt/vdb/x; sync; umount /mnt/vdb")
    with pytest.raises(Refused, match="attached"):
        driver.disks.delete(data.uuid, **LONG)
    driver.disks.detach(spec.uuid, data.uuid, **LONG)
    driver.disks.attach(spec.uuid, data, **LONG)
    assert host.guest(spec.uuid, f"{mounted} cat /mnt/vdb/x") == "hello\n"

    driver.power.stop(spec.uuid, force=True, **LONG)
    for disk in (root, data):
        driver.disks.delete(disk.uuid, **LONG)
        assert driver.disks.exists(disk.uuid, **LONG) is False
    contents = driver.pools._ask("pools.contents", 30.0, pool=pool.uuid)
    assert (contents["disks"], contents["parts"]) == ([], [])
    driver.pools.remove(pool.uuid, **LONG)
    assert host.virsh("secret-list").split() == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_grows_where_it_is_and_is_not_cut(kind, pool_of, guests, driver):
    pool = pool_of(kind)
    disk = guests.data(pool=pool)
    tried(lambda **w: driver.disks.create(disk, **w))

    driver.disks.resize(DiskSpec(disk.uuid, 96 * MIB, pool=pool), **LONG)

    assert driver.disks.size(disk.uuid, **LONG) == 96 * MIB
    with pytest.raises(Refused, match="would lose data"):
        driver.disks.resize(DiskSpec(disk.uuid, 32 * MIB, pool=pool), **LONG)
    driver.disks.delete(disk.uuid, **LONG)
    driver.pools.remove(pool.uuid, **LONG)


def test_units_are_handed_out_once_each_and_with_nothing_of_another_tenant_in_them(pool_of, store, agent_hosts, guests):
    pool = pool_of("IscsiLUN")
    here, there = (host.driver() for host in agent_hosts)
    stats = (here.pools.ensure(pool, **LONG), here.pools.stats(pool.uuid, **LONG))[1]
    assert (stats.size, stats.used) == ((sum(UNITS) - len(UNITS)) * MIB, 0)
    for unit in store.units.iterdir():
        with unit.open("r+b") as file:
            file.seek(8 * MIB)
            file.write(b"secret of another")
    disks = [guests.data(size=90 * MIB, pool=pool) for _ in UNITS]
    made = [(host, disk) for host, disk in zip((here, there, here, there), disks, strict=True)]
    for host, disk in made:
        tried(lambda host=host, disk=disk, **w: host.disks.create(disk, **w))

    with pytest.raises(Refused, match="the storage is full"):
        tried(lambda **w: here.disks.create(guests.data(size=MIB, pool=pool), **w))

    assert here.pools.stats(pool.uuid, **LONG).used == stats.size
    assert all(here.disks.size(disk.uuid, **LONG) == 90 * MIB for disk in disks)
    found = [unit for unit in store.units.iterdir() if b"secret of another" in unit.read_bytes()]
    assert found == []
    for disk in disks:
        there.disks.delete(disk.uuid, **LONG)
    assert here.pools.stats(pool.uuid, **LONG).used == 0
    for host in (here, there):
        host.pools.remove(pool.uuid, **LONG)


def test_a_unit_with_something_in_it_is_not_taken(pool_of, store, driver, guests):
    pool = pool_of("IscsiLUN")
    foreign = store.units / "1"
    kept = foreign.read_bytes()
    foreign.write_bytes(b"a partition table".ljust(512, b"x") + bytes(UNITS[0] * MIB - 512))
    try:
        size = (sum(UNITS[1:]) - len(UNITS[1:])) * MIB
        driver.pools.ensure(pool, **LONG)
        assert driver.pools.stats(pool.uuid, **LONG).size == size
    finally:
        foreign.write_bytes(kept)
        driver.pools.remove(pool.uuid, **LONG)


@pytest.mark.parametrize(
    ("kind", "change", "text"),
    [
        ("IscsiLUN", (PASSWORD, "wrong"), "user or password is wrong"),
        ("IscsiLUN", (f"{USER}:{PASSWORD}@", ""), "user or password is wrong"),
        ("IscsiLUN", (TARGET, "iqn.2026-01.lab:none"), "there is no such target"),
        ("NetworkFilesystem", ("/pool", "/none"), "not exported to this host"),
    ],
)
def test_storage_that_lets_nobody_in_is_refused_and_no_password_is_told(kind, change, text, pool_of, driver, host):
    pool = pool_of(kind)
    wrong = PoolSpec(pool.uuid, kind, pool.url.replace(*change))

    with pytest.raises(Refused, match=text) as error:
        driver.pools.ensure(wrong, **LONG)

    assert "wrong:" not in str(error.value).replace("is wrong", "")
    with pytest.raises(Refused, match="not known"):
        driver.pools.stats(pool.uuid, **LONG)
    assert host.virsh("secret-list").split() == []


def test_no_password_is_ever_written_down(host, lab):
    seen = [host.logfile, *(path for path in host.state.rglob("*") if path.is_file())]
    seen += (lab.directory / "h1" / "log").rglob("*.log")

    assert [path for path in seen if path.exists() and PASSWORD.encode() in path.read_bytes()] == []


def test_images_come_from_and_go_to_a_store_that_nobody_mounts(pool_of, store, driver, guests, lab, template):
    rules = ImageRules(1 << 30, 1 << 30, folders=("/srv/secondary",))
    url = f"nfs://{store.address}/srv/export"
    stored = tried(lambda **w: driver.images.bring(template, url, "t/a.qcow2", rules, **w))
    file = store.exported.parent / "t" / "a.qcow2"
    assert file.read_bytes() == (lab.directory / "srv" / "secondary" / "tiny.qcow2").read_bytes()
    again = ImageSpec(new(), f"{url}/t/a.qcow2", "QCOW2", checksum=stored.checksum)
    disk = DiskSpec(new(), 64 * MIB, pool=pool_of("Filesystem"), image=again)

    tried(lambda **w: driver.disks.create(disk, **w))
    taken = tried(lambda **w: driver.images.take(disk.uuid, url, "t/b.qcow2", **w))

    assert (taken.virtual_bytes, taken.stored_bytes) == (64 * MIB, (file.parent / "b.qcow2").stat().st_size)
    for name in ("t/a.qcow2", "t/b.qcow2"):
        driver.images.remove(url, name, **LONG)
    assert list(file.parent.iterdir()) == []
    driver.disks.delete(disk.uuid, **LONG)
    driver.pools.remove(disk.pool.uuid, **LONG)
