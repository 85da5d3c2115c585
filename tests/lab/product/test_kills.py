"""Agents and processes of the product are killed at random, and connections cut, while a tenant works: nothing is lost,
nothing is left.

LAB_ROUNDS  how many; the default is what a suite has time for
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.clouds import CODE
from tests.lab.agents import KEEP, LOOK
from tests.lab.product.api import ApiError
from tests.lab.product.audit import differing, on_hosts, stored
from tests.lab.tools.hosts import until

ROUNDS = int(os.environ.get("LAB_ROUNDS", "10"))
SEED = int(os.environ.get("LAB_SEED") or random.SystemRandom().randrange(1 << 30))
PATIENCE = 60
HEARD, MACHINES = 60, 3  # seconds that somebody waits for a job, and how many he has
KINDS = {"agent": 6, "cut": 6, "agents": 1, "scheduler": 1, "web": 2, "job": 2, "worker": 1, "manager": 3}
ENDED = "select count(*) from jobs_job where status in ('queued', 'running')"
OPEN = "select count(*) from core_question"
FLOWS = "select count(*) from jobs_flowrun where phase in ('doing', 'undoing', 'going_back')"
POOL = "/srv/primary/product/"


class Work:
    """What a tenant does, whatever becomes of it."""

    def __init__(self, site, tenant, seed):
        self.site, self.tenant, self.api, self.chance = site, tenant, tenant.api, random.Random(seed)
        given = {"name": "k", "displaytext": "k", "disksize": 1}
        self.offering = site.root.call("createDiskOffering", **given)["diskoffering"]["id"]
        self.done, self.hindered = Counter(), Counter()

    def machines(self):
        return self.api.list("listVirtualMachines", "virtualmachine")

    def volumes(self):
        return self.api.list("listVolumes", "volume", type="DATADISK")

    def step(self):
        """What a kill has hit may be refused, or not be heard of; that it is clean is seen at the end."""
        kind = "look"
        try:
            machines = [row for row in self.machines() if row["state"] in ("Running", "Stopped")]
            volumes = self.volumes()
            kind, about = self.chosen(machines, volumes)
            getattr(self, kind)(about)
        except (ApiError, OSError, HTTPException, ValueError, AssertionError):
            self.hindered[kind] += 1
        else:
            self.done[kind] += 1

    def chosen(self, machines, volumes):
        possible = [("restart_network", None)] + ([("deploy", None)] * 4 if len(machines) < MACHINES else [])
        for vm in machines:
            names = ("stop", "reboot", "restore", "forward") if vm["state"] == "Running" else ("start", "start")
            possible += [(name, vm) for name in (*names, "destroy", "volume")]
        for volume in volumes:
            possible += [("detach" if volume.get("virtualmachineid") else "attach", volume)] * 2
        return self.chance.choice(possible)

    def call(self, command, **given):
        return self.api.call(command, within=HEARD, **given)

    def deploy(self, _):
        self.tenant.deploy(self.tenant.net, within=HEARD)

    def stop(self, vm):
        self.call("stopVirtualMachine", id=vm["id"], forced="true")

    def start(self, vm):
        self.call("startVirtualMachine", id=vm["id"])

    def reboot(self, vm):
        self.call("rebootVirtualMachine", id=vm["id"], forced="true")

    def restore(self, vm):
        self.call("restoreVirtualMachine", virtualmachineid=vm["id"])

    def destroy(self, vm):
        self.call("destroyVirtualMachine", id=vm["id"])
        self.site.root.call("expungeVirtualMachine", id=vm["id"], within=HEARD)

    def forward(self, vm):
        address = self.tenant.source_nat(self.tenant.net)
        self.tenant.forward(address, vm, self.chance.randrange(10000, 20000), 80)

    def restart_network(self, _):
        cleanup = self.chance.choice(("true", "false"))
        self.call("restartNetwork", id=self.tenant.net, cleanup=cleanup)

    def volume(self, vm):
        given = {"name": "k", "diskofferingid": self.offering, "zoneid": self.site.zone}
        volume = self.call("createVolume", **given)["volume"]["id"]
        self.call("attachVolume", id=volume, virtualmachineid=vm["id"])

    def attach(self, volume):
        self.call("attachVolume", id=volume["id"], virtualmachineid=self.chance.choice(self.machines())["id"])

    def detach(self, volume):
        self.call("detachVolume", id=volume["id"])

    def end(self):
        """All that he has goes: what a kill has left behind is in the way now."""
        for vm in self.machines():
            self.api.call("destroyVirtualMachine", id=vm["id"])
            self.site.root.call("expungeVirtualMachine", id=vm["id"])
        for volume in self.volumes():
            if volume.get("virtualmachineid"):
                self.api.call("detachVolume", id=volume["id"])
            self.api.call("deleteVolume", id=volume["id"])
        self.api.call("deleteNetwork", id=self.tenant.net, within=180)


class Disks(threading.Thread):
    """Looks all the time which QEMU has which disk open, on all hosts: of each disk one at most."""

    def __init__(self):
        super().__init__(daemon=True)
        self.looks, self.shared, self.stop = 0, set(), threading.Event()

    def run(self):
        while not self.stop.wait(0.1):
            users = {}
            for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
                for disk in opened(pid):
                    users.setdefault(disk, set()).add(pid)
            self.shared |= {disk for disk, pids in users.items() if len(pids) > 1}
            self.looks += 1


def opened(pid):
    """Disks of the pool that a QEMU has open; of anybody else none."""
    with suppress(OSError):
        if os.readlink(f"/proc/{pid}/exe").rpartition("/")[2].startswith("qemu-system"):
            paths = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
            return {path for path in paths if path.startswith(POOL) and "/image-" not in path}
    return set()


def answers(site):
    with suppress(OSError, HTTPException):
        return bool(site.root.list("listZones", "zone"))
    return False


def kill(site, chance):
    """One of those that must be able to die; what was killed is back when this returns, or soon."""
    kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
    name = chance.choice(list(site.hosts))
    if kind == "agent":
        site.hosts[name].again()
    elif kind == "cut":
        site.wires[name].cut(chance.choice(("at once", "with the answer")))
    elif kind != "manager":
        pids = sorted(site.cloud.tree().get(kind, ()))
        with suppress(ProcessLookupError, IndexError):
            os.kill(chance.choice(pids), signal.SIGKILL)
    if kind in ("job", "worker"):
        time.sleep(chance.uniform(0.5, 3))  # the others go on without it
    if kind in ("job", "worker", "manager"):
        site.again()
    return kind


def settled(site):
    return all(site.rows(query) == [(0,)] for query in (ENDED, OPEN, FLOWS))


def audited(site):
    words = [sys.executable, "-m", "cloudportal.manage", "--data", site.cloud.folder, "audit"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, cwd=CODE)
    return done.stdout.strip()


def exact(site):
    """Hosts have what the product says, no more and no less, once bridges were kept as long as they are."""
    end = time.monotonic() + KEEP + LOOK + PATIENCE
    while wrong := differing(site):
        assert time.monotonic() < end, f"seed {SEED}: {wrong}"
        time.sleep(0.5)


@pytest.fixture
def disks():
    disks = Disks()
    disks.start()
    yield disks
    disks.stop.set()


def test_what_is_killed_at_random_leaves_nothing_half_made(site, disks, capsys):
    carol = site.tenant("carol")
    carol.net = carol.network()
    images = stored(site)
    work, chance, killed = Work(site, carol, SEED), random.Random(SEED), Counter()
    for _ in range(ROUNDS):
        thread = threading.Thread(target=work.step)
        thread.start()
        thread.join(chance.uniform(0.2, 2.5))
        killed[kill(site, chance)] += 1
        thread.join(4 * HEARD)
        assert not thread.is_alive(), "somebody waits for ever"
    for wire in site.wires.values():
        wire.cut("")
    with capsys.disabled():
        print(f"\n  seed {SEED}, killed {dict(killed)}, done {dict(work.done)}, hindered {dict(work.hindered)}")  # noqa: T201

    site.again()
    until(lambda: settled(site), 240, f"something is open for ever, seed {SEED}:\n{site.judged()}")

    assert audited(site).endswith("0 findings"), f"seed {SEED}: {audited(site)}"
    exact(site)
    work.end()
    until(lambda: settled(site), 120, "what was removed is not gone")
    exact(site)
    assert carol.net not in str(on_hosts(site))
    assert stored(site) == images
    assert audited(site).endswith("0 findings"), f"seed {SEED}: {audited(site)}"
    assert (disks.shared, disks.looks > ROUNDS) == (set(), True)
