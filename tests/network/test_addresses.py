"""Public addresses of accounts: acquired, kept, given back; and the ranges that they come from."""

from types import SimpleNamespace

import pytest

from apps.accounts.tenants import caller_for
from apps.core import dispatch
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.events.models import Event
from apps.hypervisors.errors import Refused, Unknown
from apps.jobs import runner
from apps.network.models import IpRange, PublicAddress, RangeAddress
from apps.network.schedules import catch_up_with_lagging
from apps.network.services import public
from tests import centre
from tests.conftest import answer, unknown
from tests.crash import matrix, work_off
from tests.network import scenes

pytestmark = pytest.mark.django_db


def ips(api, caller, **how):
    return [row["ipaddress"] for row in api(caller, "listPublicIpAddresses", **how).get("publicipaddress", [])]


@pytest.fixture
def net(world):
    return centre.isolated(world.centre, world.owner)


@pytest.fixture
def running(make, monkeypatch):
    w = scenes.up(scenes.world(make, monkeypatch))
    return SimpleNamespace(**vars(w), caller=caller_for(w.alice), root=make.root())


def in_document(w):
    (document,) = w.cloud.routers[str(w.network.uuid)].values()
    return [row["ip"] for row in document["public"]]


def test_the_first_address_of_a_network_is_its_source_nat_address(api, world, net):
    first = api(world.alice, "associateIpAddress", networkid=net.uuid)["ipaddress"]
    second = api(world.alice, "associateIpAddress", networkid=net.uuid)["ipaddress"]

    shown = ("ipaddress", "state", "issourcenat", "account", "associatednetworkid", "isstaticnat", "hasrules")
    assert [first[name] for name in shown] == [
        "192.168.0.2",
        "Allocated",
        True,
        "alice",
        str(net.uuid),
        False,
        False,
    ]
    assert (second["ipaddress"], second["issourcenat"]) == ("192.168.0.3", False)
    assert not first.keys() & {"physicalnetworkid", "vlanname", "fordisplay"}
    usage = Event.objects.filter(family="usage", kind="NET.IPASSIGN").count()
    assert usage == 2


def test_a_network_without_source_nat_has_none(api, world):
    net = centre.isolated(world.centre, world.owner, offering=centre.offering(("Dhcp", "StaticNat")))

    assert api(world.alice, "associateIpAddress", networkid=net.uuid)["ipaddress"]["issourcenat"] is False


def test_an_address_may_be_chosen_by_its_digits(api, world, net, refused):
    row = api(world.alice, "associateIpAddress", networkid=net.uuid, ipaddress="192.168.0.7")["ipaddress"]

    assert row["ipaddress"] == "192.168.0.7"
    for wanted, code in (("192.168.0.7", 533), ("192.168.9.9", 533), ("192.168.0", 431)):
        assert (wanted, refused(world.alice, "associateIpAddress", networkid=net.uuid, ipaddress=wanted)[0]) == (
            wanted,
            code,
        )


def test_a_zone_means_the_only_isolated_network_there(api, world, net, refused):
    assert api(world.alice, "associateIpAddress", zoneid=world.zone.uuid)["ipaddress"]["networkid"] == str(net.uuid)
    assert refused(world.bob, "associateIpAddress", zoneid=world.zone.uuid)[0] == 431
    assert refused(world.alice, "associateIpAddress")[0] == 431
    centre.isolated(world.centre, world.owner)
    assert refused(world.alice, "associateIpAddress", zoneid=world.zone.uuid)[0] == 431


def test_the_devices_of_a_network_that_is_up_know_its_address_before_the_answer(api, running):
    row = api(running.caller, "associateIpAddress", networkid=running.network.uuid)["ipaddress"]

    assert in_document(running) == ["192.168.0.2", row["ipaddress"]]
    assert api(running.caller, "disassociateIpAddress", id=row["id"]) == {"success": True}
    assert in_document(running) == ["192.168.0.2"]
    scenes.check_network(running, "Implemented")


def test_an_address_that_is_given_back_is_free_when_no_device_has_it_any_more(api, running):
    row = api(running.caller, "associateIpAddress", networkid=running.network.uuid)["ipaddress"]
    running.cloud.fail("networks.apply", Unknown("?"), times=1)

    with pytest.raises(CloudError, match="gets the change when it does") as error:
        api(running.caller, "disassociateIpAddress", id=row["id"])

    assert error.value.code == 534
    held = PublicAddress.all_tenants.get(uuid=row["id"])
    assert (held.state, RangeAddress.objects.get(ip=row["ipaddress"]).taken_by) == ("Releasing", held.lock_key)
    catch_up_with_lagging()
    work_off()
    assert not PublicAddress.all_tenants.filter(uuid=row["id"]).exists()
    assert RangeAddress.objects.get(ip=row["ipaddress"]).taken_by == ""
    assert Event.objects.filter(family="usage", kind="NET.IPRELEASE").count() == 1
    scenes.check_network(running, "Implemented")


def test_a_release_that_failed_may_be_asked_for_again(api, running):
    row = api(running.caller, "associateIpAddress", networkid=running.network.uuid)["ipaddress"]
    running.cloud.fail("networks.apply", Refused("no"), times=1)
    with pytest.raises(CloudError):
        api(running.caller, "disassociateIpAddress", id=row["id"])

    assert api(running.caller, "disassociateIpAddress", id=row["id"]) == {"success": True}

    assert PublicAddress.all_tenants.count() == 1
    scenes.check_network(running, "Implemented")


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_address_that_a_device_may_have_is_not_free_when_acquiring_it_failed(api, running, when):
    running.cloud.fail("networks.apply", Unknown("?"), when=when)

    with pytest.raises(CloudError) as error:
        api(running.caller, "associateIpAddress", networkid=running.network.uuid)

    assert error.value.code == 534
    held = PublicAddress.all_tenants.get(ip="192.168.0.3")
    assert held.state == "Releasing"
    catch_up_with_lagging()
    work_off()
    assert PublicAddress.all_tenants.count() == 1
    assert Event.objects.filter(family="usage", kind__startswith="NET.IP").count() == 1  # of the source NAT address
    scenes.check_network(running, "Implemented")


def test_killed_at_every_point_an_address_is_there_or_free(db, make, monkeypatch):
    def scene():
        w = scenes.up(scenes.world(make, monkeypatch))
        w.caller = caller_for(w.alice)
        w.jobid = dispatch.call(w.caller, "associateIpAddress", networkid=w.network.uuid)["jobid"]
        return w

    def check(w, lost):
        catch_up_with_lagging()
        work_off()
        if lost:
            with pytest.raises(CloudError):
                answer(w.jobid)
        assert PublicAddress.all_tenants.count() == (1 if lost else 2)
        scenes.check_network(w, "Implemented")

    assert matrix(scene, check) >= 4


def test_what_may_not_be_given_back_stays(api, world, net, refused):
    row = api(world.alice, "associateIpAddress", networkid=net.uuid)["ipaddress"]

    code, said = refused(world.alice, "disassociateIpAddress", id=row["id"])

    assert (code, said) == (431, "id: the source NAT address goes with its network only")
    assert refused(world.alice, "disassociateIpAddress")[0] == 431
    assert refused(world.bob, "disassociateIpAddress", id=row["id"])[0] == 531
    assert refused(world.bob, "disassociateIpAddress", ipaddress=row["ipaddress"])[0] == 431


def test_addresses_of_others_are_not_seen(api, world, net):
    mine = api(world.alice, "associateIpAddress", networkid=net.uuid)["ipaddress"]

    assert ips(api, world.bob) == []
    assert ips(api, world.bob, id=mine["id"]) == []
    assert ips(api, world.root, listall=True) == [mine["ipaddress"]]


def test_filters_find_what_they_say(api, world, net):
    one, two = (api(world.alice, "associateIpAddress", networkid=net.uuid)["ipaddress"]["ipaddress"] for _ in "12")

    for given, found in (
        ({}, [one, two]),
        ({"issourcenat": True}, [one]),
        ({"ipaddress": two}, [two]),
        ({"keyword": "168.0.3"}, [two]),
        ({"state": "allocated"}, [one, two]),
        ({"state": "Reserved"}, []),
        ({"isstaticnat": True}, []),
        ({"isstaticnat": False}, [one, two]),
        ({"associatednetworkid": net.uuid}, [one, two]),
        ({"networkid": net.uuid, "zoneid": world.zone.uuid}, [one, two]),
        ({"vlanid": world.centre.public.uuid, "physicalnetworkid": world.centre.carrier.uuid}, [one, two]),
        ({"forloadbalancing": True}, []),
        ({"forsystemvms": True}, []),
    ):
        assert (given, ips(api, world.alice, **given)) == (given, found)
    assert api(world.alice, "listPublicIpAddresses", retrieveonlyresourcecount=True) == {"count": 2}


def test_free_addresses_are_listed_with_those_that_are_held(api, world, net):
    one = api(world.alice, "associateIpAddress", networkid=net.uuid)["ipaddress"]["ipaddress"]
    free = [f"192.168.0.{n}" for n in range(3, 10)]

    assert ips(api, world.alice, allocatedonly=False) == [one, *free]
    assert ips(api, world.alice, allocatedonly=False, state="Free") == free
    assert ips(api, world.alice, allocatedonly=False, page=2, pagesize=3) == [one, *free][3:6]
    assert ips(api, world.bob, allocatedonly=False, ipaddress="192.168.0.5") == ["192.168.0.5"]
    assert ips(api, world.alice, allocatedonly=False, issourcenat=True) == [one]
    assert api(world.alice, "listPublicIpAddresses", allocatedonly=False, retrieveonlyresourcecount=True) == {
        "count": 8
    }
    row = api(world.alice, "listPublicIpAddresses", allocatedonly=False, state="Free")["publicipaddress"][0]
    assert (row["state"], row["forvirtualnetwork"], "account" in row) == ("Free", True, False)


def test_operators_see_the_addresses_of_shared_networks(api, make, world):
    network = centre.shared(world.centre, world.root.account, addresses=3)
    centre.machine(make, world.owner, network)

    assert ips(api, world.root, forvirtualnetwork=False) == ["10.8.0.10"]
    assert ips(api, world.root, forvirtualnetwork=False, allocatedonly=False, networkid=network.uuid) == [
        "10.8.0.10",
        "10.8.0.11",
        "10.8.0.12",
    ]
    assert ips(api, world.alice, forvirtualnetwork=False, allocatedonly=False) == []


def free_one(api, caller, ip):
    found = api(caller, "listPublicIpAddresses", allocatedonly=False, ipaddress=ip, state="Free")
    return found["publicipaddress"][0]["id"]


def test_a_free_address_is_reserved_under_its_name_and_associated_later(api, world, net):
    uuid = free_one(api, world.alice, "192.168.0.6")

    row = api(world.alice, "reserveIpAddress", id=uuid)["ipaddress"]
    assert (row["id"], row["ipaddress"], row["state"], row["account"]) == (uuid, "192.168.0.6", "Reserved", "alice")
    assert "networkid" not in row
    used = api(world.alice, "associateIpAddress", networkid=net.uuid, ipaddress="192.168.0.6")["ipaddress"]

    assert (used["id"], used["state"], used["networkid"]) == (uuid, "Allocated", str(net.uuid))


def test_a_reserved_address_is_given_back_and_has_another_name_then(api, world, refused):
    uuid = free_one(api, world.alice, "192.168.0.6")
    api(world.alice, "reserveIpAddress", id=uuid)
    assert refused(world.bob, "releaseIpAddress", id=uuid)[0] == 531
    assert refused(world.bob, "reserveIpAddress", id=uuid)[0] == 431
    assert refused(world.alice, "reserveIpAddress", id=unknown())[0] == 431

    assert api(world.alice, "releaseIpAddress", id=uuid) == {"success": True}

    assert (PublicAddress.all_tenants.count(), free_one(api, world.alice, "192.168.0.6") != uuid) == (0, True)
    assert ips(api, world.alice, id=uuid) == []


def test_only_a_reserved_address_is_released_by_that_command(api, world, net, refused):
    row = api(world.alice, "associateIpAddress", networkid=net.uuid)["ipaddress"]

    assert refused(world.alice, "releaseIpAddress", id=row["id"]) == (
        431,
        "id: address 192.168.0.2 is Allocated, not Reserved",
    )


def test_an_operator_hides_an_address(api, world, net):
    row = api(world.alice, "associateIpAddress", networkid=net.uuid)["ipaddress"]

    assert api(world.root, "updateIpAddress", id=row["id"], fordisplay=False)["ipaddress"]["fordisplay"] is False
    assert ips(api, world.root, listall=True, fordisplay=True) == []


def test_an_account_takes_its_own_addresses_before_those_of_everybody(api, world, net, set_to):
    own = centre.public_range(world.centre, count=1, subnet="192.168.5", owner=world.owner)
    centre.public_range(world.centre, count=1, subnet="192.168.6", owner=world.bob.account)

    taken = [api(world.alice, "associateIpAddress", networkid=net.uuid)["ipaddress"]["ipaddress"] for _ in "12"]

    assert taken == ["192.168.5.2", "192.168.0.2"]
    set_to("use.system.public.ips", "false", kind="account", row_id=world.owner.pk)
    with pytest.raises(CloudError, match="no address is free in these ranges"):
        api(world.alice, "associateIpAddress", networkid=net.uuid)
    assert own.addresses.exclude(taken_by="").count() == 1


def test_addresses_of_a_domain_are_for_it_and_those_below(api, make, world):
    mid = make.domain("mid", world.root.account.domain)
    user, other = make.account("m", make.domain("low", mid)), make.account("s", make.domain("side", mid.parent))
    centre.public_range(world.centre, count=2, subnet="192.168.5", domain=mid)

    for owner, first in ((user, "192.168.5.2"), (other, "192.168.0.2")):
        net = centre.isolated(world.centre, owner)
        assert api(caller_for(owner), "associateIpAddress", networkid=net.uuid)["ipaddress"]["ipaddress"] == first


def test_the_limit_of_an_account_holds(world, net, refused):
    from apps.limits.services import set_limit

    set_limit(kind="public_ip", limit=0, account=world.owner)

    assert refused(world.alice, "associateIpAddress", networkid=net.uuid)[0] == 535


def test_a_full_range_refuses_and_a_job_that_has_no_network_any_more_fails(make, world, refused):
    net = centre.isolated(world.centre, world.owner)
    for _ in range(8):
        public.acquire(owner=world.owner, zone=world.zone, network=net)

    code, said = refused(world.alice, "associateIpAddress", networkid=net.uuid)

    assert (code, said) == (533, "no address is free in these ranges")


# ranges


RANGE = {"gateway": "192.168.1.1", "netmask": "255.255.255.0", "startip": "192.168.1.10", "endip": "192.168.1.12"}


def new_range(api, world, **more):
    given = {"zoneid": world.zone.uuid, "forvirtualnetwork": True, "vlan": "51", **RANGE}
    return api(world.root, "createVlanIpRange", **(given | more))["vlan"]


def test_a_range_gives_its_addresses_and_is_told_as_it_was_given(api, world):
    row = new_range(api, world)

    assert {n: row[n] for n in ("startip", "endip", "gateway", "netmask", "vlan", "cidr", "forvirtualnetwork")} == {
        "startip": "192.168.1.10",
        "endip": "192.168.1.12",
        "gateway": "192.168.1.1",
        "netmask": "255.255.255.0",
        "vlan": "vlan://51",
        "cidr": "192.168.1.0/24",
        "forvirtualnetwork": True,
    }
    assert RangeAddress.objects.filter(range__uuid=row["id"]).count() == 3
    assert [r["id"] for r in api(world.root, "listVlanIpRanges", vlan="51")["vlaniprange"]] == [row["id"]]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"startip": "192.168.0.5", "endip": "192.168.0.6", "gateway": "192.168.0.1"}, "overlaps another one"),
        ({"gateway": "192.168.1.11"}, "it is one of the addresses of the range"),
        ({"endip": "192.168.1.9"}, "the range ends before it begins"),
        ({"endip": "192.168.2.9"}, "is not in 192.168.1.0/24"),
        ({"netmask": "255.0.255.0"}, "is no netmask"),
        ({"startip": ""}, "startip: a range needs it"),
        ({"vlan": "x"}, "is no VLAN id"),
        ({"vlan": "99999999"}, "is no VLAN id"),
        ({"netmask": "255.0.0.0", "gateway": "192.0.0.1", "startip": "192.1.0.0", "endip": "192.9.0.0"}, "at most"),
        ({"forvirtualnetwork": False}, "networkid: ranges of guest addresses belong to a shared network"),
    ],
)
def test_what_is_no_range_is_refused(world, refused, params, text):
    given = {"zoneid": world.zone.uuid, "forvirtualnetwork": True, "vlan": "51", **RANGE, **params}

    code, said = refused(world.root, "createVlanIpRange", **given)

    assert (code, text in said) == (431, True), said


def test_a_range_in_use_stays_and_a_free_one_goes(api, world, net, refused):
    api(world.alice, "associateIpAddress", networkid=net.uuid)
    uuid = world.centre.public.uuid

    assert refused(world.root, "deleteVlanIpRange", id=uuid) == (431, "id: addresses of the range are in use")
    assert RangeAddress.objects.filter(range__uuid=uuid).count() == 8
    free = new_range(api, world)
    api(world.root, "deleteVlanIpRange", id=free["id"])

    assert not RangeAddress.objects.filter(range__uuid=free["id"]).exists()


def test_a_range_grows_and_shrinks_around_what_is_in_use(api, world, net, refused):
    api(world.alice, "associateIpAddress", networkid=net.uuid, ipaddress="192.168.0.5")
    uuid = world.centre.public.uuid

    row = api(world.root, "updateVlanIpRange", id=uuid, startip="192.168.0.4", endip="192.168.0.20")["vlan"]

    assert (row["startip"], row["endip"]) == ("192.168.0.4", "192.168.0.20")
    assert RangeAddress.objects.filter(range__uuid=uuid).count() == 17
    assert refused(world.root, "updateVlanIpRange", id=uuid, startip="192.168.0.6") == (
        431,
        "startip: 1 addresses that would go are in use",
    )
    assert RangeAddress.objects.filter(range__uuid=uuid).count() == 17
    new_range(api, world)
    assert refused(world.root, "updateVlanIpRange", id=uuid, endip="192.168.1.10", netmask="255.255.0.0")[0] == 431
    assert api(world.root, "updateVlanIpRange", id=uuid, forsystemvms=True)["vlan"]["forsystemvms"] is True
    assert ips(api, world.alice, allocatedonly=False, state="Free") == [f"192.168.1.{n}" for n in (10, 11, 12)]


def test_a_range_is_given_to_an_account_and_taken_back(api, world, net, refused):
    uuid, domain = world.centre.public.uuid, world.owner.domain.uuid

    row = api(world.root, "dedicatePublicIpRange", id=uuid, account="alice", domainid=domain)["vlan"]

    assert (row["account"], row["domain"]) == ("alice", "ROOT")
    bobs = centre.isolated(world.centre, world.bob.account)
    assert refused(world.bob, "associateIpAddress", networkid=bobs.uuid)[0] == 533
    assert refused(world.root, "dedicatePublicIpRange", id=uuid, account="bob", domainid=domain)[0] == 431
    assert api(world.root, "listVlanIpRanges", account="alice", domainid=domain)["count"] == 1
    api(world.root, "releasePublicIpRange", id=uuid)
    assert refused(world.root, "releasePublicIpRange", id=uuid)[0] == 431
    assert api(world.bob, "associateIpAddress", networkid=bobs.uuid)["ipaddress"]["ipaddress"] == "192.168.0.2"


def test_a_range_with_addresses_of_others_is_not_given_away(api, make, world, net, refused):
    api(world.alice, "associateIpAddress", networkid=net.uuid)
    uuid, domain = world.centre.public.uuid, world.owner.domain

    code, said = refused(world.root, "dedicatePublicIpRange", id=uuid, account="bob", domainid=domain.uuid)

    assert (code, said) == (431, "id: another account has addresses of the range")
    far = make.domain("far", domain)
    assert refused(world.root, "dedicatePublicIpRange", id=uuid, domainid=far.uuid)[0] == 431
    api(world.root, "dedicatePublicIpRange", id=uuid, domainid=domain.uuid)
    assert IpRange.all_tenants.get(uuid=uuid).domain_id == domain.pk


def test_more_addresses_of_a_shared_network(api, world, refused):
    network = centre.shared(world.centre, world.root.account)
    place = {"gateway": "10.8.0.1", "netmask": "255.255.255.0", "startip": "10.8.0.100", "endip": "10.8.0.101"}

    row = api(world.root, "createVlanIpRange", networkid=network.uuid, **place)["vlan"]

    assert (row["networkid"], row["vlan"], row["forvirtualnetwork"]) == (str(network.uuid), "vlan://60", False)
    assert refused(world.root, "createVlanIpRange", networkid=network.uuid, vlan="61", **place)[0] == 431
    assert refused(world.root, "createVlanIpRange", networkid=network.uuid, **place)[0] == 431


def test_ranges_are_the_operators(world, make, refused):
    boss = make.caller("boss", kind=Kind.DOMAIN_ADMIN)
    for caller in (world.alice, boss):
        assert refused(caller, "deleteVlanIpRange", id=world.centre.public.uuid)[0] == 432


def test_vlans_are_listed_with_the_networks_that_have_them(api, make, monkeypatch):
    w = scenes.up(scenes.world(make, monkeypatch))
    root = make.root()

    (row,) = api(root, "listGuestVlans")["guestvlan"]

    assert (row["vlan"], row["allocationstate"], row["account"]) == ("100", "Allocated", "alice")
    assert row["network"] == [{"id": str(w.network.uuid), "name": "net"}]
    assert api(root, "listGuestVlans", allocatedonly=False)["count"] == 5
    free = api(root, "listGuestVlans", allocatedonly=False, vnet="104", zoneid=w.centre.zone.uuid)["guestvlan"]
    assert [(r["vlan"], r["allocationstate"], r["network"]) for r in free] == [("104", "Free", [])]
    with pytest.raises(CloudError, match="is no VLAN id"):
        api(root, "listGuestVlans", vnet="x")


def test_vlans_in_use_stay_with_their_physical_network(api, make, monkeypatch):
    w = scenes.up(scenes.world(make, monkeypatch))
    root, carrier = make.root(), w.centre.carrier

    with pytest.raises(CloudError, match="vlan: 100 is in use and must stay"):
        api(root, "updatePhysicalNetwork", id=carrier.uuid, vlan="200-210")
    api(root, "updatePhysicalNetwork", id=carrier.uuid, vlan="100,200-210")

    assert sorted(carrier.segments.values_list("number", flat=True)) == [100, *range(200, 211)]


def test_protocols_and_types_of_icmp_are_told(api, world):
    rows = api(world.alice, "listNetworkProtocols", option="protocolnumber")["networkprotocol"]
    assert {"index": 6, "name": "tcp", "description": "Transmission Control"} in rows
    rows = api(world.alice, "listNetworkProtocols", option="icmptype")["networkprotocol"]
    assert rows[0] == {"index": 0, "description": "Echo Reply", "details": {"0": "Echo reply"}}
    with pytest.raises(CloudError):
        api(world.alice, "listNetworkProtocols", option="other")


def test_what_is_taken_shows_in_the_capacity_of_the_zone(api, make, monkeypatch):
    w = scenes.up(scenes.world(make, monkeypatch))
    centre.shared(w.centre, make.account("x"), addresses=4)

    rows = {row["type"]: row for row in api(make.root(), "listCapacity", zoneid=w.centre.zone.uuid)["capacity"]}

    assert {t: (rows[t]["capacityused"], rows[t]["capacitytotal"]) for t in (4, 7, 8)} == {
        4: (1, 8),
        7: (1, 5),
        8: (0, 4),
    }


def test_the_sweeper_does_not_touch_what_is_well(make, monkeypatch):
    w = scenes.up(scenes.world(make, monkeypatch))

    catch_up_with_lagging()
    runner.drain()

    assert w.cloud.calls == []
