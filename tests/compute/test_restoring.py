"""A fresh root disk: what is new, what stays, what is refused before anything is touched."""

import pytest

from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.hypervisors.errors import Unknown
from apps.limits.models import Counter
from apps.limits.services import set_limit
from apps.machines.models import Nic
from apps.storage.models import Volume
from tests.compute.world import GIB, check, settle, unready

BOTH = pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])


def restore(world, vm, caller=None, **more):
    return world.do("restoreVirtualMachine", caller, **{"virtualmachineid": vm.uuid, **more})


def refused(world, vm, text, code=431, caller=None, **more):
    """And nothing changes: a running machine still runs."""
    before, calls = (world.read(vm).state, world.root_disk(vm), world.read(vm).template), list(world.cloud.calls)

    with pytest.raises(CloudError, match=f"^{text}$") as error:
        restore(world, vm, caller, **more)

    assert error.value.code == code
    assert (world.read(vm).state, world.root_disk(vm), world.read(vm).template) == before
    assert world.cloud.calls == calls
    check(world)


@BOTH
def test_the_root_disk_is_new_and_the_rest_stays(world, running):
    vm = world.deploy(name="web", startvm=running, diskofferingid=world.disk_offering(5))
    old, data, ip = world.root_disk(vm), world.data_disk(vm), Nic.all_tenants.get(vm=vm).ip
    used = dict(Counter.objects.filter(used__gt=0).values_list("kind", "used"))

    answer = restore(world, vm)["virtualmachine"]

    assert (answer["state"], answer["ipaddress"]) == ("Running" if running else "Stopped", ip)
    new = world.root_disk(vm)
    assert (new.pk == old.pk, new.size, new.name, world.data_disk(vm)) == (False, old.size, old.name, data)
    assert Volume.including_removed.get(pk=old.pk).state == "Expunged"
    assert dict(Counter.objects.filter(used__gt=0).values_list("kind", "used")) == used
    check(world)


@BOTH
def test_from_another_template_and_larger(world, make, running):
    vm, other = world.deploy(startvm=running), make.template(world.alice.account, name="ubuntu", size_bytes=3 * GIB)

    answer = restore(world, vm, templateid=other.uuid)["virtualmachine"]
    assert (answer["templatename"], world.root_disk(vm).size // GIB) == ("ubuntu", 3)
    restore(world, vm, rootdisksize=9)
    assert world.root_disk(vm).size // GIB == 9
    assert Counter.objects.get(account=vm.owner, kind="primary_storage").used == 9 * GIB
    check(world)


def test_what_forbids_it_is_said_before_the_machine_is_stopped(world, make, vm):
    alice = world.alice.account
    kvm = make.template(alice, hypervisor="KVM")
    foreign = make.template(make.account("bob", make.domain()))

    refused(world, vm, "templateid: raw is not ready in zone z1 yet", templateid=unready(make, alice, "Creating").uuid)
    text = "templateid: an instance from an ISO stays one, and one from a template too"
    refused(world, vm, text, templateid=world.iso().uuid)
    refused(world, vm, "templateid: template debian is made for KVM", templateid=kvm.uuid)
    refused(world, vm, ".*permission.*", 531, templateid=foreign.uuid)
    refused(world, vm, "rootdisksize: template debian needs 2 GiB or more", rootdisksize=1)
    far = make.domain("b", make.domain())
    refused(world, vm, ".*permission.*", 531, make.caller("ada", far, kind=Kind.DOMAIN_ADMIN))


def test_a_root_disk_whose_size_is_an_open_question_is_not_replaced(world, vm):
    world.cloud.fail("disks.resize", Unknown("timeout"), when="late")
    with pytest.raises(CloudError):
        world.do("resizeVolume", id=world.root_disk(vm).uuid, size=8)

    with pytest.raises(CloudError, match="^virtualmachineid: the root disk of the instance is Resizing$"):
        restore(world, vm)
    assert (world.read(vm).state, world.root_disk(vm).state) == ("Running", "Resizing")
    assert world.cloud.calls[-1].startswith("disks.resize on ")
    world.cloud.land()
    settle()
    check(world)


def test_a_template_that_was_deleted_is_named_again(world, make, vm):
    other = make.template(world.alice.account)
    world.do("deleteTemplate", id=world.template.uuid)

    refused(world, vm, "templateid: debian was deleted; name another template")
    assert restore(world, vm, templateid=other.uuid)["virtualmachine"]["state"] == "Running"


def test_a_limit_refuses_a_larger_root_disk(world, vm):
    set_limit(kind="primary_storage", limit=4 * GIB, account=vm.owner)

    text = "Maximum amount of resources of Type = 'primary_storage'.*"
    refused(world, vm, text, 535, rootdisksize=5)

    assert restore(world, vm, rootdisksize=4)["virtualmachine"]["state"] == "Running"
    check(world)


def test_a_machine_from_an_iso_gets_an_empty_disk(world):
    vm = world.deploy(templateid=world.iso(), diskofferingid=world.disk_offering(5), hypervisor="Fake")

    restore(world, vm)

    assert (world.root_disk(vm).template, world.root_disk(vm).size // GIB) == (None, 5)
    check(world)


def test_a_fresh_system_that_asks_for_a_password_gets_one_that_is_told(world, make, vm):
    other = make.template(world.alice.account, password_enabled=True)

    told = restore(world, vm, templateid=other.uuid)["virtualmachine"]["password"]
    again = restore(world, vm)["virtualmachine"]

    assert (len(told), "password" in again) == (6, False)
    restore(world, vm, templateid=world.template.uuid)
    assert world.read(vm).password == ""
    check(world)
