"""A placement, and what it costs to say no, with ever more hosts in the zone.

python -m bench.placement [--hosts 100 10000 100000]     on a MariaDB of its own, or on the empty one of DATABASE_URL
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median, quantiles
from typing import Any

if __name__ == "__main__" and "DATABASE_URL" not in os.environ:
    from tests.mariadb import running

    with running() as server:
        environment = os.environ | {"DATABASE_URL": server.url(), "DJANGO_SETTINGS_MODULE": "cloudportal.settings"}
        words = [sys.executable, "-m", "bench.placement", *sys.argv[1:]]
        sys.exit(subprocess.run(words, env=environment).returncode)  # noqa: S603 - itself

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from apps.core.errors import InsufficientCapacity  # noqa: E402
from apps.machines.models import VirtualMachine  # noqa: E402
from apps.machines.services import placement  # noqa: E402
from apps.machines.services.placement import requests  # noqa: E402
from apps.machines.services.placement.choosing import Search  # noqa: E402
from bench.measure import table  # noqa: E402
from bench.zone import MIB, Zone  # noqa: E402

SIZES = (100, 10_000, 100_000)
ORDERS = (
    ("FirstFitPlanner", "", 0),
    ("FirstFitPlanner", "", 1),
    ("FirstFitPlanner", "ssd", 1),
    ("FirstFitPlanner", "gpu", 1),
    ("UserDispersingPlanner", "", 0),
    ("UserDispersingPlanner", "", 1),
    ("UserConcentratedPodPlanner", "", 1),
)  # planner, tags of hosts, disks
HEAD = ("what", "hosts", "least ms", "p50 ms", "p95 ms", "ratio of least")
Measured = dict[str, tuple[float, float, float]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, nargs="+", default=list(SIZES))
    call_command("migrate", verbosity=0)
    call_command("seed")
    zone, found = Zone(), dict[int, Measured]()
    for size in parser.parse_args().hosts:
        zone.grow(size)
        zone.settle(20)
        found[size] = measured(zone)
    first = next(iter(found.values()))
    rows = [(name, size, *found[size][name], found[size][name][0] / first[name][0]) for name in first for size in found]
    table(f"Placement, {connection.vendor}", HEAD, rows)
    for planner, tags, disks in ORDERS:
        zone.order(planner, tags)
        plan_of(zone.machine(disks), named(planner, tags, disks))


def measured(zone: Zone) -> Measured:
    found = {}
    for planner, tags, disks in ORDERS:
        zone.order(planner, tags)
        found[named(planner, tags, disks)] = placing(zone.machine(disks))
    zone.order()
    found["refusal, counted"] = refusing(zone.machine(memory_mib=MIB + 1))
    return found


def named(planner: str, tags: str, disks: int) -> str:
    return " ".join(filter(None, (planner, tags, "" if disks else "no disk")))


def placing(vm: VirtualMachine) -> tuple[float, float, float]:
    """The machine as a flow reads it, and then the place; giving it back is not measured."""

    def place() -> float:
        rows = VirtualMachine.all_tenants.select_related("offering", "template", "owner__domain", "zone")
        again = rows.get(pk=vm.pk)
        taken = timed(lambda: placement.reserve(again))
        placement.unreserve(again)
        return taken

    return middle([place() for _ in range(110)][10:])


def refusing(vm: VirtualMachine) -> tuple[float, float, float]:
    def refuse() -> None:
        try:
            placement.reserve(vm)
        except InsufficientCapacity:
            return
        raise AssertionError("there was room")

    return middle([timed(refuse) for _ in range(5)])


def timed(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def middle(taken: list[float]) -> tuple[float, float, float]:
    """The least says most where others use the machine too."""
    return min(taken), median(taken), quantiles(taken, n=20)[-1]


def plan_of(vm: VirtualMachine, what: str) -> None:
    """How the database finds the candidates: by which index, and whether it sorts."""
    said: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        said.append((sql, params))
        return execute(sql, params, many, context)

    search = Search(requests.of(vm))
    with connection.execute_wrapper(note):
        search.candidates()
    print(f"\n{what}")
    with connection.cursor() as cursor:
        for sql, params in said:
            if "room" in sql:
                cursor.execute(f"EXPLAIN {'' if connection.vendor == 'mysql' else 'QUERY PLAN '}{sql}", params)
                for row in cursor.fetchall():
                    print("  ".join(str(cell)[:50] for cell in row))


if __name__ == "__main__":
    main()
