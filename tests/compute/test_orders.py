"""What can be ordered, and what is refused at once and leaves nothing behind."""

import base64
import re

import pytest
from django.apps import apps

from apps.accounts.services import key_pairs
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.core.models import Detail
from apps.firewall.models import Member
from apps.firewall.services import security_groups
from apps.images.models import HypervisorCapabilities
from apps.infrastructure.models import Zone
from apps.limits.services import set_limit
from apps.machines.models import Attachment, Nic, VirtualMachine
from apps.network.models import Network
from apps.offerings.models import ServiceOffering
from apps.storage.models import Volume
from apps.tags import services as tags
from tests.compute.world import GIB, check, unready

KEY, OTHER = (f"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAg{letter}==" for letter in "QA")


def counts():
    """All rows but those of lock rows and counters, which may be made at 0."""
    skipped = ("jobs.Lock", "limits.Counter")
    models = [model for model in apps.get_models() if model._meta.label not in skipped]
    return {model._meta.label: model._base_manager.count() for model in models}


def refused(world, text, code=431, caller=None, **more):
    before = counts()

    with pytest.raises(CloudError, match=f"^{text}$") as error:
        world.submit("deployVirtualMachine", caller, **world.order(**more))

    assert error.value.code == code
    assert counts() == before
    check(world)


def test_a_machine_is_named_after_itself_where_nobody_names_it(world):
    vm = world.deploy()

    assert (vm.name, vm.display_name) == (f"VM-{vm.uuid}", f"VM-{vm.uuid}")
    check(world)


def test_the_name_is_shown_where_there_is_no_other(world):
    one, two = world.deploy(name="web"), world.deploy(name="db", displayname="The database")

    assert (one.display_name, two.display_name) == ("web", "The database")


@pytest.mark.parametrize("name", ["-web", "web-", "we b", "a" * 64, "web.example"])
def test_a_host_name_is_a_label(world, name):
    with pytest.raises(CloudError) as error:
        world.submit("deployVirtualMachine", **world.order(name=name))

    assert error.value.code == 431


def test_names_are_unique_in_a_network_and_not_beyond(world):
    world.deploy(name="web")

    refused(world, "name: there is an instance named WEB in one of its networks already", name="WEB")
    assert world.deploy(name="web", networkids=world.isolated()).state == "Running"


def test_the_name_of_a_machine_that_is_gone_is_free(world):
    vm = world.deploy(name="web")
    world.do("destroyVirtualMachine", id=vm.uuid)
    refused(world, "name: there is an instance named web in one of its networks already", name="web")
    world.do("expungeVirtualMachine", world.root, id=vm.uuid)

    assert world.deploy(name="web").state == "Running"


def test_startvm_false_makes_a_stopped_machine_whose_job_has_it(world):
    vm = world.deploy(startvm=False)

    assert (vm.state, vm.host, world.root_disk(vm).state) == ("Stopped", None, "Allocated")
    assert world.cloud.calls == []
    check(world)


# --- sizes


def custom(**kw):
    (row := ServiceOffering(name="custom", customized=True, **{"cpus": None, "memory_mib": None, **kw})).save()
    return row


def test_the_customer_chooses_what_the_offering_leaves_open(world):
    offering = custom(speed_mhz=None)

    vm = world.deploy(serviceofferingid=offering, details=[{"cpuNumber": 2, "cpuSpeed": 700, "memory": 1024}])

    assert (vm.cpus, vm.speed_mhz, vm.memory_mib) == (2, 700, 1024)
    assert not Detail.objects.filter(row_id=vm.pk, kind="machines.virtualmachine").exists()
    check(world)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "leaves cpuNumber to you; say it"),
        ({"cpuNumber": 2}, "leaves memory to you; say it"),
        ({"cpuNumber": 1, "memory": 512}, "has a cpuNumber of from 2 to 4, not 1"),
        ({"cpuNumber": 5, "memory": 512}, "has a cpuNumber of from 2 to 4, not 5"),
        ({"cpuNumber": 2, "memory": 511}, "has a memory of 512 or more, not 511"),
        ({"cpuNumber": 2, "memory": 512, "cpuSpeed": 900}, "has a fixed cpuSpeed; leave it out"),
    ],
)
def test_sizes_stay_within_the_bounds_of_the_offering(world, given, text):
    offering = custom(min_cpus=2, max_cpus=4, min_memory_mib=512)

    refused(world, f"details: offering custom {text}", serviceofferingid=offering, details=[given])


@pytest.mark.parametrize("value", ["0", "-1", "2.5", "x", "9999999999"])
def test_a_size_is_a_number(world, value):
    refused(
        world,
        f"details: cpuNumber is a positive number, not {value!r}",
        serviceofferingid=custom(),
        details=[{"cpuNumber": value, "memory": 512}],
    )


def test_an_offering_that_is_not_for_it_is_refused(world, make):
    (far := Zone(name="far", allocation_state="Enabled")).save()
    elsewhere, system = make.offering(), make.offering(is_system=True)
    elsewhere.zones.set([far, Zone.all_tenants.create(name="further")])

    refused(world, "serviceofferingid: small is not offered in zone z1", serviceofferingid=elsewhere)
    refused(world, "serviceofferingid: small is for machines of the system", serviceofferingid=system)
    ServiceOffering.all_tenants.filter(pk=world.small.pk).update(state="Inactive")
    refused(world, "serviceofferingid: offering small is Inactive")


# --- templates, ISOs and disks


def test_the_root_disk_is_as_large_as_the_template_or_larger(world, make):
    assert world.root_disk(world.deploy()).size == 2 * GIB
    assert world.root_disk(world.deploy(rootdisksize=7)).size == 7 * GIB
    assert world.root_disk(world.deploy(serviceofferingid=make.offering(root_disk_bytes=9 * GIB))).size == 9 * GIB

    refused(world, "rootdisksize: template debian needs 2 GiB or more", rootdisksize=1)
    refused(
        world,
        "rootdisksize: offering small has a fixed root disk",
        rootdisksize=9,
        serviceofferingid=make.offering(root_disk_bytes=9 * GIB),
    )
    refused(
        world,
        "serviceofferingid: its root disk is too small, template debian needs 2 GiB",
        serviceofferingid=make.offering(root_disk_bytes=GIB),
    )


@pytest.mark.parametrize(
    ("state", "text"),
    [("", "is not in zone z1"), ("Creating", "is not ready in zone z1 yet")],
    ids=["none", "creating"],
)
def test_a_template_that_is_not_ready_is_refused(world, make, state, text):
    refused(world, f"templateid: raw {text}", templateid=unready(make, world.alice.account, state))


def test_templates_that_are_not_for_users_are_refused(world, make):
    system = make.template(world.alice.account, kind="SYSTEM")
    data = world.iso(is_bootable=False)

    refused(world, "templateid: debian is not for instances of users", templateid=system)
    refused(world, "templateid: ISO rescue is not bootable", templateid=data, hypervisor="Simulator")
    refused(world, "templateid: say which template or ISO the instance is made from", templateid=None)
    refused(world, "hypervisor: template debian is made for Simulator", hypervisor="KVM")


def test_a_machine_from_an_iso_has_an_empty_root_disk_of_the_disk_offering(world):
    iso, five = world.iso(), world.disk_offering(5)

    vm = world.deploy(templateid=iso, diskofferingid=five, hypervisor="simulator")

    root = world.root_disk(vm)
    assert (vm.hypervisor, vm.iso, root.size, root.template, root.offering) == ("Simulator", iso, 5 * GIB, None, five)
    assert world.cloud.isos == {str(vm.uuid): str(iso.uuid)}
    check(world)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"hypervisor": None}, "hypervisor: say which hypervisor shall start the ISO"),
        ({"hypervisor": "Abacus"}, "hypervisor: Abacus is none of .*Simulator.*"),
        ({"diskofferingid": None}, "diskofferingid: an instance from an ISO needs a disk offering for its root disk"),
        ({"rootdisksize": 5}, "rootdisksize: the root disk of an instance from an ISO is that of diskofferingid"),
    ],
)
def test_an_order_from_an_iso_says_all_that_it_needs(world, more, text):
    given = {"templateid": world.iso(), "hypervisor": "Simulator", "diskofferingid": world.disk_offering()} | more

    refused(world, text, **given)


def test_data_disks_are_made_and_numbered(world):
    five, open_ = world.disk_offering(5), world.disk_offering(0, customized=True)
    more = [{"diskofferingid": open_.uuid, "size": 3}, {"diskofferingid": five.uuid, "deviceid": 2}]

    vm = world.deploy(diskofferingid=five, datadisksdetails=more)

    held = {a.device_id: a.volume for a in Attachment.objects.filter(vm=vm).select_related("volume")}
    assert {slot: (disk.size // GIB, disk.kind, disk.state) for slot, disk in held.items()} == {
        0: (2, "ROOT", "Ready"),
        1: (5, "DATADISK", "Ready"),
        2: (5, "DATADISK", "Ready"),
        4: (3, "DATADISK", "Ready"),
    }
    assert len({disk.name for disk in held.values()}) == 4
    check(world)


@pytest.mark.parametrize(
    ("record", "text", "code"),
    [
        ({"diskofferingid": "x"}, "datadisksdetails: an entry names a disk offering, and numbers", 431),
        ({"size": 5}, "datadisksdetails: an entry names a disk offering, and numbers", 431),
        ({"deviceid": 3}, "deviceid: a data disk is in slot 1, 2, 4, 5, 6, 7, not 3", 431),
        ({"deviceid": 9}, "deviceid: a data disk is in slot 1, 2, 4, 5, 6, 7, not 9", 431),
        ({"size": 9}, "size: the disk offering 5 GiB has a size of its own; leave size out", 431),
    ],
)
def test_a_data_disk_that_is_ordered_badly_is_refused(world, record, text, code):
    given = record if "size" in record and len(record) == 1 and "size: " not in text else None
    five = world.disk_offering(5)
    record = record if given else {"diskofferingid": five.uuid, **record}

    refused(world, text, code, datadisksdetails=[record])


def test_there_are_not_more_data_disks_than_the_hypervisor_takes(world):
    HypervisorCapabilities(hypervisor="Simulator", max_data_volumes=1).save()
    five = world.disk_offering(5)

    refused(
        world,
        "virtualmachineid: an instance on Simulator has 1 data disks at most",
        diskofferingid=five,
        datadisksdetails=[{"diskofferingid": five.uuid}],
    )
    assert world.deploy(diskofferingid=five).state == "Running"


def test_a_size_without_a_disk_offering_is_refused(world):
    text = "size: is the size of the disk that diskofferingid orders; see rootdisksize"

    refused(world, re.escape(text), size=5)


# --- networks and addresses


def test_networks_come_in_their_order_and_the_first_is_the_default(world):
    other, mine = world.isolated(name="b"), world.isolated(name="a")

    vm = world.deploy(networkids=[mine, world.shared, other])

    cards = list(Nic.all_tenants.filter(vm=vm).order_by("device_id").values_list("network__name", "is_default"))
    assert cards == [("a", True), ("shared", False), ("b", False)]
    check(world)


def test_addresses_are_given_for_the_default_network_or_for_each(world):
    mine = world.isolated()

    one = world.deploy(networkids=[mine, world.shared], ipaddress="10.1.1.77", macaddress="02-00-00-00-00-AA")
    mac = "02:00:00:00:00:01"
    records = [{"networkid": world.shared.uuid, "ip": "10.9.0.50"}, {"networkid": mine.uuid, "mac": mac}]
    two = world.deploy(networkids=None, iptonetworklist=records)

    first, second = (Nic.all_tenants.filter(vm=vm).order_by("device_id") for vm in (one, two))
    assert (first[0].ip, first[0].mac) == ("10.1.1.77", "02:00:00:00:00:aa")
    assert (second[0].ip, second[1].mac, second[0].is_default) == ("10.9.0.50", mac, True)
    check(world)


def test_an_account_without_a_network_gets_one(world):
    world.routed()

    vm = world.deploy(networkids=None, ipaddress="10.1.1.9")
    again = world.deploy(networkids=None)

    network = Network.all_tenants.get(owner=world.alice.account)
    assert (network.name, network.guest_type, network.state) == ("alice-network", "Isolated", "Implemented")
    assert list(Nic.all_tenants.filter(vm__in=(vm, again)).values_list("network", flat=True)) == [network.pk] * 2
    assert Nic.all_tenants.get(vm=vm).ip == "10.1.1.9"
    check(world)


def test_with_several_networks_one_must_be_named(world):
    world.isolated(name="a")
    world.isolated(name="b")

    refused(world, "networkids: the account has several networks in this zone; name one", networkids=None)


ADDRESSES = {
    "no address": ({"ipaddress": "10.9.0"}, "ipaddress: 10.9.0 is no IPv4 address", 431),
    "no MAC": ({"macaddress": "03:00:00:00:00:01"}, "macaddress: 03:00:00:00:00:01 is no MAC address of a card", 431),
    "out of the range": ({"ipaddress": "10.9.0.250"}, "address 10.9.0.250 is not free in these ranges", 533),
    "taken": ({"ipaddress": "10.9.0.2"}, "address 10.9.0.2 is not free in these ranges", 533),
    "MAC taken": (
        {"macaddress": "02:00:00:00:00:01"},
        "macaddress: there is a card 02:00:00:00:00:01 in network shared already",
        431,
    ),
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_addresses_that_are_not_to_be_had_are_refused(world, case):
    params, text, code = ADDRESSES[case]
    world.deploy(ipaddress="10.9.0.2", macaddress="02:00:00:00:00:01")

    refused(world, text, code, **params)


def test_a_mac_address_is_free_again_when_its_machine_is_gone_and_in_other_networks(world):
    mac = "02:00:00:00:00:01"
    vm = world.deploy(macaddress=mac)
    world.deploy(macaddress=mac, networkids=world.isolated())
    world.do("destroyVirtualMachine", world.root, id=vm.uuid, expunge=True)

    assert Nic.all_tenants.get(vm=world.deploy(macaddress=mac)).mac == mac
    check(world)


def test_networks_that_are_not_for_the_machine_are_refused(world, make):
    bob = make.account("bob", make.domain())
    (far := Zone(name="far", allocation_state="Enabled")).save()
    elsewhere, foreign = world.isolated(name="elsewhere"), world.isolated(bob, name="bobs")
    Network.all_tenants.filter(pk=elsewhere.pk).update(zone=far)

    refused(world, "networkids: network elsewhere is in another zone", networkids=elsewhere)
    refused(world, "networkids: a network is named twice", networkids=[world.shared, world.shared])
    refused(world, "Caller does not have permission to operate with provided resource.", 531, networkids=foreign)
    records = [{"networkid": foreign.uuid}]
    text = "Caller does not have permission to operate with provided resource."
    refused(world, text, 531, networkids=None, iptonetworklist=records)
    refused(
        world,
        "iptonetworklist: there is no network x",
        networkids=None,
        iptonetworklist=[{"networkid": "x"}],
    )
    both = "iptonetworklist cannot be given together with networkids, ipaddress or macaddress"
    refused(world, both, iptonetworklist=[{"networkid": world.shared.uuid}])


def test_a_foreign_network_is_refused_to_the_machine_of_another_account(world, make):
    """Root reaches all networks; the account that it acts for does not."""
    bob = make.account("bob", make.domain())
    foreign, template = world.isolated(bob), make.template(world.alice.account, is_public=True)
    order = {"networkids": foreign, "templateid": template, "account": "alice", "domainid": make.domain().uuid}

    refused(world, "networkids: network .* account .* the instance", 531, world.root, **order)


# --- what an administrator may use, and the account he acts for may not


def test_offerings_and_templates_are_those_of_the_owner(world, make):
    own = make.offering(make.domain("elsewhere", make.domain()))
    mine = make.template(world.root.account)
    (disk := world.disk_offering(5)).domains.set([make.domain("elsewhere")])
    alice = {"account": "alice", "domainid": make.domain().uuid}

    for parameter, row in (("serviceofferingid", own), ("templateid", mine), ("diskofferingid", disk)):
        text = f"{parameter}: {row.name} is not for account alice"
        refused(world, text, 531, world.root, **alice, **{parameter: row})
    assert world.deploy(world.root, **alice).owner == world.alice.account


def test_a_disabled_zone_takes_machines_of_administrators_only(world, make):
    Zone.all_tenants.filter(pk=world.zone.pk).update(allocation_state="Disabled")

    refused(world, "zoneid: zone z1 is disabled", 531)
    assert world.deploy(world.root, templateid=make.template(world.root.account)).state == "Running"


def test_a_host_cluster_or_pod_of_another_zone_is_refused_at_once(world, make):
    (far := Zone(name="far", allocation_state="Enabled")).save()
    host = make.host("far")
    type(host).all_tenants.filter(pk=host.pk).update(zone=far)
    order = {"hostid": host, "templateid": make.template(world.root.account)}

    refused(world, "hostid: far is in another zone than the instance", caller=world.root, **order)


def test_parameters_of_administrators_are_dropped_for_others(world):
    vm = world.deploy(hostid="garbage", displayvm=False)

    assert (vm.state, vm.is_displayed) == ("Running", True)


def test_a_dry_run_makes_nothing_not_even_the_network_it_would_need(world):
    world.routed()
    network = {"networkids": None, "dryrun": True}
    before = counts()

    got = world.do("deployVirtualMachine", **world.order(**network))["virtualmachine"]

    assert (got["dryrun"], got["fits"]) == (True, True)
    jobs = {"jobs.Job", "events.Event", "jobs.Schedule"}
    assert {label: n for label, n in counts().items() if n != before[label] and label not in jobs} == {}
    assert world.cloud.calls == []
    check(world)


def test_a_dry_run_says_at_once_what_is_wrong(world):
    refused(world, "rootdisksize: template debian needs 2 GiB or more", dryrun=True, rootdisksize=1)


# --- user data, keys, groups, tags


def test_user_data_is_base64_of_either_alphabet_and_of_a_limited_size(world):
    text = base64.b64encode(b"\xfb\xff#!").decode()
    as_in_urls = text.replace("+", "-").replace("/", "_").rstrip("=")

    plain, other = world.deploy(userdata=text), world.deploy(userdata=as_in_urls)

    assert (plain.user_data, other.user_data) == (text, text)
    assert world.do("getVirtualMachineUserData", virtualmachineid=plain.uuid) == {
        "virtualmachineuserdata": {"virtualmachineid": str(plain.uuid), "userdata": text}
    }
    refused(world, "userdata: this is not base64", userdata="#!/bin/sh")
    world.setting("vm.userdata.max.length", "3")
    refused(world, "userdata: 4 bytes are more than the 3 that are allowed", userdata=text)


def test_key_pairs_are_named_and_must_be_the_owners(world, make):
    alice, bob = world.alice.account, make.account("bob", make.domain())
    key_pairs.register(owner=alice, name="one", public_key=KEY)
    key_pairs.register(owner=alice, name="two", public_key=OTHER)
    key_pairs.register(owner=bob, name="bobs", public_key=KEY)

    vm = world.deploy(keypairs="one,two", keypair="one")

    details = dict(Detail.objects.filter(row_id=vm.pk).values_list("name", "value"))
    assert details["SSH.KeyPairNames"] == "one,two"
    assert details["SSH.PublicKey"].splitlines() == [KEY, OTHER]
    refused(world, "keypairs: there is no key pair bobs", keypair="bobs")


def test_a_group_is_made_when_it_is_named_first(world):
    one, two = world.deploy(group="front"), world.deploy(group="front")

    assert one.group_member.group == two.group_member.group


def test_affinity_groups_are_chosen_by_id_or_by_name(world, make):
    mine = make.row("compute.AffinityGroup", world.alice.account)
    foreign = make.row("compute.AffinityGroup", make.account("bob", make.domain()))

    one, two = world.deploy(affinitygroupids=mine), world.deploy(affinitygroupnames=mine.name)

    assert [vm.affinities.get().group for vm in (one, two)] == [mine, mine]
    refused(world, "affinitygroupnames: there is no affinity group x", affinitygroupnames="x")
    refused(
        world,
        "affinitygroupids and affinitygroupnames cannot be given together",
        affinitygroupids=mine,
        affinitygroupnames=mine.name,
    )
    refused(world, "Caller does not have permission to operate with provided resource.", 531, affinitygroupids=foreign)


def test_details_of_the_operator_are_refused_to_users(world):
    vm = world.deploy(details=[{"color": "green"}], keyboard="de")

    found = dict(Detail.objects.filter(row_id=vm.pk).values_list("name", "value"))
    assert found == {"color": "green", "keyboard": "de"}
    for name in ("rootDiskController", "cpuOvercommitRatio", "ROOTDISKSIZE"):
        text = f"details: {name} is set by the system or its administrators"
        refused(world, text, details=[{name: "x"}])


def test_tags_of_the_template_are_copied_if_that_is_asked(world):
    tags.create(word="Template", rows=[world.template], tags={"os": "debian"})

    one, two = world.deploy(copyimagetags=True), world.deploy()

    assert (dict(one.tag_rows.values_list("key", "value")), two.tag_rows.count()) == ({"os": "debian"}, 0)


def guarded(world):
    """A network with security groups."""
    offering = world.shared.offering
    offering.services = {"SecurityGroup": ["SecurityGroupProvider"]}
    offering.save(update_fields=["services"])


def test_in_a_network_with_security_groups_a_machine_is_in_the_default_one_or_in_those_that_were_named(world):
    guarded(world)
    front = security_groups.create(owner=world.alice.account, name="front")

    one, two, three = (
        world.deploy(),
        world.deploy(securitygroupids=front),
        world.deploy(securitygroupnames="front,default"),
    )

    groups = [set(Member.objects.filter(vm=vm).values_list("group__name", flat=True)) for vm in (one, two, three)]
    assert groups == [{"default"}, {"front"}, {"front", "default"}]
    found = world.do("listVirtualMachines", securitygroupid=front.uuid)["virtualmachine"]
    assert [sorted(group["name"] for group in vm["securitygroup"]) for vm in found] == [["front"], ["default", "front"]]
    check(world)


def test_security_groups_are_refused_where_there_are_none_and_to_others(world, make):
    front = security_groups.create(owner=world.alice.account, name="front")
    foreign = security_groups.create(owner=make.account("bob", make.domain()), name="front")
    refused(world, "securitygroupids: no network of the instance has security groups", securitygroupids=front)
    guarded(world)

    refused(world, "Caller does not have permission to operate with provided resource.", 531, securitygroupids=foreign)
    refused(world, "securitygroupname: account alice has no security group x", securitygroupnames="x")


# --- limits


@pytest.mark.parametrize(
    "kind", ["user_vm", "cpu", "memory", "volume", "primary_storage", "network"], ids=lambda kind: kind
)
def test_a_limit_refuses_the_whole_order(world, kind):
    world.routed()
    set_limit(kind=kind, limit=0, account=world.alice.account)

    refused(world, f"Maximum amount of resources of Type = '{kind}'.*", 535, networkids=None)
    assert not VirtualMachine.all_tenants.exists()
    assert not Volume.all_tenants.exists()


def test_a_limit_of_the_domain_holds_for_machines_that_administrators_make_there(world, make):
    domain = make.domain("a", make.domain())
    bob = make.account("bob", domain)
    set_limit(kind="user_vm", limit=0, domain=domain)
    admin = make.caller("dora", domain, kind=Kind.DOMAIN_ADMIN)
    order = {"account": bob.name, "domainid": domain.uuid, "templateid": make.template(bob)}

    refused(world, "Maximum domain resource limits of Type 'user_vm'.*", 535, admin, **order)


def test_nothing_new_belongs_to_a_disabled_account(world, make):
    type(world.alice.account).all_tenants.filter(pk=world.alice.account.pk).kernel_update(state="disabled")
    order = {"account": "alice", "domainid": make.domain().uuid}

    refused(world, "account alice is disabled: nothing new can belong to it", caller=world.root, **order)
