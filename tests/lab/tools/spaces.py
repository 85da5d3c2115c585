"""Namespaces without names: held by a process of ours, gone with it, in nobody's way."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from agent.router import space

HERE = Path(__file__).resolve().parents[3]
PYTHON = "/usr/bin/python3"  # the distribution's, as on hosts
INIT = "while :; do sleep 3600 & wait $!; done"
FRESH = "mount --make-rprivate / && mount -t tmpfs tmpfs /run && mkdir /run/netns && mount -t sysfs sysfs /sys"


class Space:
    """A network namespace; a ``Host`` has more of its own."""

    kinds: tuple[str, ...] = ("--net",)
    enter: tuple[str, ...] = ("-n",)
    first = "true"

    def __init__(self, name):
        self.name = name
        killed = ["setpriv", "--pdeathsig", "KILL"]  # with us, whatever ends us
        command = [
            *killed,
            "unshare",
            *self.kinds,
            "--fork",
            "--kill-child",
            "bash",
            "-c",
            f"{self.first} && echo up && {INIT}",
        ]
        self.holder = subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        if self.holder.stdout.readline() != "up\n":
            raise RuntimeError(f"{name}: a namespace cannot be made here: {self.holder.stderr.read().strip()}")
        self.pid = int(Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text().split()[0])
        self.run("ip", "link", "set", "lo", "up")

    def stop(self):
        os.kill(self.pid, signal.SIGKILL)
        self.holder.wait()
        self.holder.stdout.close()
        self.holder.stderr.close()

    def words(self, *command):
        return ["nsenter", "-t", str(self.pid), *self.enter, "--", *map(str, command)]

    def run(self, *command, check=True, **kw):
        """What the program wrote."""
        done = subprocess.run(self.words(*command), capture_output=True, text=True, **kw)  # noqa: S603
        if check and done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(map(str, command))}: {done.stderr or done.stdout}")
        return done.stdout

    def inside(self, act: Callable):
        """``act`` of ours, done by a thread there."""
        return space.inside(Path(f"/proc/{self.pid}/ns/net"), act)

    def addresses(self, link="eth0"):
        rows = json.loads(self.run("ip", "-j", "-4", "address", "show", "dev", link))
        return [one["local"] for row in rows for one in row["addr_info"]]


class Host(Space):
    """A hypervisor host: processes, mounts and /run of its own, as ``ip netns`` keeps its names there."""

    kinds = ("--net", "--mount", "--pid", "--uts", "--mount-proc")
    enter = ("-n", "-m", "-p", "-u")
    first = FRESH


def cable(one, name, other, other_name, *, mac="", mtu=1500):
    """Two ends of a wire; ``mac`` is that of the second."""
    words = ["link", "add", name, "mtu", mtu, "netns", one.pid, "type", "veth"]
    words += ["peer", "name", other_name, "mtu", mtu, "netns", other.pid, *(["address", mac] if mac else [])]
    subprocess.run(["ip", *map(str, words)], check=True, capture_output=True)  # noqa: S603, S607
    one.run("ip", "link", "set", name, "up")
    other.run("ip", "link", "set", other_name, "up")


def wait(condition, *, seconds=60.0, what="it"):
    """What the condition gave in the end; never a fixed time."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > until:
            raise AssertionError(f"{what} did not come true in {seconds} s")
        time.sleep(0.02)
    return found
