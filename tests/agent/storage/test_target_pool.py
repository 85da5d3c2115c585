"""Units of a target, handed out to disks. The target is a directory of files here; the real one is in the lab."""

import threading

import pytest

from agent.http.errors import Busy, Refused
from agent.http.keys import Deadline
from agent.storage import qemu_img, target_pool
from agent.storage.folders import Directory
from agent.storage.images import Images
from agent.storage.iscsi import DISK, Capacity, Target
from agent.storage.sources import Source
from agent.storage.specs import DiskSpec
from agent.storage.target_pool import TargetPool
from agent.storage.tasks import Tasks
from tests.agent.storage.conftest import MIB, new

BLOCK = 512
ATOMIC = threading.Lock()


class Session:
    """What a target does, with files."""

    folder = None

    def __init__(self, target):
        assert target.name == "iqn.t:1"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def _path(self, unit):
        return self.folder / str(unit)

    def units(self):
        assert DISK == 0
        return sorted(int(path.name) for path in self.folder.iterdir())

    def capacity(self, unit):
        return Capacity(self._path(unit).stat().st_size // BLOCK, BLOCK)

    def read(self, unit, block, size, count=1):
        with self._path(unit).open("rb") as file:
            file.seek(block * size)
            return file.read(size * count)

    def exchange(self, unit, block, old, new):
        with ATOMIC:
            if self.read(unit, block, len(old)) != old:
                return False
            with self._path(unit).open("r+b") as file:
                file.seek(block * BLOCK)
                file.write(new)
            return True


@pytest.fixture
def units(tmp_path, monkeypatch):
    """Of 4, 8 and 8 MiB."""
    folder = tmp_path / "units"
    folder.mkdir()
    for number, size in ((1, 8), (2, 4), (3, 8)):
        with (folder / str(number)).open("wb") as file:
            file.truncate(size * MIB)
    monkeypatch.setattr(Session, "folder", folder)
    monkeypatch.setattr(target_pool, "Session", Session)
    monkeypatch.setattr(
        TargetPool,
        "_source",
        lambda self, unit, size: Source("file", str(folder / str(unit.number)), "raw", size=size),
    )
    return folder


@pytest.fixture
def pool_of(tmp_path, units, log):
    """The pool as an agent of a host sees it; with the same name again as the next agent of that host does."""

    def make(host):
        tasks = Tasks(tmp_path / host / "tasks", log)
        images = Images(tasks, tmp_path / host / "scratch", host)
        (tmp_path / host / "images").mkdir(exist_ok=True)
        target = Target("10.0.0.1", 3260, "iqn.t:1", f"iqn.c:{host}")
        return TargetPool(target, 1, new(), images, tasks, Directory(tmp_path / host / "images"))

    return make


@pytest.fixture
def pool(pool_of):
    return pool_of("h1")


@pytest.fixture
def slow(monkeypatch):
    """Copies wait for ``go``, and can be called off meanwhile."""
    go, begun, real = threading.Event(), threading.Event(), qemu_img.convert

    def convert(source, target, size, task, password=""):
        begun.set()
        while not go.wait(0.01):
            task.begin("copying", size)
        real(source, target, size, task, password)

    monkeypatch.setattr(qemu_img, "convert", convert)
    go.begun = begun
    yield go
    go.set()


def disk(size):
    return DiskSpec(new(), size * MIB)


def labels(pool):
    with Session(pool._target) as session:
        return {unit.number: unit.label for unit in pool._units(session)}


def test_a_disk_takes_the_smallest_unit_that_is_large_enough(pool, soon):
    small, large = disk(3), disk(7)
    for each in (small, large):
        for _ in range(2):
            pool.create(each, soon)

    taken = {label["disk"]: number for number, label in labels(pool).items() if label}
    assert taken[small.uuid] == 2
    assert taken[large.uuid] in (1, 3)
    assert (pool.size(small.uuid), pool.stats().used) == (3 * MIB, (3 + 7) * MIB)
    with pytest.raises(Refused, match="the storage is full"):
        pool.create(disk(8), soon)


def test_a_machine_sees_zeros_where_another_tenants_bytes_were_and_never_the_label(pool, units, soon):
    with (units / "2").open("r+b") as file:
        file.seek(MIB)
        file.write(b"secret")
    made = disk(3)

    pool.create(made, soon)

    assert (units / "2").read_bytes()[: 3 * MIB] == bytes(3 * MIB)
    assert pool.source(made.uuid).size == 3 * MIB
    assert labels(pool)[2]["state"] == "ready"


def test_a_unit_that_holds_something_else_is_left_alone(pool, units, soon):
    (units / "2").write_bytes(b"a file system".ljust(4 * MIB, b"\0"))
    before = (units / "2").read_bytes()

    pool.create(disk(3), soon)

    assert (units / "2").read_bytes() == before
    assert labels(pool)[2] is None


def test_two_hosts_never_take_the_same_unit(pool_of, soon):
    for _ in range(5):
        hosts, wanted = [pool_of(name) for name in ("h1", "h2", "h3")], [disk(7) for _ in range(3)]
        failed = []

        def create(host, each, failed=failed):
            try:
                host.create(each, soon)
            except Refused:
                failed.append(each)

        threads = [threading.Thread(target=create, args=pair) for pair in zip(hosts, wanted, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        held = [label["disk"] for label in labels(hosts[0]).values() if label]
        assert len(failed) == 1
        assert sorted(held) == sorted(each.uuid for each in wanted if each not in failed)
        for each in wanted:
            hosts[0].delete(each.uuid, soon)


def test_a_disk_is_there_when_a_call_was_told_so_and_not_before(pool, slow, soon):
    made = disk(3)
    with pytest.raises(Busy):
        pool.create(made, Deadline(0.1))
    with pytest.raises(Busy, match="being made"):
        pool.size(made.uuid)
    slow.set()
    (task,) = pool._tasks._tasks.values()
    task.finished.wait(20)
    assert pool.size(made.uuid) is None

    pool.create(made, soon)

    assert pool.size(made.uuid) == 3 * MIB


def test_a_disk_that_nobody_comes_back_for_gives_its_unit_back(pool, slow, soon, monkeypatch):
    made = disk(3)
    with pytest.raises(Busy):
        pool.create(made, Deadline(0.1))
    slow.set()
    (task,) = pool._tasks._tasks.values()
    task.finished.wait(20)

    assert pool.sweep() is True
    assert labels(pool)[2]["disk"] == made.uuid
    monkeypatch.setattr(target_pool, "PATIENCE", 0.0)
    pool.sweep()

    assert labels(pool) == {1: {}, 2: {}, 3: {}}
    pool.create(made, soon)
    assert pool.size(made.uuid) == 3 * MIB


def test_a_disk_that_is_being_made_can_be_deleted(pool, slow, soon):
    made = disk(3)
    with pytest.raises(Busy):
        pool.create(made, Deadline(0.1))
    slow.begun.wait(10)
    assert pool.holds(made.uuid)

    for _ in range(2):
        pool.delete(made.uuid, soon)

    assert labels(pool) == {1: {}, 2: {}, 3: {}}
    assert (pool.size(made.uuid), pool.holds(made.uuid)) == (None, False)


@pytest.mark.parametrize("goes_on", [True, False])
def test_what_an_agent_was_making_when_it_was_killed(goes_on, pool_of, slow, soon):
    before, made = pool_of("h1"), disk(3)
    with pytest.raises(Busy):
        before.create(made, Deadline(0.1))
    slow.begun.wait(10)
    before._tasks.call_off("disk", made.uuid, soon)  # its thread ends with it
    slow.set()

    after = pool_of("h1")

    assert (after.size(made.uuid), after.contents()["parts"]) == (None, [made.uuid])
    if goes_on:
        after.create(made, soon)
        assert after.size(made.uuid) == 3 * MIB
    else:
        after.sweep()
        assert labels(after) == {1: {}, 2: {}, 3: {}}


def test_what_another_host_is_making_is_none_of_ours(pool_of, slow):
    here, there, made = pool_of("h1"), pool_of("h2"), disk(3)
    with pytest.raises(Busy):
        there.create(made, Deadline(0.1))
    slow.begun.wait(10)

    for call in (lambda: here.size(made.uuid), lambda: here.delete(made.uuid, Deadline(5))):
        with pytest.raises(Busy, match="by another host"):
            call()

    here.sweep()
    assert labels(here)[2]["disk"] == made.uuid


def test_a_disk_grows_within_its_unit_and_into_zeros(pool, units, soon):
    made = disk(2)
    pool.create(made, soon)
    with (units / "2").open("r+b") as file:
        file.write(b"kept")
        file.seek(int(2.5 * MIB))
        file.write(b"secret")

    pool.resize(made.uuid, 3 * MIB)

    data = (units / "2").read_bytes()
    assert (pool.size(made.uuid), data[:4], data[2 * MIB : 3 * MIB]) == (3 * MIB, b"kept", bytes(MIB))
    with pytest.raises(Refused, match="in a unit that has"):
        pool.resize(made.uuid, 4 * MIB)
    assert pool.size(made.uuid) == 3 * MIB
