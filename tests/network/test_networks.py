"""Networks as rows: made, listed, changed; what is refused."""

import pytest

from apps.accounts.tenants import caller_for
from apps.core import dispatch
from apps.machines.models import Reservation
from apps.machines.services import nics
from apps.network.models import Network, PublicAddress, Segment
from apps.network.services import networks
from apps.offerings.models import NetworkOffering
from tests import centre
from tests.conftest import unknown
from tests.crash import work_off
from tests.network import scenes


@pytest.fixture
def new(world):
    """Parameters of a network that is made."""

    def params(**more):
        chosen = more.pop("offering", None) or centre.offering()
        return {"name": "n", "networkofferingid": chosen.uuid, "zoneid": world.zone.uuid, **more}

    return params


def test_a_new_network_is_allocated_and_takes_nothing_yet(api, world, new):
    row = api(world.alice, "createNetwork", **new(displaytext="mine"))["network"]

    shown = ("name", "displaytext", "state", "type", "acltype", "cidr", "gateway", "netmask", "account", "traffictype")
    assert [row[name] for name in shown] == [
        "n",
        "mine",
        "Allocated",
        "Isolated",
        "Account",
        "10.1.1.0/24",
        "10.1.1.1",
        "255.255.255.0",
        "alice",
        "Guest",
    ]
    assert row["networkdomain"] == f"cs{world.owner.pk}.cloud.internal"
    assert not row.keys() & {"vlan", "broadcasturi", "physicalnetworkid"}
    assert {"name": "Dhcp", "provider": [{"name": "VirtualRouter"}], "capability": []} in row["service"]
    assert (Segment.objects.exclude(network=None).count(), PublicAddress.all_tenants.count()) == (0, 0)


@pytest.mark.parametrize(
    ("gateway", "netmask", "cidr"),
    [("10.9.0.1", "255.255.0.0", "10.9.0.0/16"), ("192.168.7.254", "255.255.255.0", "192.168.7.0/24")],
)
def test_its_owner_may_choose_the_addresses(api, world, new, gateway, netmask, cidr):
    row = api(world.alice, "createNetwork", **new(gateway=gateway, netmask=netmask))["network"]

    assert (row["cidr"], row["gateway"], row["netmask"]) == (cidr, gateway, netmask)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"gateway": "10.9.0.1"}, "gateway and netmask are given together or not at all"),
        ({"gateway": "8.8.8.8", "netmask": "255.255.255.0"}, "no private network"),
        ({"gateway": "10.1.1.1", "netmask": "255.255.255.254"}, "no private network"),
        ({"gateway": "10.0.0.1", "netmask": "254.0.0.0"}, "no private network"),
        ({"gateway": "here", "netmask": "255.255.255.0"}, "gateway: 'here' is no IPv4 address"),
        ({"gateway": "10.1.1.1", "netmask": "255.0.255.0"}, "netmask: '255.0.255.0' is no netmask"),
        ({"startip": "10.1.1.5"}, "startip: an isolated network gives all addresses of its CIDR"),
        ({"acltype": "Domain"}, "acltype: an isolated network is of an account"),
        ({"sourcenatipaddress": "1.2.3"}, "ipaddress: '1.2.3' is no IPv4 address"),
    ],
)
def test_what_is_no_network_is_refused(world, new, refused, params, text):
    code, said = refused(world.alice, "createNetwork", **new(**params))

    assert code == 431
    assert text in said


def test_only_offerings_that_fit_are_taken(world, new, refused):
    other = centre.saved(type(world.zone)(name="z2", allocation_state="Enabled"))
    elsewhere = centre.offering()
    elsewhere.zones.set([other])
    for chosen, text in (
        (centre.offering(state="Disabled"), "is not enabled"),
        (centre.offering(for_vpc=True), "is for tiers of a VPC"),
        (centre.offering(traffic_type="Public"), "is not for guest networks"),
        (centre.offering(tags="gold"), "has no enabled physical network for guest traffic"),
        (centre.offering(provider="Netscaler"), "has no enabled provider in this zone"),
        (elsewhere, "is not offered in zone"),
    ):
        code, said = refused(world.alice, "createNetwork", **new(offering=chosen))
        assert (code, text in said) == (431, True), said


def test_offerings_of_other_domains_and_unknown_ones_are_out_of_reach(make, world, new, refused):
    far = make.domain("far", make.domain())
    chosen = centre.offering()
    chosen.domains.set([far])

    assert refused(world.alice, "createNetwork", **new(offering=chosen))[0] == 531
    assert refused(world.alice, "createNetwork", **new(networkofferingid=unknown()))[0] == 431


def test_a_provider_that_is_switched_off_serves_no_new_network(world, new, refused):
    from apps.infrastructure.models import ServiceProvider

    ServiceProvider.all_tenants.filter(name="VirtualRouter").kernel_update(state="Disabled")

    code, said = refused(world.alice, "createNetwork", **new())

    assert (code, "has no enabled provider" in said) == (431, True)


def test_the_limit_of_an_account_holds(api, world, new, refused):
    from apps.limits.services import set_limit

    set_limit(kind="network", limit=1, account=world.owner)
    api(world.alice, "createNetwork", **new())

    assert refused(world.alice, "createNetwork", **new())[0] == 535


def test_an_l2_network_has_a_segment_and_no_addresses(api, make, world, new, refused):
    chosen = centre.offering((), guest_ip_type="L2")
    row = api(world.alice, "createNetwork", **new(offering=chosen))["network"]
    assert not row.keys() & {"cidr", "gateway", "netmask"}
    network = Network.all_tenants.get()
    vm = centre.machine(make, world.owner, network)
    scenes.start(vm, network)

    work_off()

    network.refresh_from_db()
    assert (network.state, network.vlan, scenes.routers().count()) == ("Implemented", "100", 0)
    assert vm.nics.get().ip is None
    place = {"gateway": "10.1.1.1", "netmask": "255.255.255.0"}
    assert refused(world.alice, "createNetwork", **new(offering=chosen, **place))[0] == 431


def test_a_vlan_that_an_operator_chooses_is_the_networks_own_until_it_goes(api, world, new, refused):
    chosen = centre.offering(specify_vlan=True)
    row = api(world.root, "createNetwork", **new(offering=chosen, vlan="50"))["network"]
    assert (row["vlan"], row["broadcasturi"]) == ("50", "vlan://50")

    for vlan, text in (
        ("50", "vlan: 50 is in use"),
        ("100", "vlan: 100 is in use"),  # one that networks get by themselves
        ("x", "is no VLAN id"),
        ("", "the offering asks for one"),
    ):
        code, said = refused(world.root, "createNetwork", **new(offering=chosen, vlan=vlan))
        assert (code, text in said) == (431, True), said
    assert refused(world.root, "createNetwork", **new(vlan="51")) == (
        431,
        "vlan: the offering does not let one choose it",
    )
    api(world.root, "createNetwork", **new(offering=chosen, vlan="50", bypassvlanoverlapcheck=True))
    api(world.root, "deleteNetwork", id=row["id"])
    assert not Segment.objects.filter(number=50).exists()


def test_a_chosen_vlan_stays_out_of_the_range_of_its_physical_network(api, world, new, refused):
    chosen = centre.offering(specify_vlan=True)
    api(world.root, "createNetwork", **new(offering=chosen, vlan="50"))
    carrier = world.centre.carrier.uuid

    code, said = refused(world.root, "updatePhysicalNetwork", id=carrier, vlan="40-60,100-104")

    assert (code, said) == (431, "vlan: 50 is in use and must stay as it is")


def test_tenants_cannot_choose_what_is_the_operators(api, world, new):
    row = api(world.alice, "createNetwork", **new(vlan="70", displaynetwork=False))["network"]

    network = Network.all_tenants.get(uuid=row["id"])
    assert (network.vlan, network.is_displayed) == ("", True)


def test_only_the_networks_of_a_tenant_are_listed_and_named(api, world, new, refused):
    mine = api(world.alice, "createNetwork", **new())["network"]["id"]

    assert api(world.bob, "listNetworks") == {}
    assert api(world.bob, "listNetworks", listall=True) == {}
    assert api(world.bob, "listNetworks", id=mine) == {}
    assert api(world.alice, "listNetworks")["network"][0]["id"] == mine
    assert api(world.root, "listNetworks") == {}
    assert api(world.root, "listNetworks", listall=True)["count"] == 1
    for command in ("updateNetwork", "deleteNetwork", "restartNetwork"):
        assert refused(world.bob, command, id=mine)[0] == 531


def test_filters_find_what_they_say(api, world, new):
    one = api(world.alice, "createNetwork", **new(name="one", displaytext="first"))["network"]
    two = api(world.alice, "createNetwork", **new(name="two", offering=centre.offering(("Dhcp",))))["network"]

    for given, found in (
        ({"name": "one"}, [one]),
        ({"keyword": "irs"}, [one]),
        ({"type": "isolated"}, [one, two]),
        ({"supportedservices": "SourceNat,Dhcp"}, [one]),
        ({"supportedservices": "Dhcp"}, [one, two]),
        ({"networkofferingid": two["networkofferingid"]}, [two]),
        ({"zoneid": world.zone.uuid, "acltype": "Account", "traffictype": "Guest"}, [one, two]),
        ({"physicalnetworkid": world.centre.carrier.uuid, "restartrequired": False}, [one, two]),
        ({"canusefordeploy": True, "specifyipranges": False}, [one, two]),
        ({"forvpc": True}, []),
        ({"issystem": True}, []),
        ({"acltype": "Domain"}, []),
    ):
        rows = api(world.alice, "listNetworks", **given).get("network", [])
        assert (given, [row["name"] for row in rows]) == (given, [row["name"] for row in found])
    assert api(world.alice, "listNetworks", retrieveonlyresourcecount=True) == {"count": 2}


def test_names_and_name_servers_change_and_the_devices_follow(api, make, monkeypatch):
    w = scenes.up(scenes.world(make, monkeypatch))
    alice = caller_for(w.alice)

    row = api(alice, "updateNetwork", id=w.network.uuid, name="new", networkdomain="corp.test", dns1="9.9.9.9")[
        "network"
    ]

    assert (row["name"], row["networkdomain"], row["dns1"]) == ("new", "corp.test", "9.9.9.9")
    (document,) = w.cloud.routers[str(w.network.uuid)].values()
    assert (document["domain"], document["dns"]) == ("corp.test", ["9.9.9.9"])
    scenes.check_network(w, "Implemented")


def test_a_network_gets_another_offering_and_its_devices_follow(api, make, monkeypatch):
    w = scenes.up(scenes.world(make, monkeypatch))
    wider = centre.offering((*centre.NAT, "Vpn", "Lb"))

    row = api(caller_for(w.alice), "updateNetwork", id=w.network.uuid, networkofferingid=wider.uuid)["network"]

    assert row["networkofferingid"] == str(wider.uuid)
    (document,) = w.cloud.routers[str(w.network.uuid)].values()
    assert set(document["services"]) == {*centre.NAT, "Vpn", "Lb"}
    scenes.check_network(w, "Implemented")


def test_services_in_use_are_not_taken_away(make, monkeypatch, refused):
    w = scenes.up(scenes.world(make, monkeypatch))
    for chosen, code, text in (
        (centre.offering(("Dhcp", "Dns")), 536, "still has public addresses"),
        (centre.offering((), guest_ip_type="L2"), 431, "is for L2 networks"),
        (centre.offering(specify_vlan=True), 431, "lets one choose the VLAN"),
        (centre.offering(tags="x"), 431, "is for another physical network"),
    ):
        got = refused(caller_for(w.alice), "updateNetwork", id=w.network.uuid, networkofferingid=chosen.uuid)
        assert (got[0], text in got[1]) == (code, True), got
    assert Network.all_tenants.get().offering_id == w.network.offering_id


def test_a_network_that_is_made_may_name_its_source_nat_address(api, world, new):
    row = api(world.alice, "createNetwork", **new(sourcenatipaddress="192.168.0.5"))["network"]

    held = api(world.alice, "listPublicIpAddresses")["publicipaddress"]
    assert [(a["ipaddress"], a["issourcenat"], a["state"]) for a in held] == [("192.168.0.5", True, "Allocated")]
    assert held[0]["associatednetworkid"] == row["id"]


def test_another_address_becomes_the_source_nat_address(api, make, monkeypatch, refused):
    w = scenes.up(scenes.world(make, monkeypatch))
    alice = caller_for(w.alice)
    other = api(alice, "associateIpAddress", networkid=w.network.uuid)["ipaddress"]

    api(alice, "updateNetwork", id=w.network.uuid, sourcenatipaddress=other["ipaddress"])

    held = {a.ip: a.is_source_nat for a in PublicAddress.all_tenants.all()}
    assert held == {"192.168.0.2": False, "192.168.0.3": True}
    scenes.check_network(w, "Implemented")
    assert refused(alice, "updateNetwork", id=w.network.uuid, sourcenatipaddress="192.168.0.9")[0] == 431


def test_a_basic_zone_has_shared_networks_only(make, cloud, db, refused):
    found = centre.centre(make, basic=True)
    root = make.root()

    code, said = refused(
        root, "createNetwork", name="n", networkofferingid=centre.offering().uuid, zoneid=found.zone.uuid
    )

    assert (code, said) == (431, "networkofferingid: a Basic zone has shared networks only")


def test_a_machine_for_which_no_network_is_named_gets_the_only_one_or_a_new_one(make, world):
    NetworkOffering.all_tenants.kernel_update(availability="Optional")
    needed = centre.offering(availability="Required")

    (made,) = networks.for_deployment(world.owner, world.zone)
    (again,) = networks.for_deployment(world.owner, world.zone)

    assert (made.pk, made.name, made.offering_id) == (again.pk, "alice-network", needed.pk)
    centre.isolated(world.centre, world.owner)
    with pytest.raises(Exception, match="has several networks in this zone"):
        networks.for_deployment(world.owner, world.zone)


def test_addresses_of_machines_are_the_next_ones_and_the_gaps_after_that(make, world):
    network = centre.isolated(world.centre, world.owner, gateway="10.5.0.1", netmask="255.255.255.248")
    cards = [centre.machine(make, world.owner, network).nics.get() for _ in range(5)]
    assert [card.ip for card in cards] == [f"10.5.0.{n}" for n in range(2, 7)]

    with pytest.raises(Exception, match="No address is free") as error:
        centre.machine(make, world.owner, network)

    assert (error.value.code, error.value.tenant) == (533, "No address is free in network net.")
    from apps.machines.services import nics

    nics.release(cards[2])
    assert centre.machine(make, world.owner, network).nics.get().ip == "10.5.0.4"
    for wanted, code in (("10.5.0.4", 533), ("10.5.0.1", 431), ("10.5.0.7", 431), ("10.6.0.4", 431)):
        with pytest.raises(Exception, match="10") as error:
            centre.machine(make, world.owner, network, ip=wanted)
        assert (wanted, error.value.code) == (wanted, code)


def test_a_network_of_another_tenant_is_not_told_of_by_jobs_or_errors(make, world, new):
    other = centre.isolated(world.centre, world.bob.account)

    got = dispatch.call(world.alice, "listPublicIpAddresses", associatednetworkid=other.uuid)

    assert got == {}


def served(make, monkeypatch):
    """A network of names and addresses only, up: its router has no way out."""
    w = scenes.world(make, monkeypatch)
    w.network.offering = centre.offering(("Dhcp", "Dns"))
    w.network.save(update_fields=["offering"])
    return scenes.up(w)


def test_a_router_that_the_new_offering_does_not_ask_for_goes(api, make, monkeypatch):
    w = served(make, monkeypatch)
    assert scenes.routers().count() == 1

    api(caller_for(w.alice), "updateNetwork", id=w.network.uuid, networkofferingid=centre.offering(()).uuid)

    assert list(scenes.routers()) == []
    assert not any(w.cloud.routers.values())
    assert Reservation.objects.count() == 0
    assert scenes.nothing_wrong()


def test_a_network_is_deleted_with_a_router_of_an_offering_it_had(api, make, monkeypatch):
    w = served(make, monkeypatch)
    Network.all_tenants.filter(pk=w.network.pk).update(offering=centre.offering(()))
    centre.put(w.vm, "Stopped")
    nics.release_all(w.vm)

    api(caller_for(w.alice), "deleteNetwork", id=w.network.uuid)

    assert list(scenes.routers()) == []
    assert not any(w.cloud.routers.values())
    assert scenes.nothing_wrong()
