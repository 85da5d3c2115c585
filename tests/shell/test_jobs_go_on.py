"""Losing a process costs seconds, never a job."""

import os
import signal
import time

import pytest

from tests.chaos.client import Client
from tests.clouds import until

PERSON = {"email": "d@example.com", "firstname": "d", "lastname": "d", "password": "secret", "accounttype": 0}


@pytest.fixture
def root(cloud):
    told = cloud.told()
    return Client(told["api"], told["users"][0]["apikey"], told["users"][0]["secretkey"])


def account(root, name):
    return root.call("createAccount", username=name, account=name, **PERSON)["account"]["id"]


def test_a_job_is_done_at_once_while_all_are_well(cloud, root):
    until(lambda: len(cloud.tree().get("job", ())) == 2)
    first, second = account(root, "first"), account(root, "second")
    root.wait(root.call("deleteAccount", id=first)["jobid"])

    begun = time.monotonic()
    root.wait(root.call("deleteAccount", id=second)["jobid"])

    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("victim", ["valkey", "worker", "scheduler", "web"])
def test_a_job_ends_seconds_after_a_process_was_killed(cloud, root, victim):
    until(lambda: len(cloud.tree().get("job", ())) == 2)
    doomed = account(root, f"killed-{victim}")
    os.kill(min(cloud.tree()[victim]), signal.SIGKILL)

    begun = time.monotonic()
    root.wait(root.call("deleteAccount", id=doomed)["jobid"])

    assert time.monotonic() - begun < 15
    assert root.call("listAccounts", name=f"killed-{victim}", listall="true") == {}
