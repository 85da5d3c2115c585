"""Calls that no client should make, many of them: each gets a documented error, nothing is half made by one."""

import json
import os
import random

import pytest
from django.apps import apps
from django.db import connection

from apps.accounts.tenants import caller_for
from apps.core import audit, dispatch
from apps.core.commands import REGISTRY
from apps.core.errors import CloudError
from apps.events.models import Event
from apps.jobs import runner
from apps.jobs.models import Job
from tests.fuzz.values import Values
from tests.fuzz.world import build

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
    callers, rows = build(make, monkeypatch)
    assert wrong() == {}
    return callers, rows


def wrong():
    return {subject: lines for subject, lines in audit.findings().items() if lines}


@pytest.mark.parametrize("part", range(SLICES))
def test_every_call_gets_a_documented_answer(db, world, part):
    chance, (callers, rows) = random.Random(SEED + part), world
    values, names = Values(chance, rows), sorted(REGISTRY.keys() - BEYOND)
    for _ in range(CALLS // SLICES):
        spec = REGISTRY[chance.choice(names)]
        caller = chance.choice([c for c in callers if c.kind & spec.roles] * 4 + callers)
        one_call(caller_for(caller.account), spec, values.params(spec))

    assert wrong() == {}


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
