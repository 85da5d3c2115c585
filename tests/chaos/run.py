"""Kill processes of a cloud at random while tenants use it; at the end every job has ended and the audit finds nothing.

    python -m tests.chaos.run [--rounds 200] [--database mariadb] [--seed N] [--clients 6] [--pause 2]

A round kills one of: the web server, the worker, one of its children, the scheduler, Valkey, MariaDB.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from cloudportal.installation import Installation
from tests import mariadb
from tests.chaos.client import Client
from tests.chaos.load import Tenant
from tests.clouds import CODE, Cloud

VICTIMS = ("web", "web-2", "worker", "job", "scheduler", "valkey")
DURABLE = "--innodb-flush-log-at-trx-commit=2"  # what was committed outlives the server
AFTER = 90.0  # seconds that may pass until everything has ended, once leases are due


def main() -> int:
    options = parse()
    print(f"chaos: {options.rounds} rounds on {options.database}, seed {options.seed}", flush=True)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-"))
        return torment(Cloud(Path(folder) / "cloud"), options, stack)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--database", choices=("sqlite", "mariadb"), default="sqlite")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between two kills, on average")
    return parser.parse_args()


def torment(cloud: Cloud, options: argparse.Namespace, stack: ExitStack) -> int:
    server = stack.enter_context(mariadb.running(DURABLE)) if options.database == "mariadb" else None
    if server:
        cloud.environment["DATABASE_URL"] = server.url()
    cloud.up("--web", "2")
    stack.callback(cloud.down)
    told = cloud.told()
    verdict(cloud, "--faults").check_returncode()
    tenants = [tenant(told, number, options.seed) for number in range(options.clients)]
    stop = threading.Event()
    threads = [threading.Thread(target=each.run, args=(stop,)) for each in tenants]
    for thread in threads:
        thread.start()
    killed = kill_at_random(cloud, server, options)
    stop.set()
    for thread in threads:
        thread.join()
    wrong = report(killed, tenants)
    return judge(cloud) or bool(wrong)


def tenant(told: dict, number: int, seed: int) -> Tenant:
    user = told["users"][number % len(told["users"])]
    return Tenant(Client(told["api"], user["apikey"], user["secretkey"]), seed + number)


def kill_at_random(cloud: Cloud, server: mariadb.MariaDB | None, options: argparse.Namespace) -> Counter[str]:
    dice, killed = random.Random(options.seed), Counter()
    victims = [*VICTIMS, "mariadb"] if server else list(VICTIMS)
    while killed.total() < options.rounds:
        time.sleep(dice.uniform(0, 2 * options.pause))
        victim = dice.choice(victims)
        if victim == "mariadb" and server:
            server.kill()
            time.sleep(dice.uniform(0, 1))
            server.start()
        elif not kill(cloud, victim, dice):
            continue
        killed[victim] += 1
        if killed.total() % 20 == 0:
            print(f"chaos: {killed.total()} killed", flush=True)
    return killed


def kill(cloud: Cloud, name: str, dice: random.Random) -> bool:
    if cloud.process.poll() is not None:
        raise RuntimeError(f"the supervisor is gone: {cloud.process.stdout.read()}")
    pids = sorted(cloud.tree().get(name, ()))
    try:
        os.kill(dice.choice(pids), signal.SIGKILL) if pids else None
    except ProcessLookupError:
        return False
    return bool(pids)


def report(killed: Counter[str], tenants: list[Tenant]) -> int:
    """How many calls ended in a way that no document knows."""
    seen = sum((each.seen for each in tenants), Counter())
    print(f"chaos: killed {dict(killed)}; calls ended {dict(seen)}", flush=True)
    for text, times in Counter(line for each in tenants for line in each.wrong).most_common(10):
        print(f"chaos: undocumented, {times} times: {text}")
    return sum(len(each.wrong) for each in tenants)


def judge(cloud: Cloud) -> int:
    """Start the tree anew, let its leases end, and look until nothing is under way any more."""
    cloud.down()
    verdict(cloud, "--hurry").check_returncode()
    cloud.up("--web", "2")
    end = time.monotonic() + AFTER
    while verdict(cloud).returncode and time.monotonic() < end:
        time.sleep(2)
    said = verdict(cloud, "--audit")
    if said.returncode:
        print(f"chaos: what is left\n{said.stdout}{said.stderr[-3000:]}")
    else:
        print("chaos: every job has ended, nothing is left, the audit finds nothing")
    return said.returncode


def verdict(cloud: Cloud, *words: str) -> subprocess.CompletedProcess[str]:
    settings = {"DJANGO_SETTINGS_MODULE": "cloudportal.settings", "PYTHONPATH": str(CODE)}
    ours = {**Installation(cloud.folder).environment(), **cloud.environment}
    return subprocess.run(
        [sys.executable, "-m", "tests.chaos.verdict", *words],
        env=os.environ | ours | settings,
        text=True,
        capture_output=True,
    )


if __name__ == "__main__":
    sys.exit(main())
