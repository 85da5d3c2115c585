"""Calls that no client should make, many of them: each gets a documented error, nothing is half made by one."""

import json
import os
import random

import pytest
from django.apps import apps
from django.db import connection

from apps.accounts.models import Account
from apps.accounts.tenants import caller_for
from apps.core import audit, dispatch
from apps.core.callers import Kind
from apps.core.commands import REGISTRY
from apps.core.errors import CloudError
from apps.core.seeds import sow
from apps.events.models import Event
from apps.infrastructure import drivers
from apps.jobs import runner
from apps.jobs.models import Job
from apps.simulator.driver import connect
from tests import factories
from tests.fuzz.values import Values

CALLS = int(os.environ.get("FUZZ_CALLS", "10000"))
SEED = int(os.environ.get("FUZZ_SEED", "2026"))
SLICES = 10
DOCUMENTED = {401, 405, 429, 430, 431, 432, 503, 531, 533, 534, 535, 536, 537}
BEYOND = {"removeRawUsageRecords"}  # none yet: commands that may not be called at random


def row_counts():
    """One statement, however many tables there are. That something was tried and failed is told, and is no change."""
    tables = sorted(m._meta.db_table for m in apps.get_models() if not m._meta.proxy and m is not Event)
    sql = " union all ".join(f"select '{table}', count(*) from {connection.ops.quote_name(table)}" for table in tables)
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return dict(cursor.fetchall())


@pytest.fixture
def world(make, monkeypatch):
    """Rows of every kind of two tenants and the system, on simulated hosts."""
    monkeypatch.setitem(drivers.DRIVERS, "Fake", connect)
    sow()
    root, top = caller_for(Account.all_tenants.get(name="admin")), make.domain()
    mine, far = make.domain("mine", top), make.domain("far", top)
    callers = [root, make.caller("admin-of-mine", mine, kind=Kind.DOMAIN_ADMIN, type=2), make.caller("user", mine)]
    owners = [caller.account for caller in callers] + [make.account("stranger", far)]
    rows = {}
    for label, function in factories.rows().items():
        rows[label] = [str(getattr(function(make, owner), "uuid", "1")) for owner in owners]
    return callers, rows


@pytest.mark.parametrize("part", range(SLICES))
def test_every_call_gets_a_documented_answer(db, world, part):
    chance, (callers, rows) = random.Random(SEED + part), world
    values, names = Values(chance, rows), sorted(REGISTRY.keys() - BEYOND)
    for _ in range(CALLS // SLICES):
        caller, spec = chance.choice(callers), REGISTRY[chance.choice(names)]
        one_call(caller_for(caller.account), spec, values.params(spec))

    assert {subject: lines for subject, lines in audit.findings().items() if lines} == {}


def one_call(caller, spec, params):
    before = row_counts()
    said = f"{caller.account.name} {spec.name} {json.dumps(params)[:2000]}"
    answer, refusal = asked(caller, spec, params, said)
    if refusal:
        assert refusal.code in DOCUMENTED, f"{said}: {refusal.code} {refusal}"
        assert str(refusal), said
    if refusal or not spec.cls.changes:
        assert row_counts() == before, said
    elif "jobid" in answer:
        worked_off(said, answer["jobid"])


def asked(caller, spec, params, said):
    try:
        return dispatch.call(caller, spec.name, **params), None
    except CloudError as error:
        return {}, error
    except Exception as error:
        raise AssertionError(said) from error


def worked_off(said, jobid):
    runner.drain()
    job = Job.objects.get(uuid=jobid)
    if job.status == Job.Status.FAILED:
        assert job.result_code in DOCUMENTED, f"{said}: {job.result[:500]}"
