"""Pages of events out of many, as root, domain administrator and user, and what writing one costs.

python -m bench.events --rows 1000000     on an empty database that DATABASE_URL names
"""

import argparse
import time
from typing import Any

import django

django.setup()

from django.core.cache import cache  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from apps.accounts.models import Account  # noqa: E402
from apps.accounts.tenants import caller_for  # noqa: E402
from apps.core import ports  # noqa: E402
from apps.core.dispatch import call  # noqa: E402
from apps.events import services  # noqa: E402
from apps.events.models import Event  # noqa: E402
from bench import fill  # noqa: E402
from bench.measure import table, times  # noqa: E402
from bench.world import World  # noqa: E402

ACCOUNTS = 1_000  # and a twentieth of all events are those of u0
PAGE: dict[str, Any] = {"page": 1, "pagesize": 500}
ASKED = (
    ("all", {"listall": True}),
    ("own", {}),
    ("type", {"listall": True, "type": "VM.STOP"}),
    ("errors", {"listall": True, "level": "ERROR"}),
    ("none of a type", {"listall": True, "type": "NO.SUCH"}),
    ("the last hour", {"listall": True, "startdate": ""}),
    ("page 1000", {"listall": True, "page": 1000}),
)
HEAD = ("asked", "caller", "count", "first ms", "p50 ms", "p95 ms")


def tenants() -> None:
    fill.numbers()
    world = World(ACCOUNTS * 40)
    world.admin = Account.all_tenants.select_related("domain", "role").get(name="admin")
    world.tenants()


def events(rows: int) -> None:
    """Rows as commands write them, with ids, kinds, levels and owners spread."""
    owner = Account.all_tenants.select_related("domain").get(name="u0")
    first = Event.all_tenants.create(
        kind="VM.START",
        state="Completed",
        owner=owner,
        domain_path=owner.domain.path,
        resource_kind="VirtualMachine",
        resource_name="a-machine",
        text="Successfully completed startVirtualMachine of instance 12345678-1234-4234-8234-123456789012",
    )
    pick = f"{owner.pk} + CASE WHEN x.n % 20 = 0 THEN 0 ELSE x.n % {ACCOUNTS} END"
    columns = {
        "kind": "CASE x.n % 50 WHEN 0 THEN 'VM.STOP' WHEN 1 THEN 'VOLUME.CREATE' ELSE 'VM.START' END",
        "level": "CASE WHEN x.n % 100 = 0 THEN 'ERROR' ELSE 'INFO' END",
        "owner_id": "a.id",
        "domain_path": "d.path",
        "resource_uuid": fill.new_uuid(),
    }
    joined = f"JOIN accounts_account a ON a.id = {pick} JOIN domains_domain d ON d.id = a.domain_id"
    fill.clone(first, rows, columns, source=joined)
    fill.analyze(Event)


def measured(label: str, given: dict[str, Any], who: str, caller: Any) -> tuple[Any, ...]:
    given = PAGE | given
    if given.get("startdate") == "":
        given["startdate"] = time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime(time.time() - 3600))
    cache.clear()
    begun = time.perf_counter()
    count = call(caller, "listEvents", **given).get("count", 0)
    first = (time.perf_counter() - begun) * 1000
    return label, who, count, first, *times(lambda: call(caller, "listEvents", **given), turns=7)


def writing(caller: Any) -> list[tuple[Any, ...]]:
    sink = ports.events.one()
    started = sink.begun("VM.START", caller, None, "startVirtualMachine", created=True)
    return [
        ("one event", *times(lambda: sink.done("VM.START", caller, None, "done"), turns=201)),
        ("a chain", *times(lambda: sink.begun("VM.START", caller, None, "it", created=True), turns=201)),
        ("a further step", *times(lambda: sink.went_on(started, "Started"), turns=201)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--reuse", action="store_true")
    given = parser.parse_args()
    if not given.reuse:
        call_command("migrate", verbosity=0)
        call_command("seed")
        tenants()
        begun = time.perf_counter()
        events(given.rows)
        print(f"{given.rows} rows in {time.perf_counter() - begun:.0f} s")
    accounts = Account.all_tenants.select_related("domain", "role")
    callers = {who: caller_for(accounts.get(name=name)) for who, name in World.CALLERS.items()}
    rows = [measured(label, asked, who, caller) for label, asked in ASKED for who, caller in callers.items()]
    table(f"listEvents, {given.rows} rows, {connection.vendor}", HEAD, rows)
    table("writing", ("what", "p50 ms", "p95 ms"), writing(callers["user"]))
    begun = time.perf_counter()
    services._purge(Event, 3650)
    print(f"a purge that finds nothing: {(time.perf_counter() - begun) * 1000:.1f} ms")


if __name__ == "__main__":
    main()
