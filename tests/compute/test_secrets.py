"""Passwords and private data of machines: told once to whom they are for, and lying in clear nowhere."""

import base64
import logging

import pytest
from django.apps import apps
from django.db import models

from apps.core import dispatch, secret
from apps.core.errors import CloudError
from apps.hypervisors.errors import Refused
from apps.jobs import runner
from apps.jobs.models import Job
from tests.conftest import answer

CANARY = "Canary-7f3a"


def texts():
    """Every text and document in the database, with the column it lies in."""
    kinds = models.CharField | models.TextField | models.JSONField
    for model in (model for model in apps.get_models() if not model._meta.proxy):
        columns = [field.name for field in model._meta.fields if isinstance(field, kinds)]
        for row in model._base_manager.values(*columns) if columns else ():
            for name, value in row.items():
                yield f"{model._meta.label}.{name}", str(value)


def in_clear():
    return [place for place, text in texts() if CANARY in text]


@pytest.fixture
def template(world):
    return world.make.template(world.alice.account, password_enabled=True)


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.DEBUG)
    return caplog


def test_the_password_of_a_deployment_lies_nowhere_in_clear(world, template, log):
    got = world.submit("deployVirtualMachine", **world.order(templateid=template, password=CANARY))
    assert in_clear() == []
    runner.drain()

    assert answer(got["jobid"])["virtualmachine"]["password"] == CANARY
    assert in_clear() == []
    assert CANARY not in log.text


def test_a_deployment_that_fails_does_not_tell_the_password(world, template, log):
    world.fail("power.start", Refused("no room"), times=99)
    with pytest.raises(CloudError) as error:
        world.deploy(templateid=template, password=CANARY)

    assert (CANARY in str(error.value), in_clear(), CANARY in log.text) == (False, [], False)


def test_a_password_that_is_reset_lies_nowhere_in_clear(world, template, log):
    vm = world.deploy(templateid=template, startvm=False)

    told = world.do("resetPasswordForVirtualMachine", id=vm.uuid, password=CANARY)["virtualmachine"]["password"]

    assert (told, in_clear(), CANARY in log.text) == (CANARY, [], False)
    assert secret.unseal(world.read(vm).password) == CANARY


def test_only_the_one_whose_job_it_was_reads_the_password_there(world, make, template):
    got = world.submit("deployVirtualMachine", **world.order(templateid=template, password=CANARY))
    runner.drain()
    bob = make.caller("bob", make.domain("b", make.domain()))

    with pytest.raises(CloudError) as error:
        dispatch.call(bob, "queryAsyncJobResult", jobid=got["jobid"])

    assert error.value.code == 531
    assert CANARY not in str(world.do("listVirtualMachines"))
    assert CANARY not in str(world.do("listVirtualMachines", world.root, listall=True))


def test_user_data_is_read_by_the_owner_and_told_by_no_list_event_or_log(world, make, log):
    data = base64.b64encode(CANARY.encode()).decode()
    vm = world.deploy(userdata=data)
    bob = make.caller("bob", make.domain("b", make.domain()))

    places = {place for place, text in texts() if data in text}
    assert places == {"machines.VirtualMachine.user_data"}
    assert data not in str(world.do("listVirtualMachines"))
    assert data not in log.text
    assert world.do("getVirtualMachineUserData", virtualmachineid=vm.uuid)["virtualmachineuserdata"]["userdata"] == data
    with pytest.raises(CloudError) as error:
        world.do("getVirtualMachineUserData", bob, virtualmachineid=vm.uuid)
    assert error.value.code == 531


def test_the_answer_of_a_job_that_tells_a_secret_is_sealed(world, template):
    world.do("deployVirtualMachine", **world.order(templateid=template, password=CANARY))

    job = Job.objects.get()

    assert job.result.startswith(Job.SEALED)
    assert secret.unseal(job.params["password"]) == CANARY
