"""Pages of the portal with many rows in the database: the time that the server needs, as root, domain administrator and
user, by the wall and by the processor; and how many queries.

python -m bench.portal --rows 25000     on an empty database that DATABASE_URL names
"""

import argparse
import time
from statistics import median, quantiles
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from apps.accounts.models import Account, User  # noqa: E402
from apps.accounts.services import sign_on  # noqa: E402
from apps.infrastructure.models import Host  # noqa: E402
from apps.machines.models import VirtualMachine  # noqa: E402
from apps.portal.gate import COOKIE  # noqa: E402
from bench.measure import table  # noqa: E402
from bench.world import World  # noqa: E402

HEAD = ("page", "caller", "status", "bytes", "queries", "p50 ms", "p95 ms", "cpu ms")
PAGES = (
    "/",
    "/machines",
    "/machines?page=100",
    "/machines?keyword=vm-77",
    "/machines?state=Running",
    "/machines?panel=filters",
    "/volumes",
    "/networks",
    "/addresses",
    "/key-pairs",
    "/events",
    "/jobs",
    "/limits",
    "/machines/new/1",
    "/do/createVolume",
    "/search?q=vm-7",
    "/search?q=nothinglikeit",
    "/templates",
    "/security-groups",
)
OF_OPERATORS = (
    "/zones",
    "/hosts",
    "/hosts?state=Up",
    "/primary-storage",
    "/system-machines",
    "/routers",
    "/compute-offerings",
    "/domains",
    "/accounts",
    "/accounts?page=10",
    "/users",
    "/roles",
    "/settings",
    "/alerts",
    "/zones/new/1",
)
TURNS = 21


def browser(account: Account) -> Client:
    user = User.all_tenants.filter(account=account).first()
    if user is None:
        (user := User(login=f"{account.domain_id}:{account.name}", username=account.name, account=account)).save()
    client = Client()
    client.cookies[COOKIE] = sign_on.open_session(user).cookie
    return client


def measured(page: str, who: str, client: Client) -> tuple[Any, ...]:
    for _ in range(2):
        answer = client.get(page)
    queries: list[str] = []
    with connection.execute_wrapper(lambda run, sql, *rest: queries.append(sql) or run(sql, *rest)):
        client.get(page)
    wall, cpu = [], []
    for _ in range(TURNS):
        begun, busy = time.perf_counter(), time.process_time()
        client.get(page)
        wall.append((time.perf_counter() - begun) * 1000)
        cpu.append((time.process_time() - busy) * 1000)
    p95 = quantiles(wall, n=20)[-1]
    return page, who, answer.status_code, len(answer.content), len(queries), median(wall), p95, median(cpu)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--reuse", action="store_true")
    given = parser.parse_args()
    if not given.reuse:
        call_command("migrate", verbosity=0)
        call_command("seed")
        World(given.rows).fill()
    accounts = Account.all_tenants.select_related("domain", "role")
    rows = []
    for who, name in World.CALLERS.items():
        account = accounts.get(name=name)
        client = browser(account)
        machine = VirtualMachine.all_tenants.filter(owner=account).first()
        host = Host.all_tenants.exclude(machines=None).first() if who == "root" else None
        of_host = (f"/hosts/{host.uuid}", f"/hosts/{host.uuid}?elsewhere=1") if host else ()
        own = (f"/machines/{machine.uuid}", f"/do/destroyVirtualMachine?id={machine.uuid}") if machine else ()
        more = OF_OPERATORS if who == "root" else ()
        rows += [measured(page, who, client) for page in (*PAGES, *more, *of_host, *own)]
    table(f"Pages, {given.rows} machines, {connection.vendor}", HEAD, rows)


if __name__ == "__main__":
    main()
