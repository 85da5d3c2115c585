import subprocess
import uuid

import pytest

from agent.http.keys import Deadline
from agent.storage.disks import Disks
from agent.storage.images import Images, Most
from agent.storage.pools import Pools
from agent.storage.specs import DiskSpec, ImageSpec, PoolSpec
from agent.storage.tasks import Tasks

MIB = 1 << 20


class Live:
    """What runs: nothing, until a test says so."""

    def __init__(self):
        self.attached, self.resized = {}, []

    def disks(self):
        return self.attached

    def user_of(self, disk):
        return self.attached.get(disk)

    def resize(self, vm, disk, size):
        self.resized.append((vm, disk, size))


class Secrets(dict):
    put, drop = dict.__setitem__, lambda self, pool: self.pop(pool, None)

    def get(self, pool):
        return self[pool]


class Host:
    def __init__(self, folder, log, name="h1"):
        self.tasks = Tasks(folder / "tasks", log)
        self.images = Images(self.tasks, folder / "scratch", name, Most(bytes=512 * MIB, virtual=1024 * MIB))
        self.live, self.secrets = Live(), Secrets()
        self.pools = Pools(folder, self.images, self.tasks, self.secrets)
        self.disks = Disks(self.pools, self.images, self.live)


@pytest.fixture
def host(tmp_path, log):
    return Host(tmp_path / "state", log)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "primary").mkdir()
    return tmp_path / "primary"


@pytest.fixture
def pool(place):
    return PoolSpec(new(), "Filesystem", f"file://host{place}")


@pytest.fixture
def secondary(tmp_path):
    (tmp_path / "secondary").mkdir()
    return tmp_path / "secondary"


@pytest.fixture
def soon():
    return Deadline(120)


def new():
    return str(uuid.uuid4())


def qemu_img(*words):
    return subprocess.run(["qemu-img", *map(str, words)], check=True, capture_output=True, text=True).stdout


def image(path, format="QCOW2", **values):
    return ImageSpec(new(), f"file://{path}", format, **values)


def disk(pool, size=64 * MIB, image=None):
    return DiskSpec(new(), size, pool=pool, image=image)
