import json
import subprocess
import time

import pytest

from agent.http.errors import Busy, Invalid, Refused
from agent.http.keys import Deadline
from agent.storage import folders
from agent.storage.specs import DiskSpec, PoolSpec
from tests.agent.storage.conftest import MIB, Host, disk, image, new, qemu_img


@pytest.fixture
def tiny(secondary):
    """An image of 8 MiB with a text in it."""
    raw, path = secondary / "raw", secondary / "tiny.qcow2"
    raw.write_bytes(b"hello".ljust(8 * MIB, b"\0"))
    qemu_img("convert", "-f", "raw", "-O", "qcow2", "-c", raw, path)
    return path


def files(place):
    return sorted(path.name for path in place.iterdir())


def test_a_blank_disk_is_a_file_of_its_size(host, pool, place, soon):
    wanted = disk(pool)

    for _ in range(2):
        host.disks.create(wanted, soon)

    assert files(place) == [f"{wanted.uuid}.qcow2"]
    assert json.loads(qemu_img("info", "--output=json", place / f"{wanted.uuid}.qcow2"))["virtual-size"] == 64 * MIB
    assert (host.disks.exists(wanted.uuid, soon), host.disks.size(wanted.uuid, soon)) == (True, 64 * MIB)


def test_a_disk_that_is_there_stays_as_it_is(host, pool, soon):
    wanted = disk(pool)
    host.disks.create(wanted, soon)

    host.disks.create(DiskSpec(wanted.uuid, MIB, pool=pool), soon)

    assert host.disks.size(wanted.uuid, soon) == 64 * MIB


def test_a_disk_of_an_image_lies_on_top_of_the_cache(host, pool, place, tiny, soon):
    template = image(tiny)
    first, second = disk(pool, image=template), disk(pool, image=template)

    host.disks.create(first, soon)
    tiny.unlink()  # it is needed once
    host.disks.create(second, soon)

    assert files(place) == sorted([f"{first.uuid}.qcow2", f"{second.uuid}.qcow2", f"image-{template.uuid}.qcow2"])
    source = host.disks.source(first)
    assert (source.path, source.backing.path) == (
        str(place / f"{first.uuid}.qcow2"),
        str(place / f"image-{template.uuid}.qcow2"),
    )
    raw = place.parent / "look"
    qemu_img("convert", "-O", "raw", place / f"{first.uuid}.qcow2", raw)
    assert raw.read_bytes()[:5] == b"hello"
    assert raw.stat().st_size == 64 * MIB


def test_a_disk_smaller_than_its_image_is_refused(host, pool, place, tiny, soon):
    with pytest.raises(Refused, match="too small"):
        host.disks.create(disk(pool, size=4 * MIB, image=image(tiny)), soon)

    assert [name for name in files(place) if not name.startswith("image-")] == []


def test_a_deleted_disk_is_gone_and_may_be_deleted_again(host, pool, place, soon):
    wanted = disk(pool)
    host.disks.create(wanted, soon)

    for _ in range(2):
        host.disks.delete(wanted.uuid, soon)

    assert files(place) == []
    assert (host.disks.exists(wanted.uuid, soon), host.disks.size(wanted.uuid, soon)) == (False, None)


def test_a_disk_in_a_machine_is_not_deleted(host, pool, place, soon):
    wanted = disk(pool)
    host.disks.create(wanted, soon)
    host.live.attached[wanted.uuid] = "m"

    with pytest.raises(Refused, match="attached to machine m"):
        host.disks.delete(wanted.uuid, soon)

    assert files(place) == [f"{wanted.uuid}.qcow2"]


def test_a_disk_that_qemu_has_open_elsewhere_is_neither_deleted_nor_resized(host, pool, place, soon):
    wanted = disk(pool)
    host.disks.create(wanted, soon)
    path = place / f"{wanted.uuid}.qcow2"
    opened = subprocess.Popen(["qemu-io", str(path)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while not host.pools.get(pool.uuid).folder.is_open(path.name) and time.monotonic() < until:
            time.sleep(0.01)

        with pytest.raises(Refused, match="open on another host"):
            host.disks.delete(wanted.uuid, soon)
        with pytest.raises(Busy, match="open on another host"):
            host.disks.resize(DiskSpec(wanted.uuid, 128 * MIB, pool=pool), soon)
    finally:
        opened.communicate(b"quit\n")

    assert host.disks.size(wanted.uuid, soon) == 64 * MIB
    host.disks.delete(wanted.uuid, soon)
    assert files(place) == []


def test_a_disk_grows_but_is_not_cut(host, pool, soon):
    wanted = disk(pool)
    host.disks.create(wanted, soon)

    for size in (128 * MIB, 128 * MIB):
        host.disks.resize(DiskSpec(wanted.uuid, size, pool=pool), soon)
        assert host.disks.size(wanted.uuid, soon) == size
    with pytest.raises(Refused, match="would lose data"):
        host.disks.resize(DiskSpec(wanted.uuid, MIB, pool=pool), soon)
    assert host.disks.size(wanted.uuid, soon) == 128 * MIB
    assert host.live.resized == []


def test_a_disk_in_a_machine_is_resized_by_the_machine(host, pool, soon):
    wanted = disk(pool)
    host.disks.create(wanted, soon)
    host.live.attached[wanted.uuid] = "m"

    host.disks.resize(DiskSpec(wanted.uuid, 128 * MIB, pool=pool), soon)

    assert host.live.resized == [("m", wanted.uuid, 128 * MIB)]


def test_a_disk_that_is_not_there_cannot_be_resized(host, pool, soon):
    with pytest.raises(Refused, match="there is no disk"):
        host.disks.resize(disk(pool), soon)


def test_a_host_that_does_not_know_the_pool_is_told_it(tmp_path, host, pool, log, soon):
    wanted, other = disk(pool), Host(tmp_path / "other", log, "h2")
    host.disks.create(wanted, soon)

    assert other.disks.exists(wanted.uuid, soon) is False
    assert other.disks.exists(wanted.uuid, soon, place=pool) is True
    other.disks.delete(wanted.uuid, soon, place=pool)
    assert host.disks.exists(wanted.uuid, soon) is False


def test_a_pool_is_remembered_until_it_is_removed(tmp_path, host, pool, log, soon):
    wanted = disk(pool)
    host.disks.create(wanted, soon)

    again = Host(tmp_path / "state", log)
    again.pools.load()

    assert again.disks.size(wanted.uuid, soon) == 64 * MIB
    assert again.disks.pool_stats(pool.uuid, soon).size > 0
    again.live.attached[wanted.uuid] = "m"
    with pytest.raises(Refused, match="machine m here uses disk"):
        again.disks.remove_pool(pool.uuid, soon)
    again.live.attached.clear()
    for _ in range(2):
        again.disks.remove_pool(pool.uuid, soon)
        with pytest.raises(Refused, match="not known"):
            again.disks.pool_stats(pool.uuid, soon)
    assert list((tmp_path / "state" / "pools").iterdir()) == []


def test_while_a_pool_cannot_be_used_nobody_says_that_a_disk_is_gone(host, pool, soon):
    host.disks.ensure_pool(pool, soon)
    broken = host.pools.get(pool.uuid)
    broken.holds = lambda disk: (_ for _ in ()).throw(Refused("no permission"))

    with pytest.raises(Busy, match="cannot be used now"):
        host.disks.exists(new(), soon)
    with pytest.raises(Busy, match="cannot be used now"):
        host.disks.delete(new(), soon)


@pytest.mark.parametrize(
    ("type", "url", "text"),
    [
        ("Filesystem", "file://h/no/such/directory", "there is no directory /no/such/directory"),
        ("SharedMountPoint", "sharedmountpoint://localhost{place}", "nothing is mounted at {place}"),
        ("NetworkFilesystem", "file://h{place}", "storage of type NetworkFilesystem at file is not for KVM"),
        ("RBD", "rbd://monitor/pool", "storage of type RBD at rbd is not for KVM"),
        ("Filesystem", "file://h/a/../etc", "its path is not possible"),
        ("IscsiLUN", "iscsi://server/disks/1", "say iscsi://server/iqn"),
        ("IscsiLUN", "iscsi://server/iqn.2026-01.a:b/x", "say iscsi://server/iqn"),
        ("NetworkFilesystem", "nfs:///path", "say nfs://server/path"),
    ],
)
def test_storage_that_cannot_be_used_is_refused_and_not_remembered(
    host, place, soon, tmp_path, monkeypatch, type, url, text
):
    (tmp_path / "mounts").write_text("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n")  # the place itself may be in memory
    monkeypatch.setattr(folders, "MOUNTS", tmp_path / "mounts")
    pool = PoolSpec(new(), type, url.format(place=place))

    with pytest.raises((Refused, Invalid), match=text.format(place=place)):
        host.disks.ensure_pool(pool, soon)

    assert host.pools.all() == {}


def test_what_was_left_half_made_by_this_host_goes_and_that_of_others_stays(host, pool, place, soon):
    host.disks.ensure_pool(pool, soon)
    now = host.images.part("a.qcow2")
    for name in ("a.qcow2.h1.00000000.part", "a.qcow2.h2.00000000.part", now):
        (place / name).touch()

    host.pools.get(pool.uuid).sweep()

    assert files(place) == sorted(["a.qcow2.h2.00000000.part", now])


def test_an_image_leaves_the_cache_when_no_disk_is_on_top_of_it(host, pool, place, tiny, soon):
    template = image(tiny)
    made = disk(pool, image=template)
    host.disks.create(made, soon)

    with pytest.raises(Refused, match=f"disk {made.uuid} is on top of image"):
        host.disks.drop_image(pool.uuid, template.uuid, soon)
    host.disks.delete(made.uuid, soon)
    for _ in range(2):
        host.disks.drop_image(pool.uuid, template.uuid, soon)

    assert files(place) == []


def test_a_disk_on_top_of_a_foreign_file_is_not_given_to_a_machine(host, pool, place, soon):
    made = disk(pool)
    host.disks.create(made, soon)
    path = place / f"{made.uuid}.qcow2"
    path.unlink()
    qemu_img("create", "-u", "-f", "qcow2", "-F", "raw", "-b", "/etc/passwd", path, "64M")

    with pytest.raises(Refused, match="none of our images"):
        host.disks.source(made)


def test_a_deadline_that_is_short_says_busy_and_the_copy_goes_on(host, pool, tiny, soon):
    wanted = disk(pool, image=image(tiny))

    with pytest.raises(Busy, match="image of"):
        host.disks.create(wanted, Deadline(0.1))
    host.disks.create(wanted, soon)

    assert host.disks.exists(wanted.uuid, soon)
