"""Networks for a domain, and networks that their owners let others use."""

from types import SimpleNamespace

import pytest

from apps.accounts.tenants import caller_for
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.network.models import IpRange, Network, NetworkShare
from apps.network.services import sharing
from tests import centre
from tests.conftest import unknown
from tests.network import scenes

pytestmark = pytest.mark.django_db
SPAN = {"gateway": "10.8.0.1", "netmask": "255.255.255.0", "startip": "10.8.0.10", "endip": "10.8.0.20"}


@pytest.fixture
def tree(make, world):
    """ROOT > mid > low, and side beside mid; a user of each."""
    root = world.root.account.domain
    mid = make.domain("mid", root)
    domains = {"mid": mid, "low": make.domain("low", mid), "side": make.domain("side", root)}
    users = {name: make.caller(f"u-{name}", domain) for name, domain in domains.items()}
    boss = make.caller("boss", mid, kind=Kind.DOMAIN_ADMIN)
    return SimpleNamespace(domains=domains, users=users, boss=boss)


@pytest.fixture
def share(api, world):
    """Make a shared network by the command; its row."""

    def call(**more):
        services = more.pop("services", ("Dhcp", "Dns", "UserData"))
        chosen = centre.offering(services, guest_ip_type="Shared", specify_vlan=True, specify_ip_ranges=True)
        given = {"name": "shared", "vlan": "60", "networkofferingid": chosen.uuid, "zoneid": world.zone.uuid}
        return api(world.root, "createNetwork", **(given | SPAN | more))["network"]

    return call


def sees(api, caller, row, **how):
    return [found["id"] for found in api(caller, "listNetworks", **how).get("network", [])] == [row["id"]]


def test_a_shared_network_is_everybodys_and_has_nothing_to_implement(api, world, tree, share):
    row = share()

    assert {n: row[n] for n in ("state", "type", "acltype", "subdomainaccess", "specifyipranges", "vlan")} == {
        "state": "Setup",
        "type": "Shared",
        "acltype": "Domain",
        "subdomainaccess": True,
        "specifyipranges": True,
        "vlan": "60",
    }
    assert (row["domain"], row["cidr"], "account" in row) == ("ROOT", "10.8.0.0/24", False)
    for caller in (world.alice, *tree.users.values(), tree.boss):
        assert sees(api, caller, row)
        assert sees(api, caller, row, id=row["id"])
        assert not sees(api, caller, row, networkfilter="account")
    assert IpRange.all_tenants.filter(network__uuid=row["id"]).get().addresses.count() == 11


@pytest.mark.parametrize("below", [True, False])
def test_a_network_of_a_domain_is_for_that_domain_and_if_it_says_so_for_those_below(api, world, tree, share, below):
    row = share(domainid=tree.domains["mid"].uuid, acltype="Domain", subdomainaccess=below)
    assert (row["domain"], row["domainpath"]) == ("mid", "ROOT/mid")

    for name, seen in (("mid", True), ("low", below), ("side", False)):
        caller = tree.users[name]
        assert (name, sees(api, caller, row)) == (name, seen)
        assert sees(api, caller, row, id=row["id"]) is seen
        assert sees(api, caller, row, listall=True) is seen
        assert sharing.may_use(Network.all_tenants.get(), caller.account) is seen
    assert not sees(api, world.alice, row)
    assert sees(api, tree.boss, row)


def test_an_administrator_above_sees_what_is_there_for_the_domains_below(api, tree, share):
    row = share(domainid=tree.domains["low"].uuid, acltype="Domain")
    low = tree.domains["low"].uuid

    assert not sees(api, tree.boss, row)
    assert sees(api, tree.boss, row, listall=True)
    assert sees(api, tree.boss, row, domainid=low)
    assert sees(api, tree.boss, row, id=row["id"])
    with pytest.raises(CloudError) as error:
        api(tree.users["side"], "listNetworks", domainid=low)
    assert error.value.code == 531


def test_a_shared_network_of_an_account_is_that_accounts(api, tree, share):
    low = tree.users["low"].account
    row = share(acltype="Account", account=low.name, domainid=low.domain.uuid)

    assert (row["account"], row["acltype"]) == (low.name, "Account")
    assert sees(api, tree.users["low"], row)
    assert not sees(api, tree.users["mid"], row)


def test_who_may_not_use_a_network_does_not_get_a_machine_into_it(make, world, tree, share):
    from apps.compute.services.networking import check

    share(domainid=tree.domains["mid"].uuid, acltype="Domain", subdomainaccess=False)
    network = Network.all_tenants.get()

    check(network, tree.users["mid"].account, world.zone)
    for name in ("low", "side"):
        with pytest.raises(CloudError) as error:
            check(network, tree.users[name].account, world.zone)
        assert error.value.code == 531


def test_tenants_and_domain_administrators_make_no_shared_networks(world, tree, refused):
    chosen = centre.offering(("Dhcp",), guest_ip_type="Shared", specify_vlan=True)
    given = {"name": "n", "vlan": "60", "networkofferingid": chosen.uuid, "zoneid": world.zone.uuid}

    for caller in (world.alice, tree.boss):
        code, said = refused(caller, "createNetwork", **given, **SPAN)
        assert (code, said) == (531, "networkofferingid: shared networks are made by administrators")


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"netmask": ""}, "netmask: the range of a shared network needs it"),
        ({"vlan": ""}, "vlan: the offering asks for one"),
        ({"startip": "10.7.0.1"}, "startip: 10.7.0.1 is not in 10.8.0.0/24"),
        ({"endip": "10.8.0.5"}, "endip: the range ends before it begins"),
        ({"startip": "10.8.0.1"}, "gateway: it is one of the addresses of the range"),
        ({"acltype": "Account"}, "account: a network for an account needs one, with domainid"),
    ],
)
def test_what_is_no_shared_network_is_refused(world, tree, refused, params, text):
    chosen = centre.offering(("Dhcp",), guest_ip_type="Shared", specify_vlan=True)
    given = {"name": "n", "vlan": "60", "networkofferingid": chosen.uuid, "zoneid": world.zone.uuid, **SPAN}
    if "acltype" in params:
        params = params | {"domainid": tree.domains["mid"].uuid}

    assert refused(world.root, "createNetwork", **given | params) == (431, text)


def test_machines_of_all_get_addresses_and_the_router_is_one_of_them(make, monkeypatch):
    w = scenes.world(make, monkeypatch)
    root = make.root().account
    network = centre.shared(w.centre, root)
    vms = [centre.machine(make, owner, network) for owner in (w.alice, make.account("bob"))]
    for vm in vms:
        scenes.start(vm, network)
    from tests.crash import work_off

    work_off()

    network.refresh_from_db()
    (document,) = w.cloud.routers[str(network.uuid)].values()
    assert (network.state, scenes.routers().count()) == ("Setup", 1)
    assert sorted(row["ip"] for row in document["dhcp"]) == ["10.8.0.10", "10.8.0.11"]
    (card,) = w.cloud.cards[str(scenes.routers().get().uuid)].values()
    assert (card.ip, card.segment) == ("10.8.0.12", "vlan:60")
    assert scenes.nothing_wrong()


def test_a_network_without_services_of_a_router_has_none(make, monkeypatch):
    from tests.crash import work_off

    w = scenes.world(make, monkeypatch)
    chosen = centre.offering(("SecurityGroup",), "SecurityGroupProvider", guest_ip_type="Shared")
    network = centre.shared(w.centre, make.root().account, offering=chosen, vlan="")
    vm = centre.machine(make, w.alice, network)
    scenes.start(vm, network)

    work_off()

    vm.refresh_from_db()
    assert (vm.state, scenes.routers().count(), w.cloud.calls) == ("Running", 0, [])


def test_a_shared_network_that_is_full_refuses_and_takes_nothing(make, monkeypatch):
    w = scenes.world(make, monkeypatch)
    network = centre.shared(w.centre, make.root().account, addresses=2)
    for _ in range(2):
        centre.machine(make, w.alice, network)

    with pytest.raises(CloudError) as error:
        centre.machine(make, w.alice, network)

    assert (error.value.code, error.value.tenant) == (533, "There is no free address for this request.")


@pytest.fixture
def lent(make, api, world):
    """A network of alice, and carol of the same domain, who may use it."""
    network = centre.isolated(world.centre, world.owner)
    carol = make.account("carol")
    api(world.alice, "createNetworkPermissions", networkid=network.uuid, accounts="carol")
    return SimpleNamespace(network=network, carol=caller_for(carol))


def test_an_owner_lets_another_account_use_a_network_and_not_change_it(api, world, lent, refused):
    row = {"id": str(lent.network.uuid)}

    assert sees(api, lent.carol, row)
    assert sees(api, lent.carol, row, networkfilter="shared")
    assert not sees(api, lent.carol, row, networkfilter="account")
    assert not sees(api, lent.carol, row, networkfilter="domain")
    assert not sees(api, world.bob, row)
    assert sharing.may_use(lent.network, lent.carol.account)
    listed = api(world.alice, "listNetworkPermissions", networkid=lent.network.uuid)["networkpermission"]
    assert [(entry["account"], entry["networkid"]) for entry in listed] == [("carol", row["id"])]
    for command in ("deleteNetwork", "updateNetwork"):
        assert refused(lent.carol, command, id=row["id"])[0] == 531
    assert refused(lent.carol, "createNetworkPermissions", networkid=row["id"], accounts="bob")[0] == 531


def test_projects_and_ids_name_accounts_too(api, make, world, lent):
    project = make.project(world.bob.account)

    api(
        world.alice,
        "createNetworkPermissions",
        networkid=lent.network.uuid,
        accountids=world.bob.account.uuid,
        projectids=project.uuid,
    )

    listed = api(world.alice, "listNetworkPermissions", networkid=lent.network.uuid)["networkpermission"]
    assert {entry.get("account") or entry["project"] for entry in listed} == {"carol", "bob", "p"}
    member = caller_for(world.bob.account)
    assert sees(api, member, {"id": str(lent.network.uuid)}, projectid=project.uuid)


def test_who_is_unknown_or_of_another_domain_is_not_let_in(world, tree, lent, refused):
    for params, code in (
        ({"accounts": "nobody"}, 431),
        ({"accounts": tree.users["mid"].account.name}, 431),
        ({"accountids": unknown()}, 431),
        ({"accounts": "bob", "accountids": world.bob.account.uuid}, 431),
        ({}, 431),
    ):
        assert (params, refused(world.alice, "createNetworkPermissions", networkid=lent.network.uuid, **params)[0]) == (
            params,
            code,
        )


@pytest.mark.parametrize("how", [{"accounts": "carol"}, {}])
def test_what_was_lent_is_taken_back_unless_it_is_in_use(api, make, world, lent, refused, how):
    command = "removeNetworkPermissions" if how else "resetNetworkPermissions"
    vm = centre.machine(make, lent.carol.account, lent.network)

    code, said = refused(world.alice, command, networkid=lent.network.uuid, **how)

    assert (code, said) == (536, "networkid: account carol has instances in network net")
    from apps.machines.services import nics

    nics.release_all(vm)
    api(world.alice, command, networkid=lent.network.uuid, **how)
    assert (NetworkShare.objects.count(), sharing.may_use(lent.network, lent.carol.account)) == (0, False)
    assert not sees(api, lent.carol, {"id": str(lent.network.uuid)})


def test_networks_for_domains_are_not_lent_to_accounts(world, share, refused):
    row = share()

    assert refused(world.root, "createNetworkPermissions", networkid=row["id"], accounts="alice") == (
        431,
        "networkid: network shared is for a domain, not for accounts",
    )
