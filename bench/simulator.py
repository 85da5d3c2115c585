"""Simulated hosts: adding them, and calls to their driver, per second, and what a process of it weighs.

python -m bench.simulator --hosts 1000 --calls 1000     on an empty database that DATABASE_URL names
"""

import argparse
import resource
import threading
import time
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from apps.accounts.models import Account  # noqa: E402
from apps.accounts.tenants import caller_for  # noqa: E402
from apps.core.dispatch import call  # noqa: E402
from apps.hypervisors.base import HostAddress, MachineSpec, NicSpec  # noqa: E402
from apps.infrastructure.models import Host  # noqa: E402
from apps.simulator.driver import connect  # noqa: E402
from bench.measure import table  # noqa: E402

POD = {"gateway": "172.16.0.1", "netmask": "255.255.0.0", "startip": "172.16.0.2", "endip": "172.16.0.250"}
HEAD = ("what", "threads", "calls", "seconds", "calls/s", "MiB")
WITHIN = {"within": 60.0}


def place(root: Any) -> dict[str, Any]:
    dns = {"dns1": "127.0.0.1", "internaldns1": "127.0.0.1"}
    zone = call(root, "createZone", name="bench", networktype="Advanced", **dns)["zone"]["id"]
    pod = call(root, "createPod", name="pod", zoneid=zone, **POD)["pod"]["id"]
    return {"zoneid": zone, "podid": pod, "clustername": "c", "hypervisor": "Simulator"}


def timed(what: str, work: Callable[[int], Any], count: int, threads: int = 1) -> tuple[Any, ...]:
    begun = time.perf_counter()
    if threads == 1:
        for number in range(count):
            work(number)
    else:
        _in_threads(work, count, threads)
    taken = time.perf_counter() - begun
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return what, threads, count, taken, count / taken, mib


def _in_threads(work: Callable[[int], Any], count: int, threads: int) -> None:
    def share(first: int) -> None:
        for number in range(first, count, threads):
            work(number)
        connection.close()

    running = [threading.Thread(target=share, args=(first,)) for first in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def machine(number: int) -> MachineSpec:
    card = NicSpec(f"n{number}", f"02:00:00:00:{number // 256:02x}:{number % 256:02x}", "net")
    return MachineSpec(f"m{number}", 1, 512, nics=(card,))


def calls(hosts: list[Any], count: int, threads: int) -> list[tuple[Any, ...]]:
    def on(number: int) -> Any:
        return hosts[number % len(hosts)]

    def apply(number: int) -> None:
        on(number).networks.apply({"network": f"net{number}", "generation": 1}, **WITHIN)

    return [
        timed("power.start", lambda n: on(n).power.start(machine(n), **WITHIN), count, threads),
        timed("power.runs", lambda n: on(n).power.runs(f"m{n}", **WITHIN), count, threads),
        timed("networks.apply", apply, count, threads),
        timed("power.stop", lambda n: on(n).power.stop(f"m{n}", **WITHIN), count, threads),
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=1_000)
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--threads", type=int, default=8)
    given = parser.parse_args()
    call_command("migrate", verbosity=0)
    call_command("seed")
    root = caller_for(Account.all_tenants.select_related("domain", "role").get(name="admin"))
    where = place(root)
    rows = [
        timed("addHost, one by one", lambda n: call(root, "addHost", url=f"http://sim/one/h{n}", **where), given.hosts),
        timed(
            f"addHost, {given.hosts} by one call",
            lambda n: call(root, "addHost", url=f"http://sim/bulk/count={given.hosts}", **where),
            1,
        ),
    ]
    hosts = [connect(HostAddress(h.pk, h.name, h.url)) for h in Host.all_tenants.order_by("pk")]
    for threads in sorted({1, given.threads}):
        rows += calls(hosts, given.calls, threads)
    table(f"Simulator, {len(hosts)} hosts, {connection.vendor}", HEAD, rows)


if __name__ == "__main__":
    main()
