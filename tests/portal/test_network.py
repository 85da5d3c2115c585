"""Editors of rules: what is wrong is said before anything is sent, with what may have been meant."""

from types import SimpleNamespace

import pytest

from apps.portal.network.editors import Forwards, Holes, Typed
from apps.portal.network.picture import picture
from apps.portal.visits import Visit
from tests.portal.conftest import text


@pytest.mark.parametrize(
    ("typed", "ports"),
    [("443", (443, 443)), ("8000-8010", (8000, 8010)), (" 80 - 81 ", (80, 81)), ("8000–8010", (8000, 8010))],
)
def test_a_port_or_a_range_is_read(typed, ports):
    given = Typed({"publicport": typed})

    assert given.port_range("publicport") == ports
    assert given.problems == []


@pytest.mark.parametrize("typed", ["", "x", "0", "65536", "90-80", "80-", "-80", "1234567", "٨٠"])
def test_what_is_no_port_is_said(typed):
    given = Typed({"publicport": typed})

    assert given.port_range("publicport") is None
    assert [problem.name for problem in given.problems] == ["publicport"]


def test_an_address_within_a_range_is_answered_with_what_may_be_meant():
    given = Typed({"cidrlist": "198.51.100.17/24"})

    given.networks("cidrlist")

    (problem,) = given.problems
    assert problem.instead == ["198.51.100.0/24", "198.51.100.17/32"]


@pytest.mark.parametrize("typed", ["", "10.0.0.0/8", "192.0.2.1", "10.0.0.0/8, 192.0.2.0/24", "2001:db8::/32"])
def test_ranges_that_are_right_are_sent_as_one_list(typed):
    given = Typed({"cidrlist": typed})

    assert given.networks("cidrlist") == typed.replace(" ", "")
    assert given.problems == []


def editor(cls, rows, monkeypatch, **network):
    page = SimpleNamespace(visit=None, network={"id": "n", "type": "Isolated"} | network, address="/networks/n/rules")
    made = cls(page)
    made.__dict__["rows"] = rows
    return made


RULE = {
    "ipaddressid": "a",
    "protocol": "tcp",
    "publicport": "443",
    "publicendport": "445",
    "state": "Active",
    "virtualmachinedisplayname": "web-01",
}
GOOD = {"ipaddressid": "a", "protocol": "tcp", "publicport": "443", "privateport": "8443", "virtualmachineid": "v"}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, ["publicport"]),
        ({"publicport": "440-443", "privateport": "440-443"}, ["publicport"]),
        ({"publicport": "446"}, []),
        ({"protocol": "udp"}, []),
        ({"ipaddressid": "b"}, []),
        ({"publicport": "500-510"}, ["privateport"]),
        ({"publicport": "500", "virtualmachineid": ""}, ["virtualmachineid"]),
    ],
)
def test_a_forward_that_another_one_forbids_is_said(change, wrong, monkeypatch):
    made = editor(Forwards, [RULE], monkeypatch)

    made.read(GOOD | change)

    assert [problem.name for problem in made.typed.problems] == wrong


def test_a_rule_that_is_going_is_in_nobodys_way(monkeypatch):
    made = editor(Forwards, [RULE | {"state": "Revoke"}], monkeypatch)

    made.read(GOOD)

    assert made.typed.problems == []


def test_a_forward_becomes_a_call(monkeypatch):
    made = editor(Forwards, [], monkeypatch)

    assert made.read(GOOD | {"publicport": "8000-8002", "privateport": "80-82", "cidrlist": "192.0.2.0/24"}) == {
        "ipaddressid": "a",
        "protocol": "tcp",
        "virtualmachineid": "v",
        "publicport": "8000",
        "publicendport": "8002",
        "privateport": "80",
        "privateendport": "82",
        "cidrlist": "192.0.2.0/24",
    }


@pytest.mark.parametrize(
    ("protocol", "sent"),
    [
        ("tcp", {"startport": "80", "endport": "80"}),
        ("icmp", {"icmptype": "-1", "icmpcode": "-1"}),
        ("all", {}),
    ],
)
def test_a_hole_has_what_its_protocol_has(protocol, sent, monkeypatch):
    made = editor(Holes, [], monkeypatch)

    found = made.read({"ipaddressid": "a", "protocol": protocol, "startport": "80"})

    assert found == {"ipaddressid": "a", "protocol": protocol, **sent}


@pytest.fixture
def isolated(make, alice):
    """An implemented network with an address of its own, as the flow of the first machine leaves it."""
    return make.row("network.PublicAddress", alice.account)


def test_the_page_of_rules_looks_at_what_is_typed_without_sending_it(browser, alice, isolated):
    network = isolated.network
    visitor = browser(alice)

    part = visitor.post(
        f"/networks/{network.uuid}/rules",
        {"add": "hole", "ipaddressid": str(isolated.uuid), "protocol": "tcp", "startport": "x"},
        **{"HX-Request": "true"},
    )

    assert "x is no port" in text(part)


def test_a_network_of_somebody_else_has_no_rules_to_see(browser, alice, make):
    foreign = make.row("network.Network", make.account("bob"))

    assert browser(alice).get(f"/networks/{foreign.uuid}/rules").status_code == 404


def test_a_picture_draws_machines_and_counts_the_rest():
    network = {"id": "n", "name": "web", "cidr": "10.1.1.0/24", "gateway": "10.1.1.1", "type": "Isolated"}
    machines = [
        {"id": str(i), "name": f"vm-{i}", "state": "Running", "nic": [{"networkid": "n", "ipaddress": f"10.1.1.{i}"}]}
        for i in range(11)
    ]

    drawn = picture(network, machines, [{"ipaddress": "203.0.113.20", "issourcenat": True}], ["443", "22"])

    assert len(drawn.boxes) == 8
    assert drawn.boxes[0].address == "10.1.1.0"
    assert [text for _, text in drawn.notes] == ["203.0.113.20 source NAT", "and 3 more machines"]
    assert drawn.ports == "443, 22"
    assert drawn.boxes[0].top > 0
    assert drawn.boxes[-1].top + 36 < drawn.height


def test_many_ports_are_cut_to_what_has_room():
    drawn = picture({"id": "n", "name": "x"}, [], [], ["22", "2201", "2202", "2203"])

    assert drawn.ports == "22, 2201…"


def test_a_network_has_its_page_with_facts_and_picture(browser, alice, make):
    network = make.row("network.Network", alice.account)

    page = browser(alice).page(f"/networks/{network.uuid}")

    assert f"<h1>{network.name}</h1>" in page
    assert '<svg class="topo"' in page
    assert Visit(None, alice).may("listNetworks")


def test_a_network_without_a_router_leads_to_the_security_groups(browser, make, alice):
    network = make.shared_network()

    shown = browser(alice).page(f"/networks/{network.uuid}/rules")

    assert "its machines are reached by their addresses" in shown
    assert 'name="publicport"' not in shown
    assert 'name="destcidrlist"' not in shown


def test_what_is_the_operators_offers_customers_no_actions(browser, make, alice):
    network = make.shared_network()
    address = f"/networks/{network.uuid}"

    mine, theirs = browser(alice).page(address), browser(make.root()).page(address)

    assert [name for name in ("restartNetwork", "updateNetwork", "deleteNetwork") if f"/do/{name}" in mine] == []
    assert "/do/updateNetwork" in theirs
    assert "/do/deleteNetwork" in theirs
