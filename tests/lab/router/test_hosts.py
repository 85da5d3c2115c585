"""Segments across hosts: VXLAN by multicast and by a list, what fits through, and what is not wanted any more."""

import json

import pytest

from tests.lab.tools.cloud import OUTSIDE
from tests.lab.tools.documents import address, card, document, mac, network
from tests.lab.tools.spaces import wait
from tests.lab.tools.traffic import ask, pings

PING = ("ping", "-c", "1", "-W", "1", "-M", "do")


@pytest.fixture(scope="module")
def second(world, host):
    return world.host()


def guests(world, number, first, second):
    """One on each host, in the same network."""
    found = []
    for last, host in ((10, first), (11, second)):
        made = world.guest(host, f"cpb-x{1000 + number}", mac(last, number), f"vm{last}")
        made.run("ip", "link", "set", "eth0", "mtu", "1450")
        found.append(made)
    return found


def test_a_guest_of_another_host_is_served_by_the_router(world, host, second, servers):
    servers(world.inet, 5001)
    given = {"dhcp": [{**card(10), "mac": mac(10, 1)}, {**card(11), "mac": mac(11, 1)}]}
    host.apply(document(1, **given))
    second.apply(document(1, **given))
    second.agent("remove", network(1))  # its part of the segment stays
    near, far = guests(world, 1, host, second)
    near.dhcp()

    assert wait(far.dhcp, what="a lease over the tunnel")["ip"] == "10.1.1.11"
    assert pings(far, "10.1.1.10")
    assert ask(far, OUTSIDE, 5001) == "inet 198.51.100.10"

    # What fits into the MTU fits through the tunnel, and nothing else does.
    sent = [far.run(*PING, "-s", size, "10.1.1.10", check=False).count("1 received") for size in (1422, 1423)]
    assert sent == [1, 0]


def test_without_multicast_a_list_of_hosts_does(world):
    """Three hosts: each knows the two others; then one is taken off the list."""
    numbers = [len(world.hosts) + each for each in (1, 2, 3)]
    ips = {number: f"10.98.0.{10 + number}" for number in numbers}
    hosts = [world.host(remotes=[ip for other, ip in ips.items() if other != number]) for number in numbers]
    spaces = []
    for last, each in enumerate(hosts, 10):
        each.apply(document(4, public=[address(30 + last, source_nat=True)]))
        each.agent("remove", network(4))
        space = world.guest(each, "cpb-x1004", mac(last, 4), f"u{last}")
        space.configure(f"10.1.1.{last}")
        spaces.append(space)

    assert wait(lambda: pings(spaces[0], "10.1.1.11") and pings(spaces[0], "10.1.1.12"), what="the tunnels")
    text = hosts[0].run("bridge", "fdb", "show", "dev", "cpx-1004")
    assert sorted(line.split()[2] for line in text.splitlines() if line.startswith("00:00:00:00:00:00")) == [
        ips[numbers[1]],
        ips[numbers[2]],
    ]

    layout = json.loads(hosts[0].layout.read_text())
    layout["physical"]["tun"]["remotes"] = [ips[numbers[1]]]
    hosts[0].layout.write_text(json.dumps(layout))
    hosts[0].apply(document(4, 2, public=[address(40, source_nat=True)]))
    text = hosts[0].run("bridge", "fdb", "show", "dev", "cpx-1004")
    assert text.count("00:00:00:00:00:00") == 1


def test_the_kernel_s_limit_of_twenty_groups_is_no_limit(world):
    host = world.host()

    for number in range(20, 43):
        host.apply(document(number, public=[], services=["Gateway"]))

    rows = json.loads(host.run("ip", "-j", "-d", "link", "show", "type", "vxlan"))
    assert len([row for row in rows if "UP" in row["flags"]]) == 23
    for number in range(20, 43):
        host.agent("remove", network(number))
    host.agent("bridges")
    assert not [name for name in host.links() if name.startswith("cp")]


def test_a_vlan_that_this_kernel_cannot_make_is_said_so(world):
    """Here the kernel has no VLANs; where it has, the router comes up."""
    host = world.host()
    wanted = document(50, public=[address(60, source_nat=True, vlan="vlan://101")])

    answer = host.agent("apply", document=wanted)

    if "error" in answer:
        assert answer["error"]["kind"] == "unknown"
        assert answer["error"]["text"].startswith("ip: ")
        assert host.status(network(50))["generation"] is None
        wanted = document(50, 2)
        assert host.apply(wanted)["result"] == 2
    else:
        assert host.router(network(50), "ip", "link", "show", "pub101")
