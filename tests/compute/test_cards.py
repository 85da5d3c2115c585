"""Network cards of machines that exist, running or down; and the images in their drives."""

import pytest

from apps.compute.services import networking
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.firewall.services import nat
from apps.infrastructure.models import Zone
from apps.machines.models import Nic, VirtualMachine
from apps.network.models import Network, RangeAddress
from apps.network.services import public
from tests.compute.world import check, unready
from tests.conftest import unknown

NOT_YOURS = "Caller does not have permission to operate with provided resource."
BOTH = pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])


@pytest.fixture
def net(world):
    return world.isolated()


def cards(vm):
    rows = Nic.all_tenants.filter(vm=vm).order_by("device_id")
    return list(rows.values_list("device_id", "network__name", "is_default"))


def refused(world, command, vm, text, code=431, caller=None, **params):
    """And nothing changes."""
    before, calls = (cards(vm), world.read(vm).iso_id), list(world.cloud.calls)

    with pytest.raises(CloudError, match=f"^{text}$") as error:
        world.do(command, caller, **{"virtualmachineid": vm.uuid, **params})

    assert error.value.code == code
    assert ((cards(vm), world.read(vm).iso_id), world.cloud.calls) == (before, calls)
    check(world)


def add(world, vm, network, caller=None, **more):
    return world.do("addNicToVirtualMachine", caller, virtualmachineid=vm.uuid, networkid=network.uuid, **more)


@BOTH
def test_a_card_is_added_made_the_default_and_removed(world, net, running):
    vm = world.deploy(startvm=running)

    answer = add(world, vm, net, ipaddress="10.1.1.50", macaddress="02:00:00:00:00:07")["virtualmachine"]

    told = [(nic["networkname"], nic["isdefault"], nic["deviceid"]) for nic in answer["nic"]]
    assert told == [("shared", True, "0"), ("net", False, "1")]
    second = Nic.all_tenants.get(vm=vm, network=net)
    assert (second.ip, second.mac) == ("10.1.1.50", "02:00:00:00:00:07")
    assert Network.all_tenants.get(pk=net.pk).state == ("Implemented" if running else "Allocated")
    check(world)

    generation = Network.all_tenants.get(pk=net.pk).generation
    params = {"virtualmachineid": vm.uuid, "nicid": second.uuid}
    answer = world.do("updateDefaultNicForVirtualMachine", **params)["virtualmachine"]
    assert (answer["ipaddress"], cards(vm)) == ("10.1.1.50", [(0, "shared", False), (1, "net", True)])
    assert Network.all_tenants.get(pk=net.pk).generation == generation + 1
    check(world)

    first = Nic.all_tenants.get(vm=vm, network=world.shared)
    world.do("removeNicFromVirtualMachine", virtualmachineid=vm.uuid, nicid=first.uuid)
    assert cards(vm) == [(1, "net", True)]
    assert not RangeAddress.objects.filter(range__network=world.shared).exclude(taken_by="").exists()
    check(world)

    add(world, vm, world.shared)
    assert cards(vm) == [(0, "shared", False), (1, "net", True)]
    check(world)


@BOTH
def test_cards_that_cannot_be_are_refused(world, net, make, running):
    vm = world.deploy(startvm=running, name="web")
    world.deploy(networkids=net, ipaddress="10.1.1.50", name="web")
    foreign = world.isolated(make.account("bob", make.domain()), name="bobs")
    (far := Zone(name="far", allocation_state="Enabled")).save()
    elsewhere = world.isolated(name="elsewhere")
    Network.all_tenants.filter(pk=elsewhere.pk).update(zone=far)
    other = world.isolated(name="other")
    world.deploy(networkids=other, ipaddress="10.1.1.50", macaddress="02:00:00:00:00:01")

    command = "addNicToVirtualMachine"
    text = f"networkid: instance {vm.uuid} has a card in network shared already"
    refused(world, command, vm, text, networkid=world.shared.uuid)
    text = "name: there is an instance named web in one of its networks already"
    refused(world, command, vm, text, networkid=net.uuid)
    refused(world, command, vm, NOT_YOURS, 531, networkid=foreign.uuid)
    refused(world, command, vm, "networkids?: network elsewhere is in another zone", networkid=elsewhere.uuid)
    refused(world, command, vm, ".*10.1.1.50.*", 533, networkid=other.uuid, ipaddress="10.1.1.50")
    text = "macaddress: there is a card 02:00:00:00:00:01 in network other already"
    refused(world, command, vm, text, networkid=other.uuid, macaddress="02:00:00:00:00:01")
    refused(world, command, vm, "ipaddress: x is no IPv4 address", networkid=other.uuid, ipaddress="x")
    refused(world, command, vm, ".*Invalid parameter networkid.*", networkid=unknown())


def test_a_machine_has_sixteen_cards_at_most(world, monkeypatch):
    monkeypatch.setattr(networking, "MOST", 2)
    vm = world.deploy(networkids=[world.shared, world.isolated(name="a")], startvm=False)

    text = f"virtualmachineid: instance {vm.uuid} has 2 cards; more are not possible"
    refused(world, "addNicToVirtualMachine", vm, text, networkid=world.isolated(name="b").uuid)
    with pytest.raises(CloudError, match="^networkids: an instance has 2 network cards at most$"):
        world.submit("deployVirtualMachine", **world.order(networkids=[world.shared, *Network.all_tenants.all()[1:3]]))


@BOTH
def test_the_default_card_and_one_that_rules_lead_to_stay(world, net, running):
    vm = world.deploy(networkids=[world.shared, net], startvm=running)
    first, second = Nic.all_tenants.filter(vm=vm).order_by("device_id")
    other = world.deploy(networkids=[world.shared, net], startvm=False)
    _source, address = (public.acquire(owner=vm.owner, zone=vm.zone, network=net) for _ in range(2))
    nat.enable_static_nat(address=address, vm=vm)

    command = "removeNicFromVirtualMachine"
    text = f"nicid: {first.uuid} is the default card; make another one the default first"
    refused(world, command, vm, text, nicid=first.uuid)
    text = "nicid: rules of network net lead to this card; delete them first"
    refused(world, command, vm, text, 536, nicid=second.uuid)
    text = f"nicid: network card {second.uuid} is not of instance {other.uuid}"
    refused(world, command, other, text, nicid=second.uuid)
    refused(world, "updateDefaultNicForVirtualMachine", other, text, nicid=second.uuid)
    text = f"nicid: {first.uuid} is the default card already"
    refused(world, "updateDefaultNicForVirtualMachine", vm, text, nicid=first.uuid)

    nat.disable_static_nat(address=address)
    world.do(command, virtualmachineid=vm.uuid, nicid=second.uuid)
    assert cards(vm) == [(0, "shared", True)]


def test_a_machine_that_was_put_aside_keeps_its_cards(world, net, vm):
    world.do("destroyVirtualMachine", id=vm.uuid)
    nic = Nic.all_tenants.get(vm=vm)

    text = f"virtualmachineid: instance {vm.uuid} is Destroyed"
    refused(world, "addNicToVirtualMachine", vm, text, networkid=net.uuid)
    refused(world, "removeNicFromVirtualMachine", vm, text, nicid=nic.uuid)
    refused(world, "updateDefaultNicForVirtualMachine", vm, text, nicid=nic.uuid)


# --- another address


def test_a_card_of_a_stopped_machine_gets_another_address(world, net):
    vm = world.deploy(networkids=net, startvm=False, ipaddress="10.1.1.50")
    nic = Nic.all_tenants.get(vm=vm)

    answer = world.do("updateVmNicIp", nicid=nic.uuid, ipaddress="10.1.1.60")["virtualmachine"]
    assert answer["ipaddress"] == "10.1.1.60"
    check(world)
    world.do("updateVmNicIp", nicid=nic.uuid)

    after = Nic.all_tenants.get(pk=nic.pk)
    assert (after.ip in ("10.1.1.50", "10.1.1.60"), after.mac) == (False, nic.mac)
    assert RangeAddress.objects.exclude(taken_by="").filter(range__network=net).count() == 1
    check(world)


def test_addresses_of_running_machines_and_those_of_rules_stay(world, net):
    vm, down = world.deploy(networkids=net), world.deploy(networkids=net, startvm=False)
    nic, free = Nic.all_tenants.get(vm=vm), Nic.all_tenants.get(vm=down)
    address = public.acquire(owner=vm.owner, zone=vm.zone, network=net)

    def update(vm, text, code=431, **params):
        with pytest.raises(CloudError, match=f"^{text}$") as error:
            world.do("updateVmNicIp", **params)
        assert (error.value.code, Nic.all_tenants.get(vm=vm).ip) == (code, {vm: nic.ip, down: free.ip}[vm])

    text = f"nicid: instance {vm.uuid} is Running: stop it before changing an address of it"
    update(vm, text, nicid=nic.uuid)
    update(down, f"ipaddress: the card has {free.ip} already", nicid=free.uuid, ipaddress=free.ip)
    update(down, ".*is not free.*", 533, nicid=free.uuid, ipaddress=nic.ip)
    update(down, "ipaddress: .*10.1.1.1 .*", nicid=free.uuid, ipaddress="10.1.1.1")
    nat.enable_static_nat(address=address, vm=down)
    update(down, "nicid: rules of network net lead to this card; delete them first", 536, nicid=free.uuid)
    check(world)


# --- images in the drive


@BOTH
def test_an_image_is_put_into_the_drive_and_taken_out(world, running):
    vm, image = world.deploy(startvm=running), world.iso()

    answer = world.do("attachIso", virtualmachineid=vm.uuid, id=image.uuid)["virtualmachine"]
    assert (answer["isoid"], answer["isoname"]) == (str(image.uuid), "rescue")
    assert world.cloud.isos == ({str(vm.uuid): str(image.uuid)} if running else {})
    check(world)
    if not running:
        world.do("startVirtualMachine", id=vm.uuid)
        check(world)
    assert [row["id"] for row in world.do("listVirtualMachines", isoid=image.uuid)["virtualmachine"]] == [str(vm.uuid)]

    answer = world.do("detachIso", virtualmachineid=vm.uuid)["virtualmachine"]
    assert ("isoid" in answer, world.cloud.isos) == (False, {})
    check(world)


@BOTH
def test_images_that_cannot_be_there_are_refused(world, make, running):
    vm, image = world.deploy(startvm=running), world.iso()
    foreign = make.template(make.account("bob", make.domain()), is_iso=True)
    creating = unready(make, world.alice.account, "Creating", is_iso=True)

    refused(world, "attachIso", vm, "id: debian is no ISO", id=world.template.uuid)
    refused(world, "attachIso", vm, NOT_YOURS, 531, id=foreign.uuid)
    text = "id: ISO raw is not ready in the zone of the instance"
    refused(world, "attachIso", vm, text, id=creating.uuid)
    refused(world, "detachIso", vm, f"virtualmachineid: instance {vm.uuid} has no ISO in its drive")
    world.do("attachIso", virtualmachineid=vm.uuid, id=image.uuid)
    text = f"virtualmachineid: instance {vm.uuid} has an ISO in its drive; detach it first"
    refused(world, "attachIso", vm, text, id=world.iso().uuid)
    other = world.iso()
    refused(world, "detachIso", vm, f"id: ISO rescue is not in the drive of instance {vm.uuid}", id=other.uuid)


def test_an_image_in_a_drive_and_a_template_of_a_disk_to_be_made_are_not_deleted(world, vm):
    image = world.iso()
    world.do("attachIso", virtualmachineid=vm.uuid, id=image.uuid)
    waiting = world.deploy(startvm=False)

    text = "id: rescue is in the drive of 1 instance"
    with pytest.raises(CloudError, match=f"^{text}$") as error:
        world.do("deleteIso", id=image.uuid)
    assert error.value.code == 536
    text = "id: debian is what the root disk of 1 instance will be made from"
    with pytest.raises(CloudError, match=f"^{text}$"):
        world.do("deleteTemplate", id=world.template.uuid)

    world.do("detachIso", virtualmachineid=vm.uuid)
    world.do("startVirtualMachine", id=waiting.uuid)
    world.do("deleteIso", id=image.uuid)
    world.do("deleteTemplate", id=world.template.uuid)
    check(world)


# --- who


def test_machines_and_cards_of_others_are_531(world, make, net):
    vm = world.deploy(networkids=[world.shared, net])
    nic, image = Nic.all_tenants.get(vm=vm, network=net), world.iso()
    far = make.domain("b", make.domain())
    admin = make.caller("dora", make.domain(), kind=Kind.DOMAIN_ADMIN)
    commands = {
        "addNicToVirtualMachine": {"networkid": world.shared.uuid},
        "removeNicFromVirtualMachine": {"nicid": nic.uuid},
        "updateDefaultNicForVirtualMachine": {"nicid": nic.uuid},
        "attachIso": {"id": image.uuid},
        "detachIso": {},
    }

    for caller in (make.caller("bob", far), make.caller("ada", far, kind=Kind.DOMAIN_ADMIN)):
        for command, params in commands.items():
            refused(world, command, vm, NOT_YOURS, 531, caller, **params)
        with pytest.raises(CloudError) as error:
            world.do("updateVmNicIp", caller, nicid=nic.uuid)
        assert error.value.code == 531
    world.do("updateDefaultNicForVirtualMachine", admin, virtualmachineid=vm.uuid, nicid=nic.uuid)
    assert VirtualMachine.all_tenants.get(pk=vm.pk).nics.get(is_default=True, removed=None) == nic


def test_cards_are_listed_of_one_machine(world, make, net):
    vm = world.deploy(networkids=[world.shared, net])
    world.deploy()
    first, second = Nic.all_tenants.filter(vm=vm).order_by("device_id")
    bob = make.caller("bob", make.domain("b", make.domain()))

    listed = world.do("listNics", virtualmachineid=vm.uuid)
    assert [nic["id"] for nic in listed["nic"]] == [str(first.uuid), str(second.uuid)]
    assert listed["count"] == 2
    found = world.do("listNics", virtualmachineid=vm.uuid, networkid=net.uuid)["nic"]
    assert [nic["id"] for nic in found] == [str(second.uuid)]
    vlan = Network.all_tenants.get(pk=net.pk).vlan
    assert found[0] == {
        "id": str(second.uuid),
        "deviceid": "1",
        "enabled": True,
        "isdefault": False,
        "macaddress": second.mac,
        "ipaddress": second.ip,
        "netmask": "255.255.255.0",
        "gateway": "10.1.1.1",
        "networkid": str(net.uuid),
        "networkname": "net",
        "traffictype": "Guest",
        "type": "Isolated",
        "broadcasturi": f"vlan://{vlan}",
        "isolationuri": f"vlan://{vlan}",
        "secondaryip": [],
        "extradhcpoption": [],
        "virtualmachineid": str(vm.uuid),
    }
    assert len(world.do("listNics", virtualmachineid=vm.uuid, nicid=first.uuid)["nic"]) == 1
    assert world.do("listNics", bob, virtualmachineid=vm.uuid) == {}
    with pytest.raises(CloudError, match="missing parameter virtualmachineid"):
        world.do("listNics")
