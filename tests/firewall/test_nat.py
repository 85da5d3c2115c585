"""What leads from an address to an instance: forwarded ports, or the whole address."""

import pytest

from apps.core.errors import CloudError
from apps.firewall.models import Rule, StaticNat
from apps.hypervisors.errors import Unknown
from apps.machines.models import Nic
from apps.machines.services import nics
from apps.network.schedules import catch_up_with_lagging
from tests import centre
from tests.crash import work_off
from tests.network import scenes

SSH = {"protocol": "tcp", "publicport": 2200, "privateport": 22}


def forward(api, w, **more):
    given = {"ipaddressid": w.ip.uuid, "virtualmachineid": w.vm.uuid, **SSH, **more}
    return api(w.caller, "createPortForwardingRule", **given)["portforwardingrule"]


def ip_of(vm):
    return Nic.all_tenants.get(vm=vm).ip


def test_a_port_is_forwarded_and_the_firewall_opened_for_it(api, w, document):
    row = forward(api, w)

    shown = ("protocol", "publicport", "publicendport", "privateport", "privateendport", "state")
    assert [row[name] for name in shown] == ["tcp", "2200", "2200", "22", "22", "Active"]
    assert (row["virtualmachineid"], row["vmguestip"]) == (str(w.vm.uuid), ip_of(w.vm))
    assert document("port_forwarding") == [
        {
            "ip": w.ip.ip,
            "protocol": "tcp",
            "ports": [2200, 2200],
            "to": ip_of(w.vm),
            "to_ports": [22, 22],
            "from": [],
        }
    ]
    hole = api(w.caller, "listFirewallRules")["firewallrule"]
    assert [(r["startport"], r["endport"], r["state"], r["cidrlist"]) for r in hole] == [
        (2200, 2200, "Active", "0.0.0.0/0")
    ]
    assert [known["ports"] for known in document("firewall")] == [[2200, 2200]]


def test_the_firewall_stays_as_it_is_where_that_is_asked_for_or_enough(api, w):
    forward(api, w, openfirewall=False)
    assert api(w.caller, "listFirewallRules") == {}
    api(w.caller, "createFirewallRule", ipaddressid=w.ip.uuid, protocol="tcp", startport=3000, endport=4000)

    forward(api, w, publicport=3300)

    assert api(w.caller, "listFirewallRules")["count"] == 1


def test_a_hole_that_overlaps_refuses_the_forwarding_too(api, w, refused):
    api(w.caller, "createFirewallRule", ipaddressid=w.ip.uuid, protocol="tcp", startport=2100, endport=2200)
    given = {"ipaddressid": w.ip.uuid, "virtualmachineid": w.vm.uuid, "protocol": "tcp"}
    given |= {"publicport": 2150, "publicendport": 2250, "privateport": 50, "privateendport": 150}

    assert refused(w.caller, "createPortForwardingRule", **given)[0] == 537


def test_a_deleted_forwarding_takes_its_hole_along_and_no_other(api, w, document):
    row = forward(api, w)
    api(w.caller, "createFirewallRule", ipaddressid=w.ip.uuid, protocol="tcp", startport=1, endport=2)

    assert api(w.caller, "deletePortForwardingRule", id=row["id"]) == {"success": True}

    assert (document("port_forwarding"), [known["ports"] for known in document("firewall")]) == ([], [[1, 2]])
    assert Rule.all_tenants.count() == 1


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"publicport": 2200}, 537),
        ({"publicport": 2190, "publicendport": 2210, "privateport": 1, "privateendport": 21}, 537),
        ({"protocol": "udp"}, 0),
        ({"publicport": 2201}, 0),
        ({"publicport": 2300, "publicendport": 2310}, 431),
        ({"publicport": 2300, "publicendport": 2310, "privateport": 20, "privateendport": 25}, 431),
        ({"publicport": 70000}, 431),
        ({"privateport": 0}, 431),
        ({"publicport": 2310, "publicendport": 2300, "privateport": 10, "privateendport": 1}, 431),
        ({"protocol": "icmp", "publicport": 1}, 431),
        ({"publicport": 2300, "vmguestip": "10.1.1.200"}, 431),
    ],
)
def test_each_port_of_an_address_goes_to_one_place(api, w, refused, params, code):
    forward(api, w)
    given = {"ipaddressid": w.ip.uuid, "virtualmachineid": w.other.uuid, **SSH, **params}

    if code:
        assert refused(w.caller, "createPortForwardingRule", **given)[0] == code
    else:
        assert api(w.caller, "createPortForwardingRule", **given)["portforwardingrule"]["state"] == "Active"


def test_an_instance_must_be_of_the_owner_and_in_the_network(api, make, w, refused):
    bobs = make.vm(w.bob.account)
    stray = make.vm(w.alice)
    for vm, code in ((bobs, 531), (stray, 431)):
        given = {"ipaddressid": w.ip.uuid, "virtualmachineid": vm.uuid, **SSH}
        assert refused(w.caller, "createPortForwardingRule", **given)[0] == code
    given = {"ipaddressid": w.ip.uuid, "virtualmachineid": bobs.uuid, **SSH}
    assert refused(w.root, "createPortForwardingRule", **given) == (
        431,
        "virtualmachineid: instance and address are of different accounts",
    )
    centre.put(w.vm, "Destroyed")
    assert refused(w.caller, "createPortForwardingRule", **given | {"virtualmachineid": w.vm.uuid})[0] == 431


def test_a_forwarding_is_sent_elsewhere(api, w, document, refused):
    row = forward(api, w, publicport=2200, publicendport=2203, privateport=22, privateendport=25)

    moved = api(w.caller, "updatePortForwardingRule", id=row["id"], virtualmachineid=w.other.uuid, privateport=8000)[
        "portforwardingrule"
    ]

    assert (moved["virtualmachineid"], moved["privateport"], moved["privateendport"]) == (
        str(w.other.uuid),
        "8000",
        "8003",
    )
    assert [(known["to"], known["to_ports"]) for known in document("port_forwarding")] == [
        (ip_of(w.other), [8000, 8003])
    ]
    for params in ({"privateport": 1, "privateendport": 2}, {"privateendport": 9000}, {"cidrlist": "x"}):
        assert refused(w.caller, "updatePortForwardingRule", id=row["id"], **params)[0] == 431
    assert Rule.all_tenants.get(uuid=row["id"]).private_port == 8000


def test_rules_that_lead_to_an_instance_go_with_it(api, w, document):
    forward(api, w), forward(api, w, publicport=1, virtualmachineid=w.other.uuid)
    from tests.network.test_flows import leave

    leave(w.vm)
    assert set(Rule.all_tenants.filter(vm=w.vm).values_list("state", flat=True)) == {"Revoke"}
    catch_up_with_lagging()
    work_off()

    assert [known["to"] for known in document("port_forwarding")] == [ip_of(w.other)]
    assert Rule.all_tenants.filter(vm=w.vm).count() == 0
    scenes.check_network(w, "Implemented")


def test_a_card_that_goes_takes_what_leads_to_it_along(api, w):
    forward(api, w)
    api(w.caller, "enableStaticNat", ipaddressid=acquire(api, w), virtualmachineid=w.vm.uuid)

    nics.release(Nic.all_tenants.get(vm=w.vm))

    assert (StaticNat.objects.count(), Rule.all_tenants.exclude(state="Revoke").count()) == (0, 0)


def acquire(api, w):
    return api(w.caller, "associateIpAddress", networkid=w.network.uuid)["ipaddress"]["id"]


def test_a_whole_address_goes_to_one_instance(api, w, document):
    assert api(w.caller, "enableStaticNat", ipaddressid=w.ip.uuid, virtualmachineid=w.vm.uuid) == {"success": True}
    work_off()

    assert document("static_nat") == [{"ip": w.ip.ip, "to": ip_of(w.vm)}]
    row = api(w.caller, "listPublicIpAddresses", id=w.ip.uuid)["publicipaddress"][0]
    assert (row["isstaticnat"], row["virtualmachineid"], row["vmipaddress"]) == (
        True,
        str(w.vm.uuid),
        ip_of(w.vm),
    )
    assert api(w.caller, "enableStaticNat", ipaddressid=w.ip.uuid, virtualmachineid=w.vm.uuid) == {"success": True}
    assert api(w.caller, "listPublicIpAddresses", isstaticnat=True)["count"] == 1
    assert api(w.caller, "disableStaticNat", ipaddressid=w.ip.uuid) == {"success": True}
    assert (document("static_nat"), StaticNat.objects.count()) == ([], 0)
    scenes.check_network(w, "Implemented")


def test_what_cannot_be_mapped_is_refused(api, make, w, refused):
    def code(caller=w.caller, **given):
        return refused(caller, "enableStaticNat", **{"ipaddressid": w.ip.uuid, "virtualmachineid": w.vm.uuid, **given})

    assert code(ipaddressid=w.nat.uuid) == (
        431,
        f"ipaddressid: source NAT address {w.nat.ip} cannot be mapped to one instance",
    )
    assert code(virtualmachineid=make.vm(w.alice).uuid)[0] == 431
    assert code(w.root, virtualmachineid=make.vm(w.bob.account).uuid)[0] == 431
    assert code(w.bob)[0] == 531
    assert code(networkid=centre.isolated(w.centre, w.alice).uuid)[0] == 431
    assert refused(w.caller, "disableStaticNat", ipaddressid=w.ip.uuid)[0] == 431
    api(w.caller, "enableStaticNat", ipaddressid=w.ip.uuid, virtualmachineid=w.vm.uuid)
    assert code(virtualmachineid=w.other.uuid)[0] == 537
    assert code(ipaddressid=acquire(api, w))[0] == 431  # the instance has one address already


def test_a_mapped_address_forwards_no_ports_and_the_other_way_round(api, w, refused):
    forwarding = {"ipaddressid": w.ip.uuid, "virtualmachineid": w.vm.uuid}
    row = forward(api, w)
    assert refused(w.caller, "enableStaticNat", **forwarding) == (
        537,
        f"ipaddressid: ports of address {w.ip.ip} are forwarded",
    )
    api(w.caller, "deletePortForwardingRule", id=row["id"])
    api(w.caller, "enableStaticNat", **forwarding)

    assert refused(w.caller, "createPortForwardingRule", **forwarding, **SSH) == (
        537,
        f"ipaddressid: address {w.ip.ip} is mapped to one instance by static NAT",
    )


def test_the_source_nat_address_forwards_ports_too(api, w):
    assert forward(api, w, ipaddressid=w.nat.uuid)["state"] == "Active"


def test_ports_of_a_mapped_address_are_let_through_and_go_with_the_mapping(api, w, document, refused):
    given = {"ipaddressid": w.ip.uuid, "protocol": "tcp", "startport": 80, "endport": 81}
    assert refused(w.caller, "createIpForwardingRule", **given)[0] == 431
    api(w.caller, "enableStaticNat", ipaddressid=w.ip.uuid, virtualmachineid=w.vm.uuid)

    row = api(w.caller, "createIpForwardingRule", **given)["ipforwardingrule"]

    assert (row["startport"], row["endport"], row["virtualmachineid"], row["state"]) == (
        80,
        81,
        str(w.vm.uuid),
        "Active",
    )
    assert [known["ports"] for known in document("firewall")] == [[80, 81]]
    assert refused(w.caller, "createIpForwardingRule", **given)[0] == 537
    assert api(w.caller, "listIpForwardingRules", virtualmachineid=w.vm.uuid)["count"] == 1
    assert api(w.caller, "disableStaticNat", ipaddressid=w.ip.uuid) == {"success": True}
    assert (Rule.all_tenants.count(), document("firewall"), document("static_nat")) == (0, [], [])
    assert scenes.nothing_wrong()


def test_an_ip_forwarding_rule_is_deleted_with_its_hole(api, w, document):
    api(w.caller, "enableStaticNat", ipaddressid=w.ip.uuid, virtualmachineid=w.vm.uuid)
    row = api(w.caller, "createIpForwardingRule", ipaddressid=w.ip.uuid, protocol="udp", startport=53)

    assert api(w.caller, "deleteIpForwardingRule", id=row["ipforwardingrule"]["id"]) == {"success": True}

    assert (document("firewall"), Rule.all_tenants.count(), StaticNat.objects.count()) == ([], 0, 1)


def test_a_mapping_whose_end_the_router_did_not_hear_of_is_told_later(api, w, document):
    api(w.caller, "enableStaticNat", ipaddressid=w.ip.uuid, virtualmachineid=w.vm.uuid)
    work_off()
    w.cloud.fail("networks.apply", Unknown("?"))

    with pytest.raises(CloudError) as error:
        api(w.caller, "disableStaticNat", ipaddressid=w.ip.uuid)

    assert (error.value.code, len(document("static_nat"))) == (534, 1)
    catch_up_with_lagging()
    work_off()
    assert document("static_nat") == []


def test_a_mapping_and_its_rules_go_with_the_address(api, w, document):
    api(w.caller, "enableStaticNat", ipaddressid=w.ip.uuid, virtualmachineid=w.vm.uuid)
    api(w.caller, "createIpForwardingRule", ipaddressid=w.ip.uuid, protocol="udp", startport=53)

    assert api(w.caller, "disassociateIpAddress", id=w.ip.uuid) == {"success": True}

    assert (document("static_nat"), document("firewall"), StaticNat.objects.count()) == ([], [], 0)
    assert Rule.all_tenants.count() == 0
    scenes.check_network(w, "Implemented")
