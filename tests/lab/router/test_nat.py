import re
import socket
from contextlib import contextmanager

import pytest

from tests.lab.tools.cloud import OUTSIDE
from tests.lab.tools.documents import address, card, forward, mac, rule
from tests.lab.tools.spaces import wait
from tests.lab.tools.traffic import PATIENCE, REFUSED, SILENT, ask, ask_udp, pings

CARDS = [card(20), card(21)]
ADDRESSES = [address(10, source_nat=True), address(12)]
OPEN = [rule(10, "all"), rule(12, "all")]


@pytest.fixture(scope="module")
def one(lab):
    lab.apply(public=ADDRESSES, dhcp=CARDS)
    return guest(lab, 20)


@pytest.fixture(scope="module")
def two(lab, one):
    return guest(lab, 21)


def guest(lab, last):
    made = lab.guest(mac(last), f"vm{last}")
    made.configure(f"10.1.1.{last}")
    return made


@pytest.fixture(autouse=True)
def nothing_of_another_test(lab, one):
    yield
    lab.apply(public=ADDRESSES, firewall=[], port_forwarding=[], static_nat=[])


def test_who_leaves_has_the_address_of_the_network(world, other, one, servers):
    servers(world.inet, 5001)
    other.apply(dhcp=[card(20)], public=[address(11, source_nat=True)])
    stranger = guest(other, 20)

    assert ask(one, OUTSIDE, 5001) == "inet 198.51.100.10"
    assert ask(stranger, OUTSIDE, 5001) == "inet 198.51.100.11"


def test_a_port_is_forwarded(world, lab, one, servers):
    servers(one, 22)
    servers(one, 53, kind=socket.SOCK_DGRAM)
    rows = [forward(8022, 22, machine=20), forward(8053, 53, protocol="udp", machine=20)]

    lab.apply(firewall=OPEN, port_forwarding=rows)

    assert ask(world.inet, "198.51.100.10", 8022) == f"vm20 {OUTSIDE}"
    assert ask_udp(world.inet, "198.51.100.10", 8053) == f"vm20 {OUTSIDE}"
    assert ask(world.inet, "198.51.100.10", 22, patience=0.3) == SILENT
    assert ask(world.inet, "198.51.100.12", 8022, patience=0.3) == SILENT


def test_a_range_that_moves_keeps_its_order(world, lab, one, servers):
    for port in (80, 81, 82):
        servers(one, port, name=f"port {port} of vm20")

    lab.apply(firewall=OPEN, port_forwarding=[forward((8080, 8082), (80, 82), machine=20)])

    answers = [ask(world.inet, "198.51.100.10", port) for port in (8082, 8080, 8081)]
    assert answers == [f"port {port} of vm20 {OUTSIDE}" for port in (82, 80, 81)]


def test_a_forwarding_may_be_for_some_only(world, lab, one, servers):
    servers(one, 22)
    world.inet.run("ip", "address", "add", "198.51.100.3/24", "dev", "eth0")

    lab.apply(firewall=OPEN, port_forwarding=[forward(8022, 22, machine=20, sources=["198.51.100.3/32"])])

    assert ask(world.inet, "198.51.100.10", 8022, patience=0.3) == SILENT
    assert ask(world.inet, "198.51.100.10", 8022, source="198.51.100.3") == "vm20 198.51.100.3"


def test_static_nat_is_both_ways(world, lab, one, two, servers):
    servers(world.inet, 5001)
    servers(two, 80)

    lab.apply(firewall=OPEN, static_nat=[{"ip": "198.51.100.12", "to": "10.1.1.21"}])

    assert ask(world.inet, "198.51.100.12", 80) == f"vm21 {OUTSIDE}"
    assert ask(two, OUTSIDE, 5001) == "inet 198.51.100.12"
    assert ask(one, OUTSIDE, 5001) == "inet 198.51.100.10"
    assert pings(world.inet, "198.51.100.12")


def test_a_public_address_of_the_own_network_leads_back_inside(lab, one, two, servers):
    servers(one, 22)
    servers(two, 80)

    lab.apply(
        firewall=[rule(10, "tcp", 8022), rule(12, "tcp", 80)],
        port_forwarding=[forward(8022, 22, machine=20)],
        static_nat=[{"ip": "198.51.100.12", "to": "10.1.1.21"}],
    )

    assert ask(two, "198.51.100.10", 8022) == "vm20 10.1.1.1"
    assert ask(one, "198.51.100.10", 8022) == "vm20 10.1.1.1"
    assert ask(one, "198.51.100.12", 80) == "vm21 10.1.1.1"
    assert ask(two, "198.51.100.12", 80) == "vm21 10.1.1.1"


def test_the_firewall_is_for_those_inside_as_well(lab, one, two, servers):
    servers(one, 22)

    lab.apply(
        firewall=[rule(10, "tcp", 8022, sources=["198.51.100.0/24"])], port_forwarding=[forward(8022, 22, machine=20)]
    )

    assert ask(two, "198.51.100.10", 8022, patience=0.3) == SILENT


def test_a_connection_ends_with_the_rule_that_let_it_in(world, lab, one, servers):
    lab.apply(firewall=[rule(10, "tcp", 8022)], port_forwarding=[forward(8022, 22, machine=20)])
    with _connected(world, one) as (line, inside):
        assert _passes(line, inside)

        lab.apply(firewall=[])

        assert not _passes(line, inside, patience=0.5)
        lab.apply(firewall=[rule(10, "tcp", 8022)])
        inside.settimeout(30)
        assert inside.recv(1) == b"x"  # what was sent meanwhile


@contextmanager
def _connected(world, machine):
    """From outside to port 22 of the machine: both ends."""
    with machine.inside(socket.socket) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.settimeout(PATIENCE)
        server.bind(("10.1.1.20", 22))
        server.listen()
        with world.inet.inside(lambda: socket.create_connection(("198.51.100.10", 8022), PATIENCE)) as line:
            inside, _ = server.accept()
            with inside:
                yield line, inside


def _passes(line, inside, patience=PATIENCE):
    inside.settimeout(patience)
    line.sendall(b"x")
    try:
        return inside.recv(1) == b"x"
    except TimeoutError:
        return False


def test_a_flow_does_not_go_on_to_the_machine_of_yesterday(world, lab, one, two, servers):
    """A client that keeps its port: the kernel would remember the translation as long as packets come."""
    for space in (one, two):
        servers(space, 53, kind=socket.SOCK_DGRAM)
    answers = []
    with world.inet.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as line:
        line.settimeout(PATIENCE)
        for machine in (20, 21):
            lab.apply(firewall=OPEN, port_forwarding=[forward(53, 53, protocol="udp", machine=machine)])
            line.sendto(b"?", ("198.51.100.10", 53))
            answers.append(line.recv(100).decode())

    assert answers == [f"vm20 {OUTSIDE}", f"vm21 {OUTSIDE}"]


def test_rules_that_stay_keep_their_connections(world, lab, one):
    rows = [forward(8022, 22, machine=20), forward(8023, 23, machine=20)]
    lab.apply(firewall=OPEN, port_forwarding=rows)
    with _connected(world, one) as (line, inside):
        lab.apply(port_forwarding=rows[:1], public=ADDRESSES[:1], firewall=OPEN[:1])

        assert _passes(line, inside)


@pytest.fixture
def second_net(world):
    """Another public network on the same wire, with a gateway of its own behind which the same internet is."""
    gateway = world.space("gateway")
    world.join(gateway, "eth0", "public")
    gateway.run("ip", "address", "add", "203.0.113.1/24", "dev", "eth0")
    gateway.run("ip", "address", "add", "192.0.2.1/32", "dev", "lo")
    world.inet.run("ip", "address", "add", "192.0.2.1/32", "dev", "lo")
    return gateway


def test_each_public_network_is_left_by_its_own_gateway(world, lab, one, two, second_net, servers):
    servers(world.inet, 5001)
    servers(second_net, 5001)
    servers(one, 22)
    place = {"ip": "203.0.113.12", "gateway": "203.0.113.1"}
    more = {**address(13), "ip": "203.0.113.13", "gateway": "203.0.113.1"}

    lab.apply(
        public=[ADDRESSES[0], {**address(12), **place}, more],
        firewall=[
            rule(10, "all"),
            {**rule(12, "all"), "ip": "203.0.113.12"},
            {**rule(13, "all"), "ip": "203.0.113.13"},
        ],
        static_nat=[{"ip": "203.0.113.12", "to": "10.1.1.21"}],
        port_forwarding=[{**forward(8022, 22, machine=20), "ip": "203.0.113.13"}],
    )

    # 192.0.2.1 is far: who answers is who was asked over his gateway.
    assert ask(one, "192.0.2.1", 5001) == "inet 198.51.100.10"
    assert ask(two, "192.0.2.1", 5001) == "gateway 203.0.113.12"
    assert ask(second_net, "203.0.113.13", 8022, source="192.0.2.1") == "vm20 192.0.2.1"
    assert pings(second_net, "203.0.113.13")
    assert ask(one, "203.0.113.12", 22) == REFUSED  # by the machine itself, which has nothing there
    lab.apply(public=ADDRESSES)
    assert lab.run("ip", "rule").count("lookup") == 3


def test_neighbours_are_told_who_has_an_address_now(world, lab, other, one):
    lab.apply(public=ADDRESSES)
    assert _neighbour(world.inet, "198.51.100.12") == _card(lab)

    lab.apply(public=ADDRESSES[:1])
    other.apply(public=[address(11, source_nat=True), address(12)], firewall=[])

    # Without asking again: the old answer would have been good for a minute.
    wait(lambda: _known(world.inet, "198.51.100.12") == _card(other), what="the new neighbour")
    other.apply(public=[address(11, source_nat=True)])


def _neighbour(space, ip):
    pings(space, ip)
    return _known(space, ip)


def _known(space, ip):
    return re.search(r"lladdr (\S+)", space.run("ip", "neighbour", "show", ip))[1]


def _card(lab):
    return lab.run("cat", "/sys/class/net/pub0/address").strip()


def test_bytes_are_counted_by_address_both_ways(world, lab, one, two, servers):
    servers(two, 53, kind=socket.SOCK_DGRAM)
    lab.apply(firewall=OPEN, static_nat=[{"ip": "198.51.100.12", "to": "10.1.1.21"}])
    before = lab.status()["usage"]

    answers = [ask_udp(world.inet, "198.51.100.12", 53) for _ in range(3)]
    lab.apply(firewall=OPEN[1:])  # other rules, the same counters
    after = lab.status()["usage"]

    assert after["epoch"] == before["epoch"]
    assert _grown(before, after, "198.51.100.10") == (0, 0)
    heads = 20 + 8
    assert _grown(before, after, "198.51.100.12") == (3 * (heads + len("?")), 3 * (heads + len(answers[0])))


def _grown(before, after, ip):
    rows = [each["addresses"][ip] for each in (before, after)]
    return tuple(rows[1][way] - rows[0][way] for way in ("received", "sent"))


def test_what_is_not_let_in_is_not_counted(world, lab, one):
    before = lab.status()["usage"]

    ask(world.inet, "198.51.100.12", 80, patience=0.2)

    assert _grown(before, lab.status()["usage"], "198.51.100.12") == (0, 0)
