"""Losing a process costs seconds, never a job."""

import os
import signal

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


def test_a_job_that_is_told_of_waits_for_no_sweep(cloud, root):
    until(lambda: len(cloud.tree().get("job", ())) == 2)
    first, second = account(root, "first"), account(root, "second")
    root.wait(root.call("deleteAccount", id=first)["jobid"])

    (scheduler,) = cloud.tree()["scheduler"]
    os.kill(scheduler, signal.SIGSTOP)
    root.wait(root.call("deleteAccount", id=second)["jobid"])
    os.kill(scheduler, signal.SIGCONT)

    assert root.call("listAccounts", name="second", listall="true") == {}


@pytest.mark.parametrize("victim", ["valkey", "worker", "scheduler", "web"])
def test_a_job_ends_long_before_its_lease_when_a_process_was_killed(cloud, root, victim):
    until(lambda: len(cloud.tree().get("job", ())) == 2)
    doomed = account(root, f"killed-{victim}")
    os.kill(min(cloud.tree()[victim]), signal.SIGKILL)

    root.wait(root.call("deleteAccount", id=doomed)["jobid"], patience=60)

    assert root.call("listAccounts", name=f"killed-{victim}", listall="true") == {}
