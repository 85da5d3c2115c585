"""A world of namespaces without machines: an outside, hosts with bridges on it, guests on their cables."""

import json
import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from itertools import count
from pathlib import Path

from agent.router import space
from tests.lab.tools.spaces import HERE, PYTHON, Host, Space, cable

TAPS = count()
SCRIPT = HERE / "tests" / "lab" / "tools" / "udhcpc-script"
OUTSIDE = "198.51.100.1"
MANAGEMENT = "10.99.0"


class World:
    """``fabric`` has the switches: management, public and underlay; ``inet`` is the rest of the internet."""

    def __init__(self):
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{os.environ.get('LAB_PREFIX', 'lab')}-router-"))
        self.folder.chmod(0o755)  # daemons without rights pass through
        self.stack.callback(shutil.rmtree, self.folder)
        self.fabric = self.space("fabric")
        for name in ("mgmt", "public", "underlay"):
            self.fabric.run("ip", "link", "add", name, "type", "bridge", "mcast_snooping", "0", "forward_delay", "0")
            self.fabric.run("ip", "link", "set", name, "up")
        self.inet = self.space("inet")
        self.join(self.inet, "eth0", "public")
        self.inet.run("ip", "address", "add", f"{OUTSIDE}/24", "dev", "eth0")
        self.hosts = []

    def space(self, name, kind=Space):
        made = kind(name)
        self.stack.callback(made.stop)
        return made

    def join(self, space, card, switch):
        end = f"{switch[:4]}-{space.name}"[:15]
        cable(self.fabric, end, space, card)
        self.fabric.run("ip", "link", "set", end, "master", switch)

    def host(self, **layout):
        number = len(self.hosts) + 1
        made = self.space(f"h{number}", LabHost)
        made.settle(self.folder / made.name, number, layout)
        for card, switch in (("eth0", "mgmt"), ("eth1", "public"), ("eth2", "underlay")):
            self.join(made, card, switch)
        made.run("ip", "address", "add", f"{MANAGEMENT}.{10 + number}/24", "dev", "eth0")
        made.run("ip", "address", "add", f"10.98.0.{10 + number}/24", "dev", "eth2")
        self.hosts.append(made)
        return made

    def guest(self, host, bridge, mac, name="vm"):
        made = self.space(name, Guest)
        made.settle(self.folder / f"{bridge}-{mac.replace(':', '')}.lease", host, bridge, mac)
        return made

    def close(self):
        self.stack.close()


class LabHost(Host):
    """Runs the agent's router program as on a real host."""

    def settle(self, folder, number, layout):
        self.root, self.number = folder, number
        physical = {"pub": {"device": "eth1"}, "tun": {"device": "eth2", "isolation": "vxlan", **layout}}
        folder.mkdir(mode=0o755)
        self.layout = folder / "layout.json"
        self.layout.write_text(json.dumps({"physical": physical, "guest": "tun", "public": "pub"}))
        self.state = folder / "state"

    def command(self, verb, *rest):
        program = (PYTHON, "-m", "agent.router", "--root", self.state, "--layout", self.layout, verb, *rest)
        return self.words("env", f"PYTHONPATH={HERE}", "PYTHONDONTWRITEBYTECODE=1", *program)

    def agent(self, verb, *rest, document=None):
        """The answer, its result or its error with the seconds it took."""
        text = "" if document is None else json.dumps(document)
        done = subprocess.run(self.command(verb, *rest), input=text, capture_output=True, text=True)  # noqa: S603
        if not done.stdout:
            raise RuntimeError(f"{verb}: {done.stderr}")
        return json.loads(done.stdout)

    def apply(self, document):
        answer = self.agent("apply", document=document)
        assert "error" not in answer, answer
        return answer

    def status(self, network):
        return self.agent("status", network)["result"]

    def router(self, network, *command, check=True):
        """A program in the namespace of a router."""
        return self.run("ip", "netns", "exec", f"cp-{network}", *command, check=check)

    def in_router(self, network, act):
        """``act`` of ours, done by a thread in the namespace of a router."""
        return space.inside(Path(f"/proc/{self.pid}/root/run/netns/cp-{network}"), act)

    def links(self):
        return {row["ifname"] for row in json.loads(self.run("ip", "-j", "link", "show"))}

    def processes(self):
        """Command lines by pid, without those of the lab."""
        rows = [line.split(None, 1) for line in self.run("ps", "-e", "-ww", "-o", "pid=,args=").splitlines()]
        return {int(pid): words for pid, words in rows if not words.startswith(("bash", "sleep", "ps "))}


class Guest(Space):
    """A machine as far as a network sees one: a card on a bridge of a host."""

    def settle(self, lease, host, bridge, mac):
        self.lease, self.mac, self.host = lease, mac, host
        self.tap = f"tap{next(TAPS)}"
        cable(host, self.tap, self, "eth0", mac=mac)
        host.run("ip", "link", "set", self.tap, "master", bridge)

    def dhcp(self, *options):
        """The lease that a real client gets, as it was told; None if it gets none."""
        self.lease.unlink(missing_ok=True)
        words = ("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "4", "-T", "1", "-s", SCRIPT, *options)
        asked = [word for name in ("mtu", "search", "hostname") for word in ("-O", name)]
        self.run("env", f"LEASE={self.lease}", *words, *asked, check=False)
        if not self.lease.exists():
            return None
        return dict(line.split("=", 1) for line in self.lease.read_text().splitlines())

    def configure(self, ip, gateway="10.1.1.1", prefix=24):
        """The same by hand, where DHCP is not the question."""
        self.run("ip", "address", "flush", "dev", "eth0")
        self.run("ip", "address", "add", f"{ip}/{prefix}", "dev", "eth0")
        self.run("ip", "route", "replace", "default", "via", gateway)
