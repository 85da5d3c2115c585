"""Holes in the firewall: which there may be, what the router knows of them, and that they go with what they are for."""

import pytest

from apps.accounts.tenants import caller_for
from apps.core import dispatch
from apps.core.errors import CloudError
from apps.events.models import Event
from apps.firewall.models import Rule
from apps.firewall.services import rules
from apps.hypervisors.errors import Refused, Unknown
from apps.network.schedules import catch_up_with_lagging
from tests.conftest import answer, unknown
from tests.crash import matrix, work_off
from tests.network import scenes

WEB = {"protocol": "tcp", "startport": 80, "endport": 90}


def opened(api, w, **more):
    return api(w.caller, "createFirewallRule", **{"ipaddressid": w.ip.uuid, **WEB, **more})["firewallrule"]


def egress(api, w, **more):
    return api(w.caller, "createEgressFirewallRule", **{"networkid": w.network.uuid, **WEB, **more})["firewallrule"]


def test_a_rule_is_active_when_the_router_knows_it(api, w, document):
    row = opened(api, w, cidrlist="10.0.0.0/8,10.2.0.0/16")

    shown = ("protocol", "startport", "endport", "cidrlist", "state", "ipaddress", "traffictype")
    assert [row[name] for name in shown] == ["tcp", 80, 90, "10.0.0.0/8,10.2.0.0/16", "Active", w.ip.ip, "Ingress"]
    assert row["networkid"] == str(w.network.uuid)
    sources = ["10.0.0.0/8", "10.2.0.0/16"]
    known = {"ip": w.ip.ip, "protocol": "tcp", "ports": [80, 90], "icmp": [None, None], "from": sources}
    assert document("firewall") == [known]


def test_a_single_port_all_networks_and_icmp(api, w, document):
    one = opened(api, w, endport=None, protocol="UDP")
    echo = api(w.caller, "createFirewallRule", ipaddressid=w.ip.uuid, protocol="icmp", icmptype=8, icmpcode=0)
    every = api(w.caller, "createFirewallRule", ipaddressid=w.ip.uuid, protocol="all")["firewallrule"]

    assert (one["startport"], one["endport"], one["protocol"], one["cidrlist"]) == (80, 80, "udp", "0.0.0.0/0")
    assert [echo["firewallrule"][n] for n in ("icmptype", "icmpcode")] == [8, 0]
    assert "startport" not in every
    assert [(row["protocol"], row["icmp"]) for row in document("firewall")] == [
        ("udp", [None, None]),
        ("icmp", [8, 0]),
        ("all", [None, None]),
    ]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"protocol": "sctp"}, "protocol: sctp is none of tcp, udp, icmp, all"),
        ({"startport": 0}, "startport: 0 is no port"),
        ({"endport": 65536}, "endport: 65536 is no port"),
        ({"startport": 91}, "endport: 90 is before startport 91"),
        ({"cidrlist": "10.0.0.1/8"}, "'10.0.0.1/8' is no network"),
        ({"cidrlist": "everywhere"}, "'everywhere' is no network"),
        ({"protocol": "icmp"}, "startport: icmp has no ports"),
        ({"icmptype": 8}, "icmptype: tcp has none"),
        ({"protocol": "icmp", "startport": None, "endport": None, "icmptype": 300}, "icmptype: 300 is none of ICMP's"),
    ],
)
def test_what_is_no_rule_is_refused(w, refused, params, text):
    code, said = refused(w.caller, "createFirewallRule", **{"ipaddressid": w.ip.uuid, **WEB, **params})

    assert (code, text in said) == (431, True), said


@pytest.mark.parametrize(
    ("params", "meets"),
    [
        ({"startport": 90, "endport": 95}, True),
        ({"startport": 85, "endport": 86}, True),
        ({"startport": 1, "endport": 65535}, True),
        ({"startport": None, "endport": None}, True),
        ({"cidrlist": "10.0.0.0/8"}, True),
        ({"cidrlist": "10.0.0.0/8,11.0.0.0/8"}, True),
        ({"startport": 91, "endport": 95}, False),
        ({"startport": 79, "endport": 79}, False),
        ({"protocol": "udp"}, False),
        ({"cidrlist": "11.0.0.0/8"}, False),
        ({"cidrlist": "10.1.0.0/16"}, False),
    ],
)
def test_rules_of_one_address_may_overlap_only_for_other_networks(api, w, refused, params, meets):
    first = opened(api, w, cidrlist="10.0.0.0/8")
    given = {"ipaddressid": w.ip.uuid, **WEB, "cidrlist": "10.0.0.0/8", **params}

    if meets:
        code, said = refused(w.caller, "createFirewallRule", **given)
        assert (code, first["id"] in said) == (537, True)
    else:
        assert api(w.caller, "createFirewallRule", **given)["firewallrule"]["state"] == "Active"


def test_icmp_rules_meet_when_type_and_code_are_the_same(api, w, refused):
    given = {"ipaddressid": w.ip.uuid, "protocol": "icmp"}
    api(w.caller, "createFirewallRule", **given, icmptype=8, icmpcode=0)

    assert refused(w.caller, "createFirewallRule", **given, icmptype=8, icmpcode=0)[0] == 537
    api(w.caller, "createFirewallRule", **given, icmptype=8, icmpcode=1)
    api(w.caller, "createFirewallRule", **given)
    assert Rule.all_tenants.count() == 3


def test_the_same_ports_of_two_addresses_do_not_meet(api, w):
    opened(api, w)

    assert opened(api, w, ipaddressid=w.nat.uuid)["state"] == "Active"


def test_an_address_needs_a_network_with_a_firewall(api, make, w, refused):
    w.network.offering.services = {"Dhcp": ["VirtualRouter"]}
    w.network.offering.save(update_fields=["services"])

    code, said = refused(w.caller, "createFirewallRule", ipaddressid=w.ip.uuid, **WEB)

    assert (code, said) == (431, "ipaddressid: network net does not have the service Firewall")
    assert refused(w.caller, "createEgressFirewallRule", networkid=w.network.uuid, **WEB)[0] == 431


def test_foreign_addresses_networks_and_rules_are_out_of_reach(api, w, refused):
    row, out = opened(api, w), egress(api, w)

    assert refused(w.bob, "createFirewallRule", ipaddressid=w.ip.uuid, **WEB)[0] == 531
    assert refused(w.bob, "createEgressFirewallRule", networkid=w.network.uuid, **WEB)[0] == 531
    assert refused(w.bob, "deleteFirewallRule", id=row["id"])[0] == 531
    assert refused(w.caller, "deleteFirewallRule", id=unknown())[0] == 431
    assert refused(w.caller, "deleteFirewallRule", id=out["id"])[0] == 431
    assert refused(w.caller, "deleteEgressFirewallRule", id=row["id"])[0] == 431
    assert api(w.bob, "listFirewallRules", listall=True) == {}


def test_a_rule_that_is_deleted_is_gone_from_the_router(api, w, document):
    row, stays = opened(api, w), opened(api, w, startport=1, endport=1)

    assert api(w.caller, "deleteFirewallRule", id=row["id"]) == {"success": True}

    assert [known["ports"] for known in document("firewall")] == [[1, 1]]
    assert [r["id"] for r in api(w.caller, "listFirewallRules")["firewallrule"]] == [stays["id"]]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_rule_that_the_router_may_know_is_revoked_until_it_is_known_that_it_does_not(api, w, document, when):
    w.cloud.fail("networks.apply", Unknown("?"), when=when)

    with pytest.raises(CloudError, match="gets the change when it does") as error:
        opened(api, w)

    assert (error.value.code, Rule.all_tenants.get().state) == (534, "Revoke")
    catch_up_with_lagging()
    work_off()
    assert (Rule.all_tenants.count(), document("firewall")) == (0, [])
    scenes.check_network(w, "Implemented")


def test_a_deletion_that_the_router_did_not_hear_of_is_told_later_or_when_asked_again(api, w, document):
    row, other = opened(api, w), opened(api, w, startport=1, endport=1)
    for each in (row, other):
        w.cloud.fail("networks.apply", Refused("no"))
        with pytest.raises(CloudError):
            api(w.caller, "deleteFirewallRule", id=each["id"])
    assert api(w.caller, "listFirewallRules", id=row["id"])["firewallrule"][0]["state"] == "Revoke"

    assert api(w.caller, "deleteFirewallRule", id=row["id"]) == {"success": True}

    assert (Rule.all_tenants.count(), document("firewall")) == (0, [])


def test_ports_of_a_revoked_rule_are_free_for_another(api, w):
    row = opened(api, w)
    w.cloud.fail("networks.apply", Refused("no"))
    with pytest.raises(CloudError):
        api(w.caller, "deleteFirewallRule", id=row["id"])

    assert opened(api, w)["state"] == "Active"


def test_killed_at_every_point_a_rule_is_active_or_gone(db, make, monkeypatch):
    def scene():
        w = scenes.up(scenes.world(make, monkeypatch))
        w.caller = caller_for(w.alice)
        address = w.network.public_addresses.get()
        w.jobid = dispatch.call(w.caller, "createFirewallRule", ipaddressid=address.uuid, **WEB)["jobid"]
        return w

    def check(w, lost):
        catch_up_with_lagging()
        work_off()
        (document,) = w.cloud.routers[str(w.network.uuid)].values()
        states = list(Rule.all_tenants.values_list("state", flat=True))
        if lost:
            with pytest.raises(CloudError):
                answer(w.jobid)
        assert (states, len(document["firewall"])) == (([], 0) if lost else (["Active"], 1))
        scenes.check_network(w, "Implemented")

    assert matrix(scene, check) >= 4


def test_egress_rules_are_exceptions_from_what_the_network_does(api, w, document):
    row = egress(api, w, cidrlist="10.1.1.0/25", destcidrlist="8.8.8.8/32")
    every = egress(api, w, protocol="all", startport=None, endport=None)

    assert (row["traffictype"], row["cidrlist"], row["destcidrlist"]) == ("Egress", "10.1.1.0/25", "8.8.8.8/32")
    assert (every["cidrlist"], every["destcidrlist"], "ipaddress" in every) == ("10.1.1.0/24", "", False)
    assert [(known["from"], known["to"]) for known in document("egress")] == [
        (["10.1.1.0/25"], ["8.8.8.8/32"]),
        (["10.1.1.0/24"], []),
    ]
    assert api(w.caller, "listEgressFirewallRules", networkid=w.network.uuid)["count"] == 2
    assert api(w.caller, "listFirewallRules") == {}
    assert api(w.caller, "deleteEgressFirewallRule", id=row["id"]) == {"success": True}
    assert len(document("egress")) == 1


def test_egress_rules_meet_when_sources_and_destinations_do(api, w, refused):
    egress(api, w, destcidrlist="8.8.8.8/32")
    given = {"networkid": w.network.uuid, **WEB}

    assert refused(w.caller, "createEgressFirewallRule", **given, destcidrlist="8.8.8.8/32")[0] == 537
    assert refused(w.caller, "createEgressFirewallRule", **given, cidrlist="10.2.0.0/24") == (
        431,
        "cidrlist: 10.2.0.0/24 is not in the network, which is 10.1.1.0/24",
    )
    assert egress(api, w, destcidrlist="9.9.9.9/32")["state"] == "Active"
    assert egress(api, w)["state"] == "Active"
    assert refused(w.caller, "createEgressFirewallRule", **given)[0] == 537


def test_an_operator_hides_a_rule_and_a_tenant_cannot(api, w):
    row, out = opened(api, w), egress(api, w)

    for command, each in (("updateFirewallRule", row), ("updateEgressFirewallRule", out)):
        assert api(w.root, command, id=each["id"], fordisplay=False)["firewallrule"]["fordisplay"] is False
    api(w.caller, "updateFirewallRule", id=row["id"], fordisplay=True)
    assert Rule.all_tenants.filter(is_displayed=False).count() == 2


def test_rules_are_found_by_address_network_and_word(api, w):
    row = opened(api, w)

    for given, count in (
        ({"ipaddressid": w.ip.uuid}, 1),
        ({"ipaddressid": w.nat.uuid}, 0),
        ({"networkid": w.network.uuid}, 1),
        ({"keyword": "tcp"}, 1),
        ({"keyword": "udp"}, 0),
        ({"id": row["id"]}, 1),
    ):
        assert (given, api(w.caller, "listFirewallRules", **given).get("count", 0)) == (given, count)


def test_the_rules_of_an_address_go_with_it(api, w, document):
    opened(api, w)

    assert api(w.caller, "disassociateIpAddress", id=w.ip.uuid) == {"success": True}

    assert (Rule.all_tenants.count(), document("firewall"), len(document("public"))) == (0, [], 1)
    scenes.check_network(w, "Implemented")


def test_the_rules_of_a_network_go_with_it(api, w):
    opened(api, w), egress(api, w)
    from tests.network.test_flows import leave

    leave(w.vm), leave(w.other)

    assert api(w.root, "deleteNetwork", id=w.network.uuid) == {"success": True}

    assert Rule.all_tenants.count() == 0
    assert scenes.nothing_wrong()


def test_no_rule_is_made_for_an_address_that_is_being_released(api, w, refused):
    from apps.network.services import public

    public.begin_release(w.ip)

    code, said = refused(w.caller, "createFirewallRule", ipaddressid=w.ip.uuid, **WEB)

    assert (code, said) == (536, f"ipaddressid: address {w.ip.ip} is being released")


def test_a_rule_of_a_network_that_is_down_needs_no_device_and_is_told_when_it_comes_up(api, make, monkeypatch):
    w = scenes.world(make, monkeypatch)
    caller = caller_for(w.alice)
    address = api(caller, "associateIpAddress", networkid=w.network.uuid)["ipaddress"]
    row = api(caller, "createFirewallRule", ipaddressid=address["id"], **WEB)["firewallrule"]
    assert (row["state"], w.cloud.calls) == ("Active", [])

    scenes.start(w.vm, w.network)
    work_off()

    (document,) = w.cloud.routers[str(w.network.uuid)].values()
    assert [known["ports"] for known in document["firewall"]] == [[80, 90]]
    scenes.check_network(w, "Implemented")


def test_a_router_that_is_stopped_hears_of_a_rule_when_it_starts(api, w, document):
    router = scenes.routers().get()
    api(w.root, "stopRouter", id=router.uuid)

    assert opened(api, w)["state"] == "Active"
    assert not w.cloud.routers[str(w.network.uuid)]
    api(w.root, "startRouter", id=router.uuid)

    assert [known["ports"] for known in document("firewall")] == [[80, 90]]
    scenes.check_network(w, "Implemented")


def test_what_is_forwarded_is_metered_and_holes_are_not(api, w):
    opened(api, w)
    forwarding = {"ipaddressid": w.ip.uuid, "virtualmachineid": w.vm.uuid, "protocol": "tcp"}
    row = api(w.caller, "createPortForwardingRule", publicport=22, privateport=22, **forwarding)["portforwardingrule"]
    api(w.caller, "deletePortForwardingRule", id=row["id"])

    kinds = Event.objects.filter(family="usage", kind__startswith="NET.RULE").values_list("kind", flat=True)
    assert list(kinds) == ["NET.RULEADD", "NET.RULEDELETE"]


def test_an_account_that_goes_takes_its_rules_along(db, make, monkeypatch):
    from tests.network.test_flows import leave

    w = scenes.up(scenes.world(make, monkeypatch))
    rules.open_egress(network=w.network, protocol="all")
    leave(w.vm)
    job = dispatch.call(make.root(), "deleteAccount", id=w.alice.uuid)["jobid"]

    work_off()

    assert (answer(job), Rule.all_tenants.count()) == ({"success": True}, 0)
    assert scenes.owned_by(w.alice) == {}


def test_a_service_with_rules_is_in_use(w):
    assert rules.service_in_use(w.network, {"Firewall"}) == ""

    rules.open_firewall(address=w.ip, protocol="tcp", start_port=1)

    assert rules.service_in_use(w.network, {"Firewall"}) == "rules of the service Firewall"
    assert rules.service_in_use(w.network, {"PortForwarding"}) == ""
