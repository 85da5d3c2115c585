"""Agents and processes of the product are killed at random while a tenant works: nothing is lost, nothing is left."""

import os
import random
import signal
import subprocess
import sys
import threading
from contextlib import suppress

from tests.clouds import CODE
from tests.lab.product.api import ApiError
from tests.lab.tools.hosts import until

ROUNDS = int(os.environ.get("LAB_ROUNDS", "6"))
MANY = 20
LEASE = 300  # seconds that a job waits for the return of a worker that was killed
ENDED = "select count(*) from jobs_job where status in ('queued', 'running')"
OPEN = "select count(*) from core_question"
FLOWS = "select count(*) from jobs_flowrun where phase in ('doing', 'undoing', 'going_back')"


class Work:
    """What a tenant does, whatever becomes of it."""

    def __init__(self, site, tenant, seed):
        self.site, self.tenant, self.chance = site, tenant, random.Random(seed)
        self.offering = site.root.call("createDiskOffering", name="k", displaytext="k", disksize=1)["diskoffering"][
            "id"
        ]

    def machines(self):
        return self.tenant.api.list("listVirtualMachines", "virtualmachine")

    def step(self):
        """What a kill has hit may be refused, or not be heard of; that it is clean is seen at the end."""
        with suppress(ApiError, OSError):
            machines = [row for row in self.machines() if row["state"] in ("Running", "Stopped")]
            kinds = ["deploy", "volume"] if len(machines) < 3 else ["volume"]
            kinds += ["stop", "start", "destroy"] if machines else []
            kind, vm = self.chance.choice(kinds), self.chance.choice(machines) if machines else None
            getattr(self, kind)(vm)

    def deploy(self, vm):
        self.tenant.deploy(self.tenant.net, within=2 * LEASE)

    def stop(self, vm):
        self.tenant.api.call("stopVirtualMachine", id=vm["id"], forced="true", within=2 * LEASE)

    def start(self, vm):
        self.tenant.api.call("startVirtualMachine", id=vm["id"], within=2 * LEASE)

    def destroy(self, vm):
        self.tenant.api.call("destroyVirtualMachine", id=vm["id"], within=2 * LEASE)
        self.site.root.call("expungeVirtualMachine", id=vm["id"], within=2 * LEASE)

    def volume(self, vm):
        given = {"name": "k", "diskofferingid": self.offering, "zoneid": self.site.zone}
        volume = self.tenant.api.call("createVolume", **given)["volume"]["id"]
        if vm is not None:
            self.tenant.api.call("attachVolume", id=volume, virtualmachineid=vm["id"], within=2 * LEASE)


def answers(site):
    with suppress(OSError):
        return bool(site.root.list("listZones", "zone"))
    return False


def kill(site, chance):
    """An agent, or one of the product's processes; both come back. What a worker was at waits for its lease to end, so
    workers are killed in long runs only.
    """
    if chance.random() < 0.6:
        chance.choice(list(site.hosts.values())).again()
        return
    tree = site.cloud.tree()
    names = ("agents", "scheduler", "web", *(("worker", "job") if ROUNDS > MANY else ()))
    pids = [pid for name in names for pid in tree.get(name, ())]
    if pids:
        os.kill(chance.choice(sorted(pids)), signal.SIGKILL)


def test_what_is_killed_at_random_leaves_nothing_half_made(site, lab):
    carol = site.tenant("carol")
    carol.net = carol.network()
    work, chance = Work(site, carol, seed=4), random.Random(7)
    for _ in range(ROUNDS):
        thread = threading.Thread(target=work.step)
        thread.start()
        thread.join(chance.uniform(0.2, 2.5))
        kill(site, chance)
        thread.join(2 * LEASE + 30)
        assert not thread.is_alive(), "a job did not end"

    settled = lambda: all(site.rows(query) == [(0,)] for query in (ENDED, OPEN, FLOWS))  # noqa: E731
    until(settled, 2 * LEASE, "something is open for ever")

    words = [sys.executable, "-m", "cloudportal.manage", "--data", site.cloud.folder, "audit"]
    audit = subprocess.run(list(map(str, words)), capture_output=True, text=True, cwd=CODE)
    assert audit.stdout.strip().endswith("0 findings"), audit.stdout
    until(lambda: answers(site), 60, "the web server does not come back")
    rows = site.root.list("listVirtualMachines", "virtualmachine", listall="true")
    running = sorted(row["id"] for row in rows if row["state"] == "Running")
    domains = sorted(each for host in site.hosts.values() for each in host.domains())
    assert domains == running
    kept = {
        uuid for (uuid,) in site.rows("select uuid from storage_volume where state not in ('Allocated', 'Expunged')")
    }
    files = {path.stem.replace("-", "") for path in (site.srv / "primary" / "product").glob("*.qcow2")}
    assert {name for name in files if not name.startswith("image")} <= kept
