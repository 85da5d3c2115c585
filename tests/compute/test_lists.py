"""What listVirtualMachines finds, and what it tells whom."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.services import key_pairs
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.firewall.services import nat
from apps.infrastructure.models import Cluster, Host
from apps.machines.models import VirtualMachine
from apps.network.services import public
from apps.storage.models import StoragePool, Volume
from tests.conftest import unknown

WORDS = "all, group, nics, stats, secgrp, tmpl, servoff, diskoff, backoff, iso, volume, min, affgrp, vnfnics"


@pytest.fixture
def one(world):
    """A machine that differs from the others in all that can be asked for."""
    mine = world.make.template(world.alice.account, name="own", arch="aarch64")
    key_pairs.create(owner=world.alice.account, name="pair")
    offering = world.make.offering(offer_ha=True)
    vm = world.deploy(
        name="one",
        displayname="The One",
        templateid=mine,
        serviceofferingid=offering,
        networkids=world.isolated(),
        group="front",
        keypair="pair",
    )
    world.do("attachIso", id=world.iso().uuid, virtualmachineid=vm.uuid)
    return vm


@pytest.fixture
def other(world):
    return world.deploy(name="two", startvm=False)


def found(world, caller=None, **params):
    return [vm["name"] for vm in world.do("listVirtualMachines", caller, **params).get("virtualmachine", [])]


FILTERS = {
    "id": lambda vm: vm.uuid,
    "ids": lambda vm: [vm.uuid],
    "name": lambda vm: "ONE ",
    "state": lambda vm: "running",
    "haenable": lambda vm: True,
    "arch": lambda vm: "aarch64",
    "templateid": lambda vm: vm.template.uuid,
    "serviceofferingid": lambda vm: vm.offering.uuid,
    "isoid": lambda vm: vm.iso.uuid,
    "groupid": lambda vm: vm.group_member.group.uuid,
    "networkid": lambda vm: vm.nics.get().network.uuid,
    "keypair": lambda vm: "pair",
    "forvirtualnetwork": lambda vm: True,
    "keyword": lambda vm: "the o",
}


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_finds_the_one_that_is_meant(world, one, other, name):
    assert found(world) == ["one", "two"]

    assert found(world, **{name: FILTERS[name](world.read(one))}) == ["one"]


def test_filters_by_zone_hypervisor_and_creator_find_all_of_them(world, make, one, other):
    user = make.row("accounts.User", world.alice.account)
    VirtualMachine.all_tenants.update(creator=user)

    for params in ({"zoneid": world.zone.uuid}, {"hypervisor": "fake"}, {"userid": user.uuid}):
        assert found(world, **params) == ["one", "two"]
    assert found(world, hypervisor="KVM") == []
    assert found(world, forvirtualnetwork=False) == ["two"]
    assert found(world, haenable=False) == ["two"]


def test_filters_of_root_by_place(world, make, one, other):
    pod = make.row("infrastructure.Pod", None)
    cluster = Cluster.all_tenants.create(zone=world.zone, pod=pod, name="c", hypervisor="Fake")
    pool = StoragePool.all_tenants.create(zone=world.zone, cluster=cluster, name="p")
    Host.all_tenants.filter(pk=one.host_id).update(pod=pod, cluster=cluster)
    Volume.all_tenants.filter(pk=world.root_disk(one).pk).kernel_update(pool=pool)

    for name, row in (("hostid", one.host), ("clusterid", cluster), ("podid", pod), ("storageid", pool)):
        assert found(world, world.root, listall=True, **{name: row.uuid}) == ["one"]
        assert found(world, **{name: row.uuid}) == ["one", "two"]  # dropped for others


def test_keywords_look_at_names_addresses_and_the_state(world, one, other):
    for word, names in (("TWO", ["two"]), ("10.1.1.", ["one"]), ("stopped", ["two"]), ("stop", []), ("e", ["one"])):
        assert found(world, keyword=word) == names


def test_a_key_pair_among_several_is_found_by_its_whole_name(world):
    for name in ("a", "ab", "b"):
        key_pairs.create(owner=world.alice.account, name=name)
    world.deploy(name="one", keypairs="a,ab,b", startvm=False)
    world.deploy(name="two", keypairs="ab", startvm=False)

    wanted = {"a": ["one"], "ab": ["one", "two"], "b": ["one"], "c": []}
    assert {name: found(world, keypair=name) for name in wanted} == wanted


def test_tags_find_machines(world, one, other):
    tags = [{"key": "env", "value": "prod"}]
    world.do("createTags", resourceids=one.uuid, resourcetype="UserVm", tags=tags)

    assert found(world, tags=tags) == ["one"]
    shown = world.do("listVirtualMachines", id=one.uuid)["virtualmachine"][0]["tags"]
    assert [(tag["key"], tag["value"], tag["resourceid"]) for tag in shown] == [("env", "prod", str(one.uuid))]


def test_machines_that_were_put_aside_are_seen_by_administrators_and_by_whom_a_setting_lets(world, make, one, other):
    admin = make.caller("dora", make.domain(), kind=Kind.DOMAIN_ADMIN)
    world.do("destroyVirtualMachine", id=other.uuid)

    assert found(world) == ["one"]
    assert found(world, state="Destroyed") == []
    assert found(world, id=other.uuid) == []
    for caller in (world.root, admin):
        assert found(world, caller, listall=True) == ["one", "two"]
        assert found(world, caller, listall=True, state="Destroyed") == ["two"]
        assert found(world, caller, listall=True, state="present") == ["one"]
    world.setting("allow.user.view.destroyed.vm", "true", world.alice.account)
    assert found(world) == ["one", "two"]
    assert found(world, state="Present") == ["one"]


def test_hidden_machines_are_roots(world, make, one, other):
    admin = make.caller("dora", make.domain(), kind=Kind.DOMAIN_ADMIN)
    VirtualMachine.all_tenants.filter(pk=other.pk).update(is_displayed=False)

    assert (found(world), found(world, admin, listall=True)) == (["one"], ["one"])
    assert found(world, displayvm=False) == ["one"]  # dropped
    assert found(world, world.root, listall=True) == ["one", "two"]
    assert found(world, world.root, listall=True, displayvm=False) == ["two"]


def test_the_scope_is_that_of_all_lists(world, make, one):
    bob = make.caller("bob", make.domain("b", make.domain()))
    admin = make.caller("ada", make.domain("b"), kind=Kind.DOMAIN_ADMIN)
    top = make.caller("tom", make.domain(), kind=Kind.DOMAIN_ADMIN)

    assert found(world, world.root) == []
    assert found(world, world.root, id=one.uuid) == ["one"]
    for caller in (bob, admin):
        assert found(world, caller, listall=True) == []
        assert found(world, caller, id=one.uuid) == []
        assert found(world, caller, ids=[one.uuid]) == []
        assert found(world, caller, listall=True, networkid=one.nics.get().network.uuid) == []
    assert found(world, top, listall=True) == ["one"]
    assert found(world, top, account="alice", domainid=make.domain().uuid) == ["one"]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"id": unknown()}, ".*Invalid parameter id.*"),
        ({"zoneid": "x"}, ".*Invalid parameter zoneid.*"),
        ({"id": unknown(), "ids": unknown()}, ".*Invalid parameter ids?.*"),
        (
            {"details": "bogus"},
            re.escape(f"The details parameter contains a non permitted value. The allowed values are [{WORDS}]"),
        ),
    ],
)
def test_what_cannot_be_asked_is_431(world, params, text):
    with pytest.raises(CloudError, match=f"^{text}$") as error:
        world.do("listVirtualMachines", **params)

    assert error.value.code == 431


def test_a_tenant_is_told_all_but_the_places(world, one):
    _source, address = (
        public.acquire(owner=one.owner, zone=one.zone, network=one.nics.get().network) for _ in range(2)
    )
    nat.enable_static_nat(address=address, vm=one)

    told = world.do("listVirtualMachines", id=one.uuid)["virtualmachine"][0]

    one = world.read(one)
    nic = one.nics.get()
    said = {name: told[name] for name in told if name not in ("created", "lastupdated", "nic", "readonlydetails")}
    assert said == {
        "id": str(one.uuid),
        "name": "one",
        "displayname": "The One",
        "account": "alice",
        "domainid": str(one.owner.domain.uuid),
        "domain": "ROOT",
        "domainpath": "ROOT",
        "state": "Running",
        "haenable": True,
        "group": "front",
        "groupid": str(one.group_member.group.uuid),
        "zoneid": str(one.zone.uuid),
        "zonename": "z1",
        "hostcontrolstate": "Enabled",
        "templateid": str(one.template.uuid),
        "templatename": "own",
        "templatedisplaytext": "",
        "templateformat": "VHD",
        "templatetype": "USER",
        "passwordenabled": False,
        "arch": "aarch64",
        "isoid": str(one.iso.uuid),
        "isoname": "rescue",
        "isodisplaytext": "",
        "isomaxcount": 1,
        "serviceofferingid": str(one.offering.uuid),
        "serviceofferingname": "small",
        "cpunumber": 1,
        "cpuspeed": 500,
        "memory": 512,
        "rootdeviceid": 0,
        "rootdevicetype": "ROOT",
        "pooltype": "NetworkFilesystem",
        "securitygroup": [],
        "hypervisor": "Fake",
        "ipaddress": nic.ip,
        "publicip": address.ip,
        "publicipid": str(address.uuid),
        "forvirtualnetwork": True,
        "details": {},
        "keypairs": "pair",
        "affinitygroup": [],
        "isdynamicallyscalable": False,
        "deleteprotection": False,
        "vmtype": "UserVm",
        "tags": [],
        "hasannotations": False,
    }
    assert [(card["id"], card["ipaddress"], card["isdefault"]) for card in told["nic"]] == [
        (str(nic.uuid), nic.ip, True)
    ]
    whole = world.do("listVirtualMachines", world.root, id=one.uuid)["virtualmachine"][0]
    places = {"hostid", "hostname", "instancename", "displayvm"}
    assert whole.keys() - told.keys() == places
    assert (whole["hostname"], whole["instancename"]) == (one.host.name, f"i-{one.owner_id}-{one.pk}-VM")


def test_details_say_less(world, one):
    told = world.do("listVirtualMachines", id=one.uuid, details="min")["virtualmachine"][0]
    some = world.do("listVirtualMachines", id=one.uuid, details="nics,tmpl")["virtualmachine"][0]

    left_out = {"nic", "ipaddress", "templatename", "serviceofferingname", "group", "isoname", "rootdevicetype"}
    left_out |= {"securitygroup", "affinitygroup"}
    assert told.keys() & left_out == set()
    assert some.keys() & left_out == {"nic", "ipaddress", "templatename"}
    assert told["name"] == "one"


@pytest.mark.parametrize(
    ("status", "resource", "said"),
    [("Up", "Enabled", "Enabled"), ("Up", "Maintenance", "Maintenance"), ("Down", "Enabled", "Offline")],
)
def test_whether_a_machine_can_be_controlled_is_what_its_host_says(world, one, other, status, resource, said):
    Host.all_tenants.filter(pk=one.host_id).kernel_update(status=status, resource_state=resource)

    told = {vm["name"]: vm.get("hostcontrolstate") for vm in world.do("listVirtualMachines")["virtualmachine"]}

    assert told == {"one": said, "two": None}


def test_cards_are_looked_at_only_for_what_can_be_in_an_address(world, one):
    asked = {}
    for word in ("web", "10.1"):
        with CaptureQueriesContext(connection) as queries:
            found(world, keyword=word)
        asked[word] = [query["sql"] for query in queries if "10.1" in query["sql"] or "web" in query["sql"]]

    assert ["machines_nic" in sql for sql in asked["web"]] == [False]
    assert ["machines_nic" in sql for sql in asked["10.1"]] == [True]
