"""A whole cloud under clients: how soon it is up, what it weighs, and how much it does in a minute.

python -m bench.load [--web 2] [--workers 2] [--mariadb] [--seconds 10]     on a cloud of its own that is thrown away

Clients are threads of this process and take their share of the same processors, as those of any such measurement.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from bench.measure import table
from tests.chaos.client import Client
from tests.clouds import Cloud
from tests.mariadb import MariaDB, running

NUMBERS = count(1)
# Seconds between two looks of a client at a job, ever longer ones. Of several clients the first is so many times
# longer: together they look as often as one, who looks a hundred times as often as `cs` and CloudMonkey do.
PAUSE, LONGEST = 0.02, 0.32
POOL = "--innodb-buffer-pool-size=128M"  # as MariaDB has it where nobody says more

# CloudStack 4.23 on such a machine, with MariaDB and its own simulator: the least and the most that it showed.
THEIRS = {
    ("listZones", 1): (76.0, 134.0),
    ("listZones", 8): (141.0, 224.0),
    ("create domains", 8): (152.0, 152.0),
    ("create accounts", 8): (1.4, 1.4),
    ("create networks", 8): (8.0, 8.0),
    ("create volumes", 8): (36.0, 36.0),
    ("one deployment", 1): (2000.0, 2000.0),
    ("deployments, shared network", 8): (111.0, 223.0),
    ("deployments, isolated network", 8): (83.0, 109.0),
    ("stop, start, reboot", 8): (227.0, 246.0),
}


class Bench:
    def __init__(self, cloud: Cloud, seconds: float):
        self.cloud, self.seconds, self.pause = cloud, seconds, PAUSE
        root = cloud.told()["users"][0]
        self.keys = cloud.told()["api"], root["apikey"], root["secretkey"]
        api = self.client()
        zones = api.call("listZones")["zone"]
        self.zone = next(zone["id"] for zone in zones if zone["networktype"] == "Advanced")
        self.root_domain = api.call("listDomains", level=0)["domain"][0]["id"]
        self._room(api)
        self.size = api.call("listServiceOfferings")["serviceoffering"][0]["id"]
        self.disk = api.call("listDiskOfferings", name="Small")["diskoffering"][0]["id"]
        where = {"templatefilter": "executable", "zoneid": self.zone}
        self.template = api.call("listTemplates", **where)["template"][0]["id"]
        offerings = api.call("listNetworkOfferings", state="Enabled", guestiptype="Isolated")["networkoffering"]
        self.isolated = next(row["id"] for row in offerings if "SourceNatService" in row["name"] and not row["forvpc"])
        self.shared = self._shared(api)

    def _room(self, api: Client) -> None:
        """Hosts and storage for all that is deployed here: those of the demo are full after a hundred machines."""
        cluster = api.call("listClusters", zoneid=self.zone)["cluster"][0]
        where = {"zoneid": self.zone, "podid": cluster["podid"], "clusterid": cluster["id"], "hypervisor": "Simulator"}
        many = "http://sim/bench/cpucore=64&memory=524288&count=50"
        api.call("addHost", url=many, username="root", password="password", **where)  # noqa: S106
        api.call("updateConfiguration", name="storage.overprovisioning.factor", value="100")

    def _shared(self, api: Client) -> str:
        """A network of everybody with room for all machines that are deployed here."""
        offering = api.call("listNetworkOfferings", name="DefaultSharedNetworkOffering")["networkoffering"][0]["id"]
        span = {"gateway": "10.200.0.1", "netmask": "255.255.0.0", "startip": "10.200.0.2", "endip": "10.200.250.250"}
        what = {"zoneid": self.zone, "networkofferingid": offering, "vlan": "3999", "name": "bench", **span}
        return str(api.call("createNetwork", displaytext="bench", acltype="Domain", **what)["network"]["id"])

    def client(self) -> Client:
        return Client(*self.keys)

    def account(self) -> dict[str, Any]:
        name = f"bench-{next(NUMBERS)}"
        person = {"username": name, "password": "password", "email": "b@example.com", "firstname": "B", "lastname": "B"}
        made = self.client().call("createAccount", account=name, accounttype=0, **person)["account"]
        for kind in range(12):
            self.client().call(
                "updateResourceLimit", resourcetype=kind, max=-1, account=name, domainid=made["domainid"]
            )
        return {"account": name, "domainid": made["domainid"]}

    def done(self, api: Client, command: str, **params: Any) -> dict[str, Any]:
        """The result of the job. It is asked for soon, so that one client measures the job and not the pause; many who
        asked that often would measure how fast they can ask.
        """
        job, pause = api.call(command, **params)["jobid"], self.pause
        while True:
            found = api.call("queryAsyncJobResult", jobid=job)
            if found["jobstatus"] == 1:
                return dict(found["jobresult"])
            if found["jobstatus"] == 2:
                raise RuntimeError(f"{command}: {found['jobresult']}")
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST)

    def deploy(self, api: Client, owner: dict[str, Any], network: str) -> str:
        what = {"zoneid": self.zone, "templateid": self.template, "serviceofferingid": self.size, "networkids": network}
        made = self.done(api, "deployVirtualMachine", name=f"m-{next(NUMBERS)}", **what, **owner)
        return str(made["virtualmachine"]["id"])

    def rate(self, clients: int, prepare: Callable[[Client], Callable[[], object]]) -> float:
        """Turns a second, of that many clients together."""
        turns, begun, wrong = [0] * clients, threading.Barrier(clients + 1), []
        works = [prepare(self.client()) for _ in range(clients)]
        self.pause = PAUSE * clients

        def run(place: int) -> None:
            begun.wait()
            end = time.perf_counter() + self.seconds
            try:
                while time.perf_counter() < end:
                    works[place]()
                    turns[place] += 1
            except Exception as error:
                wrong.append(error)

        threads = [threading.Thread(target=run, args=(place,)) for place in range(clients)]
        for thread in threads:
            thread.start()
        begun.wait()
        since = time.perf_counter()
        for thread in threads:
            thread.join()
        if wrong:
            raise wrong[0]
        return sum(turns) / (time.perf_counter() - since)

    # What a client does, over and over.

    def deploying(self, kind: str) -> Callable[[Client], Callable[[], object]]:
        def prepare(api: Client) -> Callable[[], object]:
            owner = self.account()
            network = self.shared if kind == "shared" else self.network(api, owner)
            if kind == "isolated":
                self.deploy(api, owner, network)  # the router of the network is up
            return lambda: self.deploy(api, owner, network)

        return prepare

    def cycling(self, api: Client) -> Callable[[], object]:
        vm = self.deploy(api, self.account(), self.shared)
        steps = iter(("stop", "start", "reboot") * 10_000)
        return lambda: self.done(api, f"{next(steps)}VirtualMachine", id=vm)

    def network(self, api: Client, owner: dict[str, Any]) -> str:
        what = {"zoneid": self.zone, "networkofferingid": self.isolated, "name": f"n-{next(NUMBERS)}"}
        return str(api.call("createNetwork", displaytext="bench", **what, **owner)["network"]["id"])

    def networks(self, api: Client) -> Callable[[], object]:
        owner = self.account()
        return lambda: self.network(api, owner)

    def volumes(self, api: Client) -> Callable[[], object]:
        owner, what = self.account(), {"zoneid": self.zone, "diskofferingid": self.disk}
        return lambda: self.done(api, "createVolume", name=f"v-{next(NUMBERS)}", **what, **owner)

    def accounts(self, api: Client) -> Callable[[], object]:
        person = {"password": "password", "email": "b@example.com", "firstname": "B", "lastname": "B"}
        return lambda: api.call("createAccount", username=f"a-{next(NUMBERS)}", accounttype=0, **person)

    def domains(self, api: Client) -> Callable[[], object]:
        return lambda: api.call("createDomain", name=f"d-{next(NUMBERS)}", parentdomainid=self.root_domain)

    def zones(self, api: Client) -> Callable[[], object]:
        return lambda: api.call("listZones")

    def rows(self) -> Iterator[tuple[str, int, float, str, str, str]]:
        """What is measured, by how many clients, and how many times that is of what CloudStack does."""
        for what, clients, measured, unit in self.measured():
            least, most = THEIRS[what, clients]
            ratios = sorted(theirs / measured if unit == "ms" else measured / theirs for theirs in {least, most})
            yield what, clients, measured, unit, span(least, most), span(*(round(each, 1) for each in ratios))

    def measured(self) -> Iterator[tuple[str, int, float, str]]:
        for clients in (1, 8):
            yield "listZones", clients, self.rate(clients, self.zones), "a second"
        for name in ("domains", "accounts", "networks", "volumes"):
            yield f"create {name}", 8, self.rate(8, getattr(self, name)), "a second"
        self.pause, owner, api = PAUSE, self.account(), self.client()
        taken = [timed(lambda: self.deploy(api, owner, self.shared)) for _ in range(20)]
        yield "one deployment", 1, median(taken) * 1000, "ms"
        for kind in ("shared", "isolated"):
            yield f"deployments, {kind} network", 8, self.rate(8, self.deploying(kind)) * 60, "a minute"
        yield "stop, start, reboot", 8, self.rate(8, self.cycling) * 60, "a minute"


def span(*ends: float) -> str:
    return " - ".join(f"{end:g}" for end in dict.fromkeys(ends))


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def weight(pid: int) -> float:
    """PSS in MiB: what it has for itself, and its part of what it shares."""
    lines = (Path("/proc") / str(pid) / "smaps_rollup").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("Pss:"))) / 1024


def weights(cloud: Cloud, database: MariaDB | None) -> list[tuple[str, int, float]]:
    rows = [(name, len(pids), sum(map(weight, pids))) for name, pids in sorted(cloud.tree().items())]
    rows.append(("supervisor", 1, weight(cloud.process.pid)))
    if database and database.process:
        rows.append(("MariaDB", 1, weight(database.process.pid)))
    return [*rows, ("all", sum(row[1] for row in rows), sum(row[2] for row in rows))]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--web", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--mariadb", action="store_true")
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(POOL) if given.mariadb else nullcontext() as server:
        cloud = Cloud(Path(folder) / "cloud")
        cloud.environment = {"DATABASE_URL": server.url()} if server else {}
        words = ("--web", str(given.web), "--workers", str(given.workers))
        first = timed(lambda: cloud.up(*words))
        cloud.down()
        later = timed(lambda: cloud.up(*words))
        try:
            time.sleep(5.0)  # what a start leaves to do is done
            on = "MariaDB" if given.mariadb else "SQLite"
            print(f"\nOn {on}, {given.web} web processes, {given.workers} workers")
            print(f"up after {first:.1f} s the first time, {later:.1f} s later")
            table("Memory at rest", ("process", "number", "PSS MiB"), weights(cloud, server))
            head = ("what", "clients", "measured", "", "CloudStack", "times")
            table("Under clients", head, list(Bench(cloud, given.seconds).rows()))
        finally:
            cloud.down()


if __name__ == "__main__":
    main()
