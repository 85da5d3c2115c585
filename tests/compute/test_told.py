"""What changes about a machine that its router tells it changes the document of its networks."""

import base64

import pytest

from apps.compute.services import changes, passwords
from apps.core import secret
from apps.machines.models import VirtualMachine
from apps.machines.services import nics
from apps.network.models import Network
from apps.network.services import segments


@pytest.fixture
def vm(make, db):
    owner = make.account()
    vm = make.vm(owner, template=make.template(owner, password_enabled=True))
    nics.allocate(vm, make.shared_network(), device_id=0, is_default=True)
    return VirtualMachine.all_tenants.select_related("template", "offering", "owner").get(pk=vm.pk)


def generation():
    return Network.all_tenants.get().generation


@pytest.mark.parametrize(
    "change",
    [
        lambda vm: changes.reset_password(vm=vm, password=None),
        lambda vm: changes.reset_user_data(vm=vm, user_data=base64.b64encode(b"x").decode()),
        lambda vm: changes.update(vm=vm, columns={"user_data": base64.b64encode(b"y").decode()}),
        lambda vm: changes.update(vm=vm, columns={"name": "another"}),
    ],
)
def test_what_a_machine_is_told_makes_a_new_generation(vm, change):
    before = generation()

    change(vm)

    assert generation() == before + 1


def test_what_it_is_not_told_makes_none(vm):
    before = generation()

    changes.update(vm=vm, columns={"display_name": "shown"})

    assert generation() == before


def test_a_password_that_was_fetched_is_forgotten_and_a_new_one_since_then_is_not(vm):
    VirtualMachine.all_tenants.filter(pk=vm.pk).update(password=secret.seal("old"))
    stale = VirtualMachine.all_tenants.get(pk=vm.pk)
    VirtualMachine.all_tenants.filter(pk=vm.pk).update(password=secret.seal("new"))

    passwords.fetched(stale)
    assert secret.unseal(VirtualMachine.all_tenants.get(pk=vm.pk).password) == "new"

    passwords.fetched(VirtualMachine.all_tenants.get(pk=vm.pk))
    assert VirtualMachine.all_tenants.get(pk=vm.pk).password == ""


@pytest.mark.parametrize(
    ("vlan", "isolation", "label"),
    [
        ("", "VLAN", ""),
        ("untagged", "", ""),
        ("101", "", "vlan:101"),
        ("vlan://7", "VLAN", "vlan:7"),
        ("9", "VXLAN", "vxlan:9"),
    ],
)
def test_a_segment_is_called_by_what_keeps_it_apart(make, db, vlan, isolation, label):
    network = make.shared_network()
    network.vlan = vlan
    if isolation:
        network.physical_network = network._meta.get_field("physical_network").related_model(
            zone=network.zone, isolation_methods=isolation
        )

    assert segments.label(network) == label
