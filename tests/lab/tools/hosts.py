#!/usr/bin/python3
"""Hypervisor hosts on one machine. Needs root; see ``--help``.

A host is one set of mount, UTS, IPC, PID, cgroup and network namespaces with its own libvirtd, /etc/libvirt,
/var/lib/libvirt, /run, /etc/hosts and name. Its first process is a small init: killing that is a power cut. Hosts
share /srv/primary and /srv/secondary. Cables end in bridges of the namespace PREFIX-net:

    eth0 management   host K has .(10+K), the storage server .5, this machine .1
    eth1 public       no address on the hosts; the namespace PREFIX-inet has .1
    eth2 guest        host K has .(10+K): below VXLAN and VLANs

Labs with different prefixes stand side by side: only the management network is seen by the machine itself.
"""

import argparse
import ipaddress
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CABLES = ("mgmt", "public", "guest")  # eth0, eth1, eth2
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio")
CGROUPS = Path("/sys/fs/cgroup")
MARK = "lab.json"  # in the directory of a lab, so that `down` removes no other
STORE = "store"
# Where an installed agent is: each host has its own, in folders that the machine gets for as long as the lab stands.
INSTALLED = {
    "program": "/usr/local/lib/cloudportal",
    "state": "/var/lib/cloudportal-agent",
    "networks": "/var/lib/cloudportal-agent-networks",
}
SSH_PORT, SSH_PASSWORD = 2222, "lab-password"
SSHD_CONF = """Port {port}
HostKey {folder}/key
PidFile {folder}/pid
PermitRootLogin yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM no
"""
DISK = Path("/var/tmp")  # a real one: QEMU reads past the cache, which file systems in memory may not know
KNOWN = "cache/qemu/capabilities"  # of a host: what libvirt knows of the QEMUs there
LONGEST_PREFIX = 8  # names of interfaces have 15 characters
LIBVIRTD_CONF = """listen_tls = 0
listen_tcp = 1
listen_addr = "{address}"
auth_tcp = "none"
auth_unix_rw = "none"
unix_sock_group = "root"
host_uuid = "{uuid}"
keepalive_interval = 2
keepalive_count = 3
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
"""
QEMU_CONF = """user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
stdio_handler = "file"
vnc_listen = "0.0.0.0"
migration_host = "{address}"
migration_address = "0.0.0.0"
"""
# Join the cgroup $1 of every controller, so that the cgroup namespace made afterwards begins there.
JOIN = """cg=$1; shift
for c in /sys/fs/cgroup/*/; do
    [ -w "$c/cgroup.procs" ] || continue
    mkdir -p "$c/$cg"
    for f in cpuset.cpus cpuset.mems; do [ -e "$c/$cg/$f" ] && cat "$c/$f" >"$c/$cg/$f"; done
    echo $$ >"$c/$cg/cgroup.procs"
done 2>/dev/null
exec "$@"
"""


class LabError(Exception):
    """What a person can put right."""


def run(*words: object, check: bool = True, **options: object) -> subprocess.CompletedProcess:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)  # type: ignore[call-overload]
    if check and done.returncode:
        raise LabError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
    return done


def until(condition: object, seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            raise LabError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.02)


@dataclass(frozen=True)
class Ranges:
    management: ipaddress.IPv4Network
    public: ipaddress.IPv4Network = ipaddress.IPv4Network("198.51.100.0/24")
    guest: ipaddress.IPv4Network = ipaddress.IPv4Network("10.98.0.0/24")


def management_of(prefix: str) -> ipaddress.IPv4Network:
    """Of the lab called "lab" the one of its documentation; of others one that follows from the name."""
    if prefix == "lab":
        return ipaddress.IPv4Network("10.99.0.0/24")
    number = zlib.crc32(prefix.encode())
    return ipaddress.IPv4Network(f"10.{160 + number % 64}.{number >> 8 & 255}.0/24")


class Lab:
    def __init__(self, prefix: str = "", directory: str | Path = "", ranges: Ranges | None = None):
        self.prefix = prefix or os.environ.get("LAB_PREFIX", "lab")
        if not self.prefix.isalnum() or len(self.prefix) > LONGEST_PREFIX:
            raise LabError(f"a prefix has 1 to {LONGEST_PREFIX} letters and digits, not {self.prefix!r}")
        chosen = directory or os.environ.get("LAB_DIR") or DISK / f"lab-{self.prefix}"
        self.directory = Path(chosen).resolve()
        self.ranges = ranges or Ranges(management_of(self.prefix))

    # -- what there is

    @property
    def net(self) -> str:
        return f"{self.prefix}-net"

    @property
    def inet(self) -> str:
        return f"{self.prefix}-inet"

    def namespace(self, host: str) -> str:
        return f"{self.prefix}-{host}"

    def number(self, host: str) -> int:
        return -5 if host == STORE else int(host.removeprefix("h"))

    def address(self, host: str, cable: str = "mgmt") -> str:
        network = self.ranges.management if cable == "mgmt" else self.ranges.guest
        return str(network[10 + self.number(host)])

    def pid(self, host: str) -> int:
        try:
            return int((self.directory / host / "pid").read_text())
        except (OSError, ValueError):
            return 0

    def is_up(self, host: str) -> bool:
        pid = self.pid(host)
        return bool(pid) and Path(f"/proc/{pid}").exists()

    def hosts(self) -> list[str]:
        return sorted(path.parent.name for path in self.directory.glob("*/uuid"))

    # -- up and down

    def up(self, number: int) -> list[str]:
        self._claim()
        if self.net not in _namespaces():
            self._wire()
        names = [f"h{k}" for k in range(1, number + 1)]
        for name in names:
            if not self.is_up(name):
                self.start(name)
        return names

    def _claim(self) -> None:
        if os.geteuid():
            raise LabError("a lab makes network namespaces: be root")
        mark = self.directory / MARK
        if self.directory.exists() and any(self.directory.iterdir()) and not mark.exists():
            raise LabError(f"{self.directory} has files that are not of a lab")
        for shared in ("primary", "secondary", "export"):
            (self.directory / "srv" / shared).mkdir(parents=True, exist_ok=True)
        export = self.directory / "srv" / "export"
        if (
            run("stat", "-f", "-c", "%T", export).stdout.strip() == "overlayfs"
        ):  # the root of a container: no NFS from there
            run("mount", "-t", "tmpfs", "-o", "mode=755", "export", export)
        ssh = {"port": SSH_PORT, "password": SSH_PASSWORD}
        mark.write_text(json.dumps({"prefix": self.prefix, "management": str(self.ranges.management), "ssh": ssh}))

    def _wire(self) -> None:
        taken = [
            ipaddress.ip_interface(f"{address['local']}/{address['prefixlen']}").network
            for link in json.loads(run("ip", "-4", "-j", "addr").stdout)
            for address in link.get("addr_info", ())
        ]
        if any(self.ranges.management.overlaps(network) for network in taken):
            raise LabError(f"{self.ranges.management} is in use on this machine: give another management network")
        run("ip", "netns", "add", self.net)
        for cable in CABLES:
            self._ip("link", "add", f"br-{cable}", "type", "bridge", "mcast_snooping", "0", "forward_delay", "0")
            self._ip("link", "set", f"br-{cable}", "up")
        here = f"{self.prefix}-mgmt"
        run("ip", "link", "add", here, "type", "veth", "peer", "name", "mgmt-up", "netns", self.net)
        self._ip("link", "set", "mgmt-up", "master", "br-mgmt", "up")
        run("ip", "addr", "add", f"{self.ranges.management[1]}/{self.ranges.management.prefixlen}", "dev", here)
        run("ip", "link", "set", here, "up")
        run("ip", "netns", "add", self.inet)
        self._ip("link", "add", "pub-inet", "type", "veth", "peer", "name", "eth0", "netns", self.inet)
        self._ip("link", "set", "pub-inet", "master", "br-public", "up")
        public = f"{self.ranges.public[1]}/{self.ranges.public.prefixlen}"
        run("ip", "-n", self.inet, "addr", "add", public, "dev", "eth0")
        run("ip", "-n", self.inet, "link", "set", "eth0", "up")
        run("ip", "-n", self.inet, "link", "set", "lo", "up")

    def _ip(self, *words: object) -> None:
        run("ip", "-n", self.net, *words)

    def start(self, host: str) -> None:
        """Power on: with an empty /run, as after a power cut."""
        self._files(host)
        space, folder = self.namespace(host), self.directory / host
        run("ip", "netns", "add", space)
        for i, cable in enumerate(CABLES):
            self._plug_cable(host, i, cable)
        run("ip", "-n", space, "link", "set", "lo", "up")
        for device, cable in (("eth0", "mgmt"), ("eth2", "guest")):
            run("ip", "-n", space, "addr", "add", f"{self.address(host, cable)}/24", "dev", device)
        shutil.rmtree(folder / "run", ignore_errors=True)
        (folder / "run").mkdir()
        unshare = ("unshare", "--mount", "--uts", "--ipc", "--pid", "--cgroup", "--fork", "--kill-child")
        me = ("/usr/bin/python3", str(Path(__file__).resolve()), *self._options(), "host-main", host)
        with (folder / "log" / "host.log").open("ab") as log:
            subprocess.Popen(
                ["sh", "-c", JOIN, "join", space, "ip", "netns", "exec", space, *unshare, *me],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        ready = folder / "run" / ("libvirt/libvirt-sock" if host != STORE else "ready")
        until(lambda: self.pid(host) and ready.exists(), 60, f"{host} does not come up, see {folder}/log")
        if host != STORE and not (folder / KNOWN).exists():
            self.exec(host, "virsh", "-q", "capabilities")

    def _options(self) -> Sequence[str]:
        ranges = self.ranges
        given = {"prefix": self.prefix, "dir": self.directory, "management": ranges.management}
        return [
            f"--{name}={value}" for name, value in (given | {"public": ranges.public, "guest": ranges.guest}).items()
        ]

    def _plug_cable(self, host: str, i: int, cable: str) -> None:
        # fixed addresses: with a new one after a restart the first connection waits for ARP
        lab = zlib.crc32(self.prefix.encode()) & 255
        mac = f"02:1a:b0:{lab:02x}:{10 + self.number(host):02x}:{i:02x}"
        there = ("peer", "name", f"eth{i}", "address", mac, "netns", self.namespace(host))
        self._ip("link", "add", f"{cable}-{host}", "type", "veth", *there)
        self._ip("link", "set", f"{cable}-{host}", "master", f"br-{cable}", "up")
        run("ip", "-n", self.namespace(host), "link", "set", f"eth{i}", "up")

    def _files(self, host: str) -> None:
        folder = self.directory / host
        for name in ("etc-libvirt", "lib", "log", "cache", "agent"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        if not (folder / "uuid").exists():
            (folder / "uuid").write_text(str(uuid.uuid4()))
        known = "".join(f"{self.address(f'h{k}')} h{k}\n" for k in range(1, 10))
        (folder / "hosts").write_text(f"127.0.0.1 localhost\n{known}{self.address(STORE)} {STORE}\n")
        if host == STORE:
            return
        for other in self.hosts():  # what libvirt asks QEMU for seconds it asks on one host only
            if (self.directory / other / KNOWN).exists() and not (folder / KNOWN).exists():
                shutil.copytree(self.directory / other / KNOWN, folder / KNOWN)
        etc = folder / "etc-libvirt"
        shutil.copytree("/etc/libvirt", etc, dirs_exist_ok=True)
        for network in etc.glob("qemu/networks/autostart/*"):
            network.unlink()
        values = {"address": self.address(host), "uuid": (folder / "uuid").read_text()}
        (etc / "libvirtd.conf").write_text(LIBVIRTD_CONF.format(**values))
        (etc / "qemu.conf").write_text(QEMU_CONF.format(**values))

    def crash(self, host: str) -> None:
        """A power cut: everything on the host dies at once."""
        if pid := self.pid(host):
            _kill(pid)
            until(lambda: not self.is_up(host), 20, f"{host} does not die")
        (self.directory / host / "pid").unlink(missing_ok=True)
        space = self.namespace(host)
        until(lambda: not self._left(space), 20, f"processes of {host} do not die")
        if space in _namespaces():
            until(lambda: run("ip", "netns", "del", space, check=False).returncode == 0, 10, f"{space} stays")
        for cable in CABLES:
            run("ip", "-n", self.net, "link", "del", f"{cable}-{host}", check=False)
        for cgroup in CGROUPS.glob(f"*/{space}"):
            for path in sorted(cgroup.rglob("*"), reverse=True):
                if path.is_dir():
                    path.rmdir()
            cgroup.rmdir()

    def _left(self, space: str) -> bool:
        """Is a process left in the cgroups of the host? It gets killed."""
        found = {
            int(pid)
            for procs in (CGROUPS / "freezer" / space).rglob("cgroup.procs")
            for pid in procs.read_text().split()
        }
        for pid in found:
            _kill(pid)
        return bool(found)

    def down(self) -> None:
        if self.directory.exists() and not (self.directory / MARK).exists():
            raise LabError(f"{self.directory} is not of a lab")
        for host in self.hosts():
            self.crash(host)
        here = _namespaces()
        for space in (self.inet, self.net):
            if space in here:
                run("ip", "netns", "del", space)
        run("ip", "link", "del", f"{self.prefix}-mgmt", check=False)
        run("umount", "--quiet", self.directory / "srv" / "export", check=False)
        shutil.rmtree(self.directory, ignore_errors=True)
        for place in INSTALLED.values():
            with suppress(OSError):  # it is there, or in use by another lab, or by the machine itself
                Path(place).rmdir()

    def guard(self) -> None:
        """Wait until whoever started this is gone, and take down what he could not."""
        sys.stdin.buffer.read()
        with suppress(LabError):
            until(lambda: not self._end(signal.SIGTERM), 15, "somebody stays")
        self._end(signal.SIGKILL)
        self.down()
        (DISK / f"lab-{self.prefix}.lock").unlink(missing_ok=True)  # we hold it too

    def _end(self, number: int) -> bool:
        """Who has a file of the lab on his command line, but for its hosts and us: the product, for example."""
        found = [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if pid != os.getpid()]
        found = [pid for pid in found if f"{self.directory}/" in _words(pid)]
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return bool(found)

    # -- use

    def command(self, host: str, *words: object) -> list[str]:
        """To run on a host, in all its namespaces and cgroups: a libvirtd from elsewhere would not find its guests."""
        enter = ("nsenter", "-t", str(self.pid(host)), "-m", "-u", "-i", "-n", "-p", "-C", "--")
        return ["sh", "-c", JOIN, "join", self.namespace(host), *enter, *map(str, words)]

    def exec(self, host: str, *words: object, check: bool = True, **options: object) -> subprocess.CompletedProcess:
        return run(*self.command(host, *words), check=check, **options)

    def cable(self, host: str, device: str, state: str) -> None:
        self._ip("link", "set", f"{CABLES[int(device.removeprefix('eth'))]}-{host}", state)

    def ssh(self, host: str) -> None:
        """Let root in by a password, on a port of its own."""
        folder = self.directory / host / "ssh"
        folder.mkdir(exist_ok=True)
        (folder / "conf").write_text(SSHD_CONF.format(port=SSH_PORT, folder=folder))
        if not (folder / "key").exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key")
        sealed = run("openssl", "passwd", "-6", SSH_PASSWORD).stdout.strip()
        (folder / "shadow").write_text(f"root:{sealed}:19000:0:99999:7:::\nsshd:!:19000::::::\n")
        (folder / "shadow").chmod(0o600)
        self.exec(host, "mount", "--bind", folder / "shadow", "/etc/shadow")
        self.exec(host, "mkdir", "-p", "-m", "755", "/run/sshd")
        self.exec(host, "/usr/sbin/sshd", "-f", folder / "conf")

    # -- the first process of a host

    def host_main(self, host: str) -> None:
        folder = self.directory / host
        # /proc is still the one of outside: our process id as seen from there
        pid = os.readlink("/proc/self")
        run("hostname", host)
        _mounts(folder, self.directory / "srv")
        run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        if host == STORE:
            Path("/run/ready").touch()
        else:
            run("libvirtd", "-l", "-d")
        (folder / "pid").write_text(pid)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        while True:
            try:
                os.wait()  # reaps, as an init must
            except ChildProcessError:
                time.sleep(0.2)


def _mounts(folder: Path, shared: Path) -> None:
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "proc", "proc", "/proc")
    # /sys is that of this network namespace: "ip netns exec" mounted it
    run("mount", "-t", "tmpfs", "-o", "mode=755", "cgroup", CGROUPS)
    for controller in CONTROLLERS:
        (CGROUPS / controller).mkdir()
        if run("mount", "-t", "cgroup", "-o", controller, "cgroup", CGROUPS / controller, check=False).returncode:
            (CGROUPS / controller).rmdir()
    for name, place in (("etc-libvirt", "/etc/libvirt"), ("lib", "/var/lib/libvirt"), ("log", "/var/log/libvirt")):
        run("mount", "--bind", folder / name, place)
    run("mount", "--bind", folder / "cache", "/var/cache/libvirt")
    run("mount", "--bind", folder / "hosts", "/etc/hosts")
    for name, place in INSTALLED.items():
        (folder / "installed" / name).mkdir(parents=True, exist_ok=True)
        Path(place).mkdir(parents=True, exist_ok=True)
        run("mount", "--bind", folder / "installed" / name, place)
    run("mount", "-t", "tmpfs", "-o", "mode=755", "srv", "/srv")  # nothing of ours on the machine's own
    for name in ("primary", "secondary", "export"):
        Path("/srv", name).mkdir()
        run("mount", "--bind", shared / name, f"/srv/{name}")
    run("mount", "--bind", folder / "run", "/run")
    for name in ("netns", "lock", "libvirt"):
        Path("/run", name).mkdir(exist_ok=True)


def _namespaces() -> set[str]:
    return {line.split()[0] for line in run("ip", "netns", "list").stdout.splitlines() if line}


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prefix", default="", help="of all names (LAB_PREFIX, else lab)")
    parser.add_argument("--dir", default="", help="for all files (LAB_DIR, else one in /var/tmp)")
    for name in ("management", "public", "guest"):
        parser.add_argument(f"--{name}", type=ipaddress.IPv4Network, help="a /24 network")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", help="start hosts h1..hN").add_argument("number", type=int)
    for verb, text in (("start", "power on"), ("crash", "power off the hard way"), ("host-main", argparse.SUPPRESS)):
        verbs.add_parser(verb, help=text).add_argument("host")
    verbs.add_parser("down", help="stop everything and remove what was made")
    verbs.add_parser("guard", help=argparse.SUPPRESS)
    verbs.add_parser("status")
    for verb in ("plug", "unplug"):
        cable = verbs.add_parser(verb, help="a network cable")
        cable.add_argument("host")
        cable.add_argument("device", choices=["eth0", "eth1", "eth2"])
    execute = verbs.add_parser("exec", help="run a command on a host")
    execute.add_argument("host")
    execute.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args(words)
    try:
        return carry_out(given)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def carry_out(given: argparse.Namespace) -> int:
    ranges = Ranges(management_of(given.prefix or os.environ.get("LAB_PREFIX", "lab")))
    named = {name: getattr(given, name) for name in ("management", "public", "guest") if getattr(given, name)}
    lab = Lab(given.prefix, given.dir, Ranges(**{**vars(ranges), **named}))
    if given.verb == "exec":
        return subprocess.run(lab.command(given.host, *given.command)).returncode
    if given.verb == "up":
        for name in lab.up(given.number):
            print(f"{name} qemu+tcp://{lab.address(name)}/system")
    elif given.verb == "status":
        for name in lab.hosts():
            print(name, f"up pid {lab.pid(name)}" if lab.is_up(name) else "down")
    elif given.verb in ("plug", "unplug"):
        lab.cable(given.host, given.device, "up" if given.verb == "plug" else "down")
    elif given.verb in ("down", "guard"):
        getattr(lab, given.verb)()
    else:
        getattr(lab, given.verb.replace("-", "_"))(given.host)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
