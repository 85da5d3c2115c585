"""What passes between tenants, and between them and the world."""

import subprocess

from tests.lab.product.site import http, named, reached
from tests.lab.tools.hosts import until


def seen_by(site, tenant, outside):
    """The address that somebody outside sees when the machine calls him; nobody, if he cannot be reached."""
    script = f"exec 2>/dev/null; timeout 5 wget -q -O - {outside} || echo nobody"
    return site.on(tenant.vm).guest(tenant.vm["id"], script).strip()


def test_two_tenants_with_one_subnet_do_not_see_each_other_and_leave_by_their_own_addresses(
    site, lab, alice, bob, outside
):
    for tenant in (alice, bob):
        named(lab, f"http://{tenant.address['ipaddress']}:8080", f"{tenant.name}-1")
    networks = [tenant.vm["nic"][0] for tenant in (alice, bob)]
    assert [nic["gateway"] for nic in networks] == ["10.1.1.1", "10.1.1.1"]

    def said(tenant, script):
        return site.on(tenant.vm).guest(tenant.vm["id"], script)

    other = bob.vm["nic"][0]["ipaddress"]
    assert "Received 0 " in said(alice, f"arping -c 2 -w 3 -I eth0 {other}")
    assert "0 packets received" in said(alice, f"ping -c 2 -W 1 {other}")
    assert "Received 0 " not in said(alice, "arping -c 2 -w 3 -I eth0 10.1.1.1")
    seen = [seen_by(site, tenant, outside) for tenant in (alice, bob)]
    assert seen == [alice.address["ipaddress"], bob.address["ipaddress"]]
    assert seen[0] != seen[1]


def test_static_nat_lets_in_what_the_firewall_opens_for_whom_it_is_opened(site, lab, alice, outside):
    named(lab, f"http://{alice.address['ipaddress']}:8080", f"{alice.name}-1")
    api = alice.api
    address = api.call("associateIpAddress", networkid=alice.net)["ipaddress"]
    url = f"http://{address['ipaddress']}/cgi-bin/hostname"
    api.call("enableStaticNat", ipaddressid=address["id"], virtualmachineid=alice.vm["id"])

    assert not reached(lab, url)
    rule = {"ipaddressid": address["id"], "protocol": "tcp", "startport": 80, "endport": 80}
    made = api.call("createFirewallRule", cidrlist="198.51.100.1/32", **rule)["firewallrule"]
    assert http(lab, url, seconds=5).strip() == "alice-1"
    assert not reached(lab, url, source="198.51.100.2")
    assert seen_by(site, alice, outside) == address["ipaddress"]

    api.call("deleteFirewallRule", id=made["id"])

    assert not reached(lab, url)
    api.call("disableStaticNat", ipaddressid=address["id"])
    assert seen_by(site, alice, outside) == alice.address["ipaddress"]
    api.call("disassociateIpAddress", id=address["id"])


def test_an_egress_rule_holds_for_what_it_names_only(site, lab, alice, outside):
    """The offering lets everything out: its rules forbid."""
    named(lab, f"http://{alice.address['ipaddress']}:8080", f"{alice.name}-1")
    host = site.on(alice.vm)
    ports = {"networkid": alice.net, "protocol": "tcp", "startport": 9000, "endport": 9000}

    made = alice.api.call("createEgressFirewallRule", cidrlist="10.1.1.0/24", **ports)["firewallrule"]

    assert seen_by(site, alice, outside) == "nobody"
    assert " 0% packet loss" in host.guest(alice.vm["id"], "ping -c 2 198.51.100.1")
    alice.api.call("deleteEgressFirewallRule", id=made["id"])
    assert seen_by(site, alice, outside) == alice.address["ipaddress"]


def checked(site, router):
    """What its checks find: names, and what is wrong."""
    said = site.root.call("getRouterHealthCheckResults", routerid=router["id"])["routerhealthchecks"]["healthchecks"]
    return {each["checkname"]: "" if each["success"] else each["details"] for each in said}


def test_a_router_tells_how_it_is(site, lab, alice):
    router = site.root.list("listRouters", "router", networkid=alice.net, listall="true")[0]
    host = next(host for host in site.hosts.values() if host.uuid == router["hostid"])
    named(lab, f"http://{alice.address['ipaddress']}:8080", "alice-1")

    well = checked(site, router)
    lab.exec(host.name, "ip", "netns", "exec", f"cp-{alice.net}", "nft", "flush", "ruleset")

    assert set(well.values()) == {""}
    assert {"dns_check.py", "dhcp_check.py", "webserver_check.py", "gateways_check.py"} < set(well)
    assert checked(site, router)["iptables_check.py"] == "the rules in force are not those of the network"
    alice.api.call("restartNetwork", id=alice.net, cleanup="false")
    assert set(checked(site, router).values()) == {""}


def test_a_router_that_died_or_was_made_anew_serves_as_before(site, lab, alice):
    url = f"http://{alice.address['ipaddress']}:8080"
    named(lab, url, "alice-1")
    router = site.root.list("listRouters", "router", networkid=alice.net, listall="true")[0]
    host = next(host for host in site.hosts.values() if host.uuid == router["hostid"])

    lab.exec(host.name, "ip", "netns", "del", f"cp-{alice.net}")

    until(lambda: reached(lab, url), 30, "nobody brings the router back")
    for cleanup in ("false", "true"):
        alice.api.call("restartNetwork", id=alice.net, cleanup=cleanup)
        named(lab, url, "alice-1", seconds=10)
    spaces = [
        subprocess.run(lab.command(name, "ip", "netns", "list"), capture_output=True, text=True).stdout
        for name in site.hosts
    ]
    assert sum(alice.net in text for text in spaces) == 1
