"""What changes about a machine that exists: names, sizes, secrets, details."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from apps.accounts.services import key_pairs
from apps.compute.services import changes
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.core.models import Detail
from apps.firewall.models import Member
from apps.firewall.services import security_groups
from apps.images.models import OsType
from apps.limits.models import Counter
from apps.limits.services import set_limit
from apps.machines.models import VirtualMachine
from apps.network.models import Network
from apps.offerings.models import ServiceOffering
from tests.compute.world import check
from tests.conftest import unknown

COLUMNS = [field.name for field in VirtualMachine._meta.fields if field.name != "updated"]


@pytest.fixture
def down(world):
    return world.deploy(name="down", startvm=False)


def as_it_is(world, vm):
    row = VirtualMachine.all_tenants.filter(pk=vm.pk).values(*COLUMNS).get()
    details = list(Detail.objects.filter(row_id=vm.pk).order_by("pk").values_list("name", "value"))
    return row, details, dict(Counter.objects.filter(used__gt=0).values_list("kind", "used"))


def refused(world, command, vm, text, code=431, caller=None, **params):
    """And nothing changes."""
    before = as_it_is(world, vm)

    with pytest.raises(CloudError, match=f"^{text}$") as error:
        world.do(command, caller, **{"id": vm.uuid, **params})

    assert error.value.code == code
    assert as_it_is(world, vm) == before
    check(world)


# --- updateVirtualMachine


def test_what_is_said_about_a_machine_is_changed(world, vm):
    (kind := OsType(name="Debian 12", category=world.make.row("images.OsCategory", None))).save()

    answer = world.do(
        "updateVirtualMachine",
        id=vm.uuid,
        displayname="The web",
        haenable=True,
        ostypeid=kind.uuid,
        group="front",
        userdata="aGk=",
        details=[{"color": "green"}],
    )["virtualmachine"]

    said = {name: answer[name] for name in ("displayname", "haenable", "osdisplayname", "group", "details", "name")}
    assert said == {
        "displayname": "The web",
        "haenable": True,
        "osdisplayname": "Debian 12",
        "group": "front",
        "details": {"color": "green"},
        "name": "web",
    }
    assert world.read(vm).user_data == "aGk="
    check(world)


def test_a_new_name_is_known_to_the_name_servers_and_unique(world):
    net = world.isolated()
    vm, other = world.deploy(name="web", networkids=net), world.deploy(name="db", networkids=net)
    generation = Network.all_tenants.get(pk=net.pk).generation

    world.do("updateVirtualMachine", id=vm.uuid, name="front")

    assert Network.all_tenants.get(pk=net.pk).generation == generation + 1
    text = "name: there is an instance named Front in one of its networks already"
    refused(world, "updateVirtualMachine", other, text, name="Front", displayname="x")
    assert world.do("updateVirtualMachine", id=vm.uuid, name="FRONT")["virtualmachine"]["name"] == "FRONT"


def test_details_are_replaced_or_removed_and_the_operators_stay(world, vm):
    world.do("updateVirtualMachine", world.root, id=vm.uuid, details=[{"rootDiskController": "scsi", "a": "1"}])

    world.do("updateVirtualMachine", id=vm.uuid, details=[{"b": "2"}])
    found = dict(Detail.objects.filter(row_id=vm.pk).values_list("name", "value"))
    assert found == {"rootDiskController": "scsi", "b": "2"}

    world.do("updateVirtualMachine", id=vm.uuid, cleanupdetails=True)
    assert list(Detail.objects.filter(row_id=vm.pk).values_list("name", flat=True)) == ["rootDiskController"]
    text = "cleanupdetails and details cannot be given together"
    refused(world, "updateVirtualMachine", vm, text, cleanupdetails=True, details=[{"b": "2"}])
    text = "details: rootDiskController is set by the system or its administrators"
    refused(world, "updateVirtualMachine", vm, text, details=[{"rootDiskController": "ide"}])
    world.do("updateVirtualMachine", world.root, id=vm.uuid, cleanupdetails=True)
    assert not Detail.objects.filter(row_id=vm.pk).exists()


def test_a_machine_is_hidden_by_root_only(world, vm):
    world.do("updateVirtualMachine", id=vm.uuid, displayvm=False)
    assert world.read(vm).is_displayed

    world.do("updateVirtualMachine", world.root, id=vm.uuid, displayvm=False)

    assert world.do("listVirtualMachines", id=vm.uuid) == {}
    assert world.do("listVirtualMachines", world.root, id=vm.uuid)["virtualmachine"][0]["displayvm"] is False


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"userdata": "#"}, "userdata: this is not base64"),
        ({"isdynamicallyscalable": True}, "isdynamicallyscalable: offering small does not allow it"),
    ],
)
def test_what_cannot_be_so_is_refused(world, vm, params, text):
    refused(world, "updateVirtualMachine", vm, text, displayname="x", group="g", **params)


def test_security_groups_change_while_the_machine_is_down(world, down, vm):
    offering = world.shared.offering
    offering.services = {"SecurityGroup": ["SecurityGroupProvider"]}
    offering.save(update_fields=["services"])
    front = security_groups.create(owner=world.alice.account, name="front")

    world.do("updateVirtualMachine", id=down.uuid, securitygroupids=front)
    assert Member.objects.get(vm=down).group == front
    world.do("updateVirtualMachine", id=down.uuid, securitygroupnames="")
    assert Member.objects.get(vm=down).group.name == "default"

    text = f"id: instance {vm.uuid} is Running: stop it before changing its security groups"
    refused(world, "updateVirtualMachine", vm, text, securitygroupids=front)


# --- another offering


def sized(name="other", **kw):
    (row := ServiceOffering(name=name, **kw)).save()
    return row


CHANGE = pytest.mark.parametrize("command", ["changeServiceForVirtualMachine", "scaleVirtualMachine"])


@CHANGE
def test_another_offering_counts_what_it_gives_up_and_down(world, down, command):
    big = sized(cpus=4, memory_mib=2048, speed_mhz=900, offer_ha=True)

    answer = world.do(command, id=down.uuid, serviceofferingid=big.uuid)["virtualmachine"]

    assert (answer["cpunumber"], answer["memory"], answer["cpuspeed"], answer["haenable"]) == (4, 2048, 900, True)
    assert answer["serviceofferingname"] == "other"
    used = dict(Counter.objects.filter(account=down.owner).values_list("kind", "used"))
    assert (used["cpu"], used["memory"]) == (4, 2048)
    check(world)
    world.do(command, id=down.uuid, serviceofferingid=world.small.uuid)
    used = dict(Counter.objects.filter(account=down.owner).values_list("kind", "used"))
    assert (used["cpu"], used["memory"]) == (1, 512)
    check(world)
    world.do("startVirtualMachine", id=down.uuid)
    check(world)


@CHANGE
@pytest.mark.parametrize("kind", ["cpu", "memory"])
def test_a_limit_refuses_the_larger_offering_and_leaves_the_smaller(world, down, command, kind):
    set_limit(kind="cpu", limit=1 if kind == "cpu" else 10, account=down.owner)
    set_limit(kind="memory", limit=512 if kind == "memory" else 10_000, account=down.owner)
    big = sized(cpus=4, memory_mib=2048)

    text = f"Maximum amount of resources of Type = '{kind}'.*"
    refused(world, command, down, text, 535, serviceofferingid=big.uuid)


@CHANGE
def test_an_offering_that_does_not_fit_is_refused(world, down, command):
    local, custom = sized("local", storage_type="local"), sized("custom", cpus=None, max_cpus=2, customized=True)
    cases = {
        world.small: f"serviceofferingid: instance {down.uuid} has offering small already",
        sized("gone", state="Inactive"): "serviceofferingid: offering gone is Inactive",
        sized("system", is_system=True): "serviceofferingid: system is for machines of the system",
        local: "serviceofferingid: offering local is for another kind of primary storage",
        custom: "details: offering custom leaves cpuNumber to you; say it",
    }
    for offering, text in cases.items():
        refused(world, command, down, text, serviceofferingid=offering.uuid)
    text = "details: offering custom has a cpuNumber of from 1 to 2, not 3"
    refused(world, command, down, text, serviceofferingid=custom.uuid, details=[{"cpuNumber": 3}])
    assert world.do(command, id=down.uuid, serviceofferingid=custom.uuid, details=[{"cpuNumber": 2}])
    assert world.do(command, id=down.uuid, serviceofferingid=custom.uuid, details=[{"cpuNumber": 1}])


def test_a_running_machine_keeps_its_offering(world, vm):
    other = sized(cpus=2)

    text = f"id: instance {vm.uuid} is Running: stop it before changing its offering"
    refused(world, "changeServiceForVirtualMachine", vm, text, serviceofferingid=other.uuid)
    text = f"id: instance {vm.uuid} runs, and no hypervisor here changes its size then: stop it first"
    refused(world, "scaleVirtualMachine", vm, text, serviceofferingid=other.uuid)


def test_a_machine_that_began_to_start_meanwhile_keeps_its_offering(world, down):
    """The row that the command read is older than the start."""
    stale = world.read(down)
    world.do("startVirtualMachine", id=down.uuid)

    with pytest.raises(CloudError, match="is Running: stop it before") as error:
        changes.change_offering(vm=stale, offering=sized(cpus=4), given={})

    assert (error.value.code, world.read(down).cpus) == (431, 1)
    check(world)


# --- keys, user data


def test_keys_are_replaced_while_the_machine_is_down(world, down, vm):
    one, _ = key_pairs.create(owner=world.alice.account, name="one")
    key_pairs.create(owner=world.alice.account, name="two")

    answer = world.do("resetSSHKeyForVirtualMachine", id=down.uuid, keypair="one")["virtualmachine"]
    assert answer["keypairs"] == "one"
    answer = world.do("resetSSHKeyForVirtualMachine", id=down.uuid, keypairs="two,one")["virtualmachine"]
    assert answer["keypairs"] == "two,one"
    key = Detail.objects.get(row_id=down.pk, name="SSH.PublicKey").value
    assert key.splitlines()[1] == one.public_key

    command = "resetSSHKeyForVirtualMachine"
    refused(world, command, down, "keypairs: there is no key pair three", keypair="three")
    refused(world, command, down, "keypair: say which key pair the instance shall have")
    text = f"id: instance {vm.uuid} is Running: stop it before changing its SSH keys"
    refused(world, command, vm, text, keypair="one")


def test_user_data_is_replaced_by_root_while_the_machine_is_down(world, down, vm):
    world.do("resetUserDataForVirtualMachine", world.root, id=down.uuid, userdata="aGk=")
    assert world.read(down).user_data == "aGk="
    world.do("resetUserDataForVirtualMachine", world.root, id=down.uuid)
    assert world.read(down).user_data == ""

    text = f"id: instance {vm.uuid} is Running: stop it before changing its user data"
    refused(world, "resetUserDataForVirtualMachine", vm, text, caller=world.root, userdata="aGk=")


# --- passwords


def password_template(world):
    return world.make.template(world.alice.account, password_enabled=True)


def test_the_password_is_told_by_the_deployment_that_starts_it_and_by_nothing_after(world):
    order = world.order(templateid=password_template(world))
    told = world.do("deployVirtualMachine", **order)["virtualmachine"]

    assert (len(told["password"]), told["passwordenabled"]) == (6, True)
    assert "password" not in world.do("listVirtualMachines")["virtualmachine"][0]
    world.do("stopVirtualMachine", id=told["id"])
    assert "password" not in world.do("startVirtualMachine", id=told["id"])["virtualmachine"]


def test_the_password_that_was_chosen_is_told(world):
    order = world.order(templateid=password_template(world), password="Chosen-1")

    answer = world.do("deployVirtualMachine", **order)["virtualmachine"]

    assert (answer["password"], answer["state"]) == ("Chosen-1", "Running")


def test_of_a_machine_that_was_not_started_the_first_start_tells_it(world):
    order = world.order(templateid=password_template(world), startvm=False)
    told = world.do("deployVirtualMachine", **order)["virtualmachine"]
    assert "password" not in told

    assert len(world.do("startVirtualMachine", id=told["id"])["virtualmachine"]["password"]) == 6

    world.do("stopVirtualMachine", id=told["id"])
    assert "password" not in world.do("startVirtualMachine", id=told["id"])["virtualmachine"]


def test_a_password_is_reset_while_the_machine_is_down_and_told_once(world):
    vm = world.deploy(templateid=password_template(world), startvm=False)

    chosen = world.do("resetPasswordForVirtualMachine", id=vm.uuid, password="Chosen-2")["virtualmachine"]["password"]
    made = world.do("resetPasswordForVirtualMachine", id=vm.uuid)["virtualmachine"]["password"]

    assert (chosen, len(made)) == ("Chosen-2", 6)
    assert "password" not in world.do("startVirtualMachine", id=vm.uuid)["virtualmachine"]
    text = f"id: instance {vm.uuid} is Running: stop it before resetting its password"
    refused(world, "resetPasswordForVirtualMachine", vm, text)


def test_templates_without_passwords_take_none(world, down):
    with pytest.raises(CloudError, match="^password: template debian does not take passwords$"):
        world.submit("deployVirtualMachine", **world.order(password="x"))
    text = f"id: the template of instance {down.uuid} does not take passwords"
    refused(world, "resetPasswordForVirtualMachine", down, text)


def test_who_has_the_key_of_the_machine_reads_its_password(world):
    _, pem = key_pairs.create(owner=world.alice.account, name="mine")
    template = password_template(world)
    vm = world.deploy(templateid=template, keypair="mine", password="Chosen-3")

    got = world.do("getVMPassword", id=vm.uuid)["password"]["encryptedpassword"]

    private = load_pem_private_key(pem.encode(), None)
    assert private.decrypt(base64.b64decode(got), PKCS1v15()) == b"Chosen-3"


ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7vLkX5hQy0c0kqfJ8JwT0mUqWkcJm2i4pVqS0s8h3k"
BROKEN = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ=="


@pytest.mark.parametrize("key", [ED25519, BROKEN], ids=["ed25519", "broken"])
def test_a_key_that_encrypts_nothing_is_refused(world, key):
    key_pairs.register(owner=world.alice.account, name="mine", public_key=key)
    vm = world.deploy(templateid=password_template(world), keypair="mine")

    text = f"id: the SSH key of instance {vm.uuid} is no RSA key and encrypts nothing"
    refused(world, "getVMPassword", vm, text)


def test_without_password_or_key_there_is_nothing_to_encrypt(world, vm):
    text = f"id: instance {vm.uuid} has no password, or no SSH key to encrypt it with"

    refused(world, "getVMPassword", vm, text)
    other = world.deploy(templateid=password_template(world))
    refused(world, "getVMPassword", other, text.replace(str(vm.uuid), str(other.uuid)))


# --- who


COMMANDS = {
    "updateVirtualMachine": {"displayname": "x"},
    "changeServiceForVirtualMachine": {},
    "scaleVirtualMachine": {},
    "resetPasswordForVirtualMachine": {},
    "resetSSHKeyForVirtualMachine": {"keypair": "x"},
    "getVMPassword": {},
}


@pytest.mark.parametrize("command", COMMANDS)
def test_machines_of_others_are_531_and_unknown_ones_431(world, make, down, command):
    offering = {"serviceofferingid": sized().uuid} if "ervice" in command or "scale" in command else {}
    other = make.caller("ada", make.domain("b", make.domain()), kind=Kind.DOMAIN_ADMIN)

    text = "Caller does not have permission to operate with provided resource."
    refused(world, command, down, text, 531, other, **COMMANDS[command], **offering)
    refused(world, command, down, ".*Invalid parameter id.*", 431, other, **COMMANDS[command], **offering, id=unknown())
