import socket
import threading

import pytest

from tests.lab.tools.cloud import OUTSIDE
from tests.lab.tools.documents import ROUTER, address, card, egress, forward, mac, rule
from tests.lab.tools.traffic import SILENT, ask, ask_udp, pings

FORWARDED = [forward(8022, 22, machine=20), forward(8023, 23, machine=20)]
FRIEND = "198.51.100.3"
NOTHING = {"public": [address(10, source_nat=True)], "firewall": [], "egress": [], "egress_default_allow": True}


@pytest.fixture(scope="module")
def guest(world, lab):
    lab.apply(dhcp=[card(20)], port_forwarding=FORWARDED)
    made = lab.guest(mac(20), "vm20")
    made.configure("10.1.1.20")
    world.inet.run("ip", "address", "add", f"{FRIEND}/24", "dev", "eth0")
    return made


@pytest.fixture(autouse=True)
def nothing_of_another_test(lab, guest, servers):
    servers(guest, 22)
    lab.apply(**NOTHING, services=ROUTER)


def test_closed_is_closed(world, guest):
    assert ask(world.inet, "198.51.100.10", 8022, patience=0.3) == SILENT
    assert not pings(world.inet, "198.51.100.10")


def test_opened_for_one_cidr_it_is_open_for_that_one_only(world, lab):
    lab.apply(firewall=[rule(10, "tcp", 8022, sources=[f"{FRIEND}/32"])])

    assert ask(world.inet, "198.51.100.10", 8022, source=FRIEND) == f"vm20 {FRIEND}"
    assert ask(world.inet, "198.51.100.10", 8022, source=OUTSIDE, patience=0.3) == SILENT


def test_a_port_that_is_not_named_stays_closed(world, lab, guest, servers):
    servers(guest, 23)

    lab.apply(firewall=[rule(10, "tcp", 8000, 8022)])

    assert ask(world.inet, "198.51.100.10", 8022) == f"vm20 {OUTSIDE}"
    assert ask(world.inet, "198.51.100.10", 8023, patience=0.3) == SILENT


def test_icmp_is_opened_by_type(world, lab):
    lab.apply(firewall=[rule(10, "icmp", icmp=(8, 0))])
    assert pings(world.inet, "198.51.100.10")

    lab.apply(firewall=[rule(10, "icmp", icmp=(13, -1))])
    assert not pings(world.inet, "198.51.100.10")

    lab.apply(firewall=[rule(10, "icmp", icmp=(-1, -1))])
    assert pings(world.inet, "198.51.100.10")


def test_an_open_firewall_opens_nothing_of_the_router_itself(world, lab):
    lab.apply(firewall=[rule(10, "all")])

    for port in (53, 80, 8080):
        assert ask(world.inet, "198.51.100.10", port, patience=0.2) == SILENT
    assert ask_udp(world.inet, "198.51.100.10", 53, patience=0.2) == SILENT


def test_the_outside_finds_no_way_to_private_addresses(world, lab, guest):
    """A neighbour on the public wire takes the router for its own."""
    lab.apply(firewall=[rule(10, "all")])
    world.inet.run("ip", "route", "add", "10.1.1.0/24", "via", "198.51.100.10")

    answers = [ask(world.inet, ip, 22, patience=0.3) for ip in ("10.1.1.20", "10.1.1.1")]

    world.inet.run("ip", "route", "del", "10.1.1.0/24")
    assert answers == [SILENT, SILENT]


def test_nobody_outside_passes_for_one_of_the_network(world, lab, guest):
    lab.apply(firewall=[rule(10, "tcp", 8022, sources=["10.1.1.0/24"])])
    world.inet.run("ip", "address", "add", "10.1.1.77/32", "dev", "lo")

    seen = _seen_by(guest, lambda: ask(world.inet, "198.51.100.10", 8022, source="10.1.1.77", patience=0.3))

    world.inet.run("ip", "address", "del", "10.1.1.77/32", "dev", "lo")
    assert "10.1.1.77" not in seen


def _seen_by(space, act):
    """Senders of IP packets that reach the space while ``act`` is going on."""
    line = space.inside(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)))
    act()
    line.setblocking(False)
    found = set()
    while True:
        try:
            found.add(socket.inet_ntoa(line.recv(100)[12:16]))
        except BlockingIOError:
            line.close()
            return found


def test_egress_is_free_less_what_is_named(world, lab, guest, servers):
    servers(world.inet, 25)
    servers(world.inet, 80)

    lab.apply(egress=[egress("tcp", 25), egress("icmp", icmp=(8, -1))])

    assert ask(guest, OUTSIDE, 80) == "inet 198.51.100.10"
    assert ask(guest, OUTSIDE, 25, patience=0.3) == SILENT
    assert not pings(guest, OUTSIDE)


def test_egress_is_denied_but_for_what_is_named(world, lab, guest, servers):
    servers(world.inet, 25)
    servers(world.inet, 80)

    lab.apply(
        egress_default_allow=False, egress=[egress("tcp", 80, to=[f"{OUTSIDE}/32"]), egress("icmp", icmp=(-1, -1))]
    )

    assert ask(guest, OUTSIDE, 80) == "inet 198.51.100.10"
    assert ask(guest, FRIEND, 80, patience=0.3) == SILENT
    assert ask(guest, OUTSIDE, 25, patience=0.3) == SILENT
    assert pings(guest, OUTSIDE)


def test_egress_rules_are_for_their_sources(world, lab, guest, servers):
    servers(world.inet, 80)

    lab.apply(egress_default_allow=False, egress=[egress("tcp", 80, sources=["10.1.1.21/32"])])
    assert ask(guest, OUTSIDE, 80, patience=0.3) == SILENT

    lab.apply(egress=[egress("tcp", 80, sources=["10.1.1.20/32"])])
    assert ask(guest, OUTSIDE, 80) == "inet 198.51.100.10"


def test_who_may_not_leave_still_answers_those_that_may_come(world, lab):
    lab.apply(egress_default_allow=False, firewall=[rule(10, "tcp", 8022)])

    assert ask(world.inet, "198.51.100.10", 8022) == f"vm20 {OUTSIDE}"


def test_a_network_without_the_firewall_service_is_open_where_it_forwards(world, lab, guest):
    lab.apply(services=[name for name in ROUTER if name != "Firewall"])

    assert ask(world.inet, "198.51.100.10", 8022) == f"vm20 {OUTSIDE}"
    assert ask(world.inet, "198.51.100.10", 8080, patience=0.3) == SILENT


def test_a_sender_that_is_not_of_the_network_does_not_leave(world, lab, guest):
    guest.run("ip", "address", "add", "192.168.7.7/32", "dev", "lo")

    seen = _seen_by(world.inet, lambda: ask(guest, OUTSIDE, 80, source="192.168.7.7", patience=0.3))

    assert "192.168.7.7" not in seen


def test_there_is_no_moment_without_rules(world, lab, guest):
    """An open port is always open and a closed one always closed while the rules are replaced again and again."""
    lab.apply(firewall=[rule(10, "tcp", 8022)])
    through, refused, over = [], [], threading.Event()

    def knock():
        while not over.is_set():
            through.append(ask(world.inet, "198.51.100.10", 8023, patience=0.02))
            refused.append(ask(world.inet, "198.51.100.10", 8022, patience=3))

    knocking = [threading.Thread(target=knock) for _ in range(2)]
    for each in knocking:
        each.start()
    for port in range(1, 9):
        lab.apply(firewall=[rule(10, "tcp", 8022), rule(10, "udp", port)])
    over.set()
    for each in knocking:
        each.join()

    assert set(through) == {SILENT}
    assert set(refused) == {f"vm20 {OUTSIDE}"}
