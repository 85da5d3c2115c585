import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from apps.hypervisors.base import DiskSpec, ImageSpec, MachineSpec, NicSpec, PoolSpec
from tests.agent.manager import FakeManager
from tests.lab.agents import AgentHost, new, program, segment_of
from tests.lab.tools import hosts
from tests.lab.tools.hosts import DISK, Lab
from tests.lab.tools.image import guest_image
from tests.lab.tools.servers import Store

MIB = 1 << 20


PACKAGES = (
    *("qemu-system-x86", "qemu-utils", "qemu-block-extra", "libvirt-daemon-system", "libvirt-clients"),
    *("python3-libvirt", "libxml2-utils", "dnsmasq-base", "nftables", "conntrack", "iproute2", "iputils-ping"),
    *("procps", "curl", "openssl", "openssh-server", "openssh-client", "busybox-static", "genisoimage"),
    *("tgt", "nfs-ganesha", "nfs-ganesha-vfs", "rpcbind"),
    *("syslinux", "syslinux-common", "mtools", "dosfstools", "fdisk", "e2fsprogs", "cpio", "kmod", "binutils"),
)


def asked_for(config):
    return any("lab" in Path(word.partition("::")[0]).parts for word in config.invocation_params.args)


def pytest_ignore_collect(config):
    """It needs root and takes its time: only for who asks for it."""
    return None if asked_for(config) else True


def pytest_xdist_make_scheduler(config, log):
    return Halves(config, log) if asked_for(config) else None


class Halves(LoadScopeScheduling):
    """What two processes share out: the product is set up in one of them only, agents in the other; routers fit in."""

    def __init__(self, config, log):
        super().__init__(config, log)
        config.option.loadscopereorder = False  # the long ones come first as they are

    def _split_scope(self, nodeid):
        folder, _, file = nodeid.partition("::")[0].partition("tests/lab/")[2].partition("/")
        return {"router": f"router {file}", "product": "product"}.get(folder, "agents")


def own_prefix() -> str:
    """The same for the same working tree, so that what a killed run left is found and removed by the next."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if chosen := os.environ.get("LAB_PREFIX"):
        return f"{chosen}{worker.removeprefix('gw')}"
    return "t" + hashlib.sha256(f"{Path(__file__).parent}{worker}".encode()).hexdigest()[:5]


@pytest.fixture(scope="session", autouse=True)
def machine():
    """The lab is never skipped: it makes the machine fit, or ends with the reason why it cannot."""
    if os.geteuid():
        pytest.exit("the lab makes network namespaces and starts machines: it needs root", 1)
    with Path(__file__).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # of several processes one
        if missing := sorted(set(PACKAGES) - installed()):
            install(missing)
        guest_image()
    made = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True, text=True)
    if made.returncode:
        pytest.exit(f"the lab cannot make namespaces on this machine: {made.stderr.strip()}", 1)


def installed():
    words = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n"]
    lines = subprocess.run(words, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[0] for line in lines if line.endswith(" installed")}


def install(packages):
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", "-qq", *words], capture_output=True, text=True, env=quiet)
        if done.returncode:
            pytest.exit(f"the lab needs {' '.join(packages)}, and apt-get {words[0]} fails: {done.stderr[-500:]}", 1)


@pytest.fixture(scope="session")
def lab():
    lab = Lab(own_prefix())
    with alone(lab) as lock, guarded(lab, lock):
        yield from up_and_down(lab)


@contextmanager
def alone(lab):
    """Two runs of one working tree wait for each other: what the second removes as left over would be the first's."""
    path = DISK / f"lab-{lab.prefix}.lock"
    while True:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not path.exists() or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
                continue  # the one before has removed it
            yield file
            path.unlink()
            return


@contextmanager
def guarded(lab, lock):
    """Nothing stays of a run that is killed: a process that outlives this one takes the lab down."""
    words = [sys.executable, hosts.__file__, f"--prefix={lab.prefix}", f"--dir={lab.directory}", "guard"]
    guard = subprocess.Popen(
        list(map(str, words)), stdin=subprocess.PIPE, pass_fds=[lock.fileno()], start_new_session=True
    )
    try:
        yield
    finally:
        guard.kill()
        guard.wait()


def up_and_down(lab):
    lab.down()
    try:
        lab.up(2)
        shutil.copy(guest_image(), lab.directory / "srv" / "secondary" / "tiny.qcow2")
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="session")
def store(lab):
    store = Store(lab)
    store.up()
    return store


@pytest.fixture(scope="session")
def manager(lab):
    manager = FakeManager(lab.directory / "manager", str(lab.ranges.management[1]))
    with ExitStack() as stack:
        stack.enter_context(manager.serving())
        yield manager


@pytest.fixture(scope="session")
def agent_hosts(lab, manager):
    built = program(lab.directory)
    hosts = [AgentHost(lab, name, manager, built) for name in ("h1", "h2")]
    for host in hosts:
        host.enrol()
        host.start()
    yield hosts
    for host in hosts:
        host.kill()


@pytest.fixture
def host(agent_hosts):
    return agent_hosts[0]


@pytest.fixture(scope="session")
def template(lab):
    return ImageSpec(new(), "file:///srv/secondary/tiny.qcow2", "QCOW2")


@pytest.fixture(scope="session")
def pool():
    return PoolSpec(new(), "SharedMountPoint", "sharedmountpoint://localhost/srv/primary")


@pytest.fixture
def driver(agent_hosts):
    return agent_hosts[0].driver()


class Guests:
    """Machines of the test; all are gone at its end."""

    def __init__(self, hosts, pool, template):
        self.hosts, self.pool, self.template, self._made = hosts, pool, template, []
        self.pools = set()  # that hosts may know because of the test

    def root(self, pool=None, size=80 * MIB):
        return DiskSpec(new(), size, device_id=0, pool=self._used(pool), image=self.template)

    def data(self, size=64 * MIB, device_id=None, pool=None):
        return DiskSpec(new(), size, device_id=device_id, pool=self._used(pool))

    def _used(self, pool):
        self.pools |= {pool} if pool else set()
        return pool or self.pool

    def spec(self, *disks, nics=(), **values):
        uuid = new()
        name = values.pop("name", f"i-{uuid[:8]}")
        return MachineSpec(uuid, 1, 96, name=name, disks=disks, nics=nics, **values)

    def card(self, number=1, network=None):
        uuid, network = new(), network or new()
        return NicSpec(uuid, f"02:00:00:{uuid[:2]}:{uuid[2:4]}:{number:02x}", network, segment_of(network))

    def start(self, *more, host=None, booted=True, **values):
        """A machine of the template, with its root disk and more."""
        host = host or self.hosts[0]
        disks = (self.root(), *more)
        driver = host.driver()
        for disk in disks:
            driver.disks.create(disk, within=60)
        spec = self.spec(*disks, **values)
        self.started(host, spec)
        driver.power.start(spec, within=60)
        if booted:
            host.guest(spec.uuid, "true", seconds=90)
        return spec

    def started(self, host, spec):
        self._made.append((host, spec))

    def end(self):
        for host, spec in reversed(self._made):
            driver = host.driver()
            driver.power.stop(spec.uuid, within=30, force=True)
            for disk in spec.disks:
                driver.disks.delete(disk.uuid, within=30, pool=disk.pool)
        for host in self.hosts:
            for pool in self.pools - {self.pool}:
                host.driver().pools.remove(pool.uuid, within=30)

    def passwords(self):
        """What libvirt keeps, on all hosts: only what pools of a test need."""
        return [line.split()[0] for host in self.hosts for line in host.virsh("secret-list").splitlines() if line]


@pytest.fixture
def guests(agent_hosts, pool, template):
    guests = Guests(agent_hosts, pool, template)
    yield guests
    guests.end()
    assert guests.passwords() == [], "a pool is not gone"
