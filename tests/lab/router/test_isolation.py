"""Tenants do not meet, and nothing of theirs meets the host's own networks."""

import pytest

from tests.lab.tools.cloud import MANAGEMENT
from tests.lab.tools.documents import card, document, mac, machine, network
from tests.lab.tools.spaces import wait
from tests.lab.tools.traffic import SILENT, ask, get, pings, resolve


@pytest.fixture(scope="module")
def alice(lab):
    lab.apply(dhcp=[card(10), card(11)], machines=[machine(10, zone="alice's")])
    return configured(lab, 10)


@pytest.fixture(scope="module")
def bob(other):
    other.apply(dhcp=[card(10), card(12)], machines=[machine(10, zone="bob's")])
    return configured(other, 12)


@pytest.fixture(scope="module")
def neighbour(lab, alice):
    return configured(lab, 11)


def configured(lab, last):
    made = lab.guest(mac(last), f"vm{last}")
    made.configure(f"10.1.1.{last}")
    return made


def hears(space, ip):
    """Does anybody answer who has this address?"""
    said = space.run("busybox", "arping", "-c", "1", "-w", "1", "-I", "eth0", ip, check=False)
    return "Received 1 response" in said


def test_two_networks_with_one_subnet_do_not_meet_not_even_by_arp(alice, neighbour, bob, servers):
    servers(neighbour, 80)
    servers(bob, 80)

    assert hears(alice, "10.1.1.11")
    assert ask(alice, "10.1.1.11", 80) == "vm11 10.1.1.10"
    assert not hears(alice, "10.1.1.12")
    assert ask(alice, "10.1.1.12", 80, patience=0.3) == SILENT
    assert not hears(bob, "10.1.1.11")
    assert ask(bob, "10.1.1.11", 80, patience=0.3) == SILENT


def test_machines_with_one_address_are_told_of_themselves(other, alice, bob):
    twin = configured(other, 10)

    zones = [get(space, "10.1.1.1", "/latest/meta-data/availability-zone")[1] for space in (alice, twin)]

    assert zones == [b"alice's", b"bob's"]


def test_it_holds_across_hosts(world, neighbour, bob):
    """Machines of both networks on a second host, over the underlay."""
    second = world.host()
    for number in (1, 2):
        second.apply(document(number))  # for its segment: the router itself goes at once
        second.agent("remove", network(number))
    far, far_bob = world.guest(second, "cpb-x1001", mac(30), "far"), world.guest(second, "cpb-x1002", mac(31), "far2")
    far.configure("10.1.1.30")
    far_bob.configure("10.1.1.31")

    assert wait(lambda: pings(far, "10.1.1.11"), what="the tunnel")
    assert wait(lambda: pings(far_bob, "10.1.1.12"), what="the other tunnel")
    assert not hears(neighbour, "10.1.1.31")
    assert not hears(far_bob, "10.1.1.11")


def test_a_router_has_no_way_to_the_management_network(world, lab, host, alice):
    manager = f"{MANAGEMENT}.11"
    assert pings(host, manager)

    cards = lab.run("ip", "-o", "link", "show", "up").splitlines()

    assert sorted(line.split(": ")[1].split("@")[0] for line in cards) == ["guest", "lo", "pub0"]
    assert not lab.run("ping", "-c", "1", "-W", "1", manager, check=False).count("1 received")
    assert not pings(alice, manager)


def test_guests_find_no_host_on_their_bridge(lab, host, alice):
    """A bridge with an address of its own, even one that IPv6 makes up, would be a way in."""
    rows = host.run("ip", "-o", "address", "show").splitlines()

    assert {line.split()[1] for line in rows} == {"lo", "eth0", "eth1", "eth2"} | {
        line.split()[1]
        for line in rows
        if line.split()[1].startswith("tap")  # the ends of our guests' cables
    }
    assert "inet6" not in lab.run("ip", "address")


def test_the_router_serves_on_the_guest_side_only(world, lab, alice):
    lines = [line.split() for line in lab.run("ss", "-H", "-l", "-n", "-t", "-u").splitlines()]

    assert sorted({(kind, where) for kind, _, _, _, where, *_ in lines}) == sorted(
        {
            *((kind, f"{ip}:53") for kind in ("tcp", "udp") for ip in ("10.1.1.1", "169.254.169.254")),
            *(("tcp", f"{ip}:{port}") for port in (80, 8080) for ip in ("10.1.1.1", "169.254.169.254")),
            ("udp", "0.0.0.0%guest:67"),
        }
    )


def test_both_sides_of_a_router_do_not_answer_for_each_other(world, lab, alice):
    assert not hears(world.inet, "10.1.1.1")
    assert not hears(alice, "198.51.100.10")


def test_names_are_not_resolved_for_the_outside(world, lab, alice):
    assert resolve(alice, "10.1.1.1", "data-server") == ["10.1.1.1"]
    with pytest.raises(TimeoutError):
        resolve(world.inet, "198.51.100.10", "data-server", patience=0.3)
