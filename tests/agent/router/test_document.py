import json
from ipaddress import IPv4Address, IPv4Network

import pytest

from agent.router.document import (
    EgressRule,
    FirewallRule,
    Forwarding,
    Machine,
    Own,
    Ports,
    PublicAddress,
    Reservation,
    StaticNat,
    Traffic,
    loose_ends,
    read,
)
from agent.state.errors import Invalid
from tests.lab.tools.documents import address, card, document, egress, forward, machine, network, rule

ANYWHERE = (IPv4Network("0.0.0.0/0"),)
INSIDE = (IPv4Network("10.1.1.0/24"),)


def changed(path, value):
    """The document with one value changed, or with ``...`` one key left out."""
    found = json.loads(json.dumps(document(**full())))
    place = found
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return found


def full():
    return {
        "public": [address(10, source_nat=True), address(11)],
        "dhcp": [card(10), card(11)],
        "firewall": [rule(10, "tcp", 22, 25), rule(10, "icmp", icmp=(-1, -1))],
        "egress": [egress("udp", 53, to=("8.8.8.0/24",))],
        "port_forwarding": [forward((8000, 8010), (80, 90))],
        "static_nat": [{"ip": "198.51.100.11", "to": "10.1.1.11"}],
        "machines": [machine(10, user_data=b"\0\xff", keys=["ssh-rsa AAA"], password="secret", zone="z1")],
        "router": {"guest_ip": None, "guest_mac": "02:00:00:00:00:01"},
    }


def test_the_least_document_has_no_more_than_a_gateway():
    found = read(document())

    assert found.network == network()
    assert found.generation == 1
    assert found.cidr == IPv4Network("10.1.1.0/24")
    assert found.router_ip == IPv4Address("10.1.1.1")
    assert found.is_gateway is True
    assert found.source_nat == found.public[0]
    assert found.own == Own()
    assert (found.machines, found.mtu, found.cloud) == ((), None, "")


def test_each_section_is_read_into_typed_rows():
    found = read(document(**full()))

    ip = IPv4Address
    assert found.public[1] == PublicAddress(
        ip("198.51.100.11"), False, ip("198.51.100.1"), IPv4Network("198.51.100.0/24"), "untagged"
    )
    assert found.dhcp[0] == Reservation("02:00:00:00:00:0a", ip("10.1.1.10"), "vm10", True)
    assert found.firewall == (
        FirewallRule(ip("198.51.100.10"), Traffic("tcp", Ports(22, 25)), ANYWHERE),
        FirewallRule(ip("198.51.100.10"), Traffic("icmp"), ANYWHERE),
    )
    assert found.egress == (EgressRule(Traffic("udp", Ports(53, 53)), INSIDE, (IPv4Network("8.8.8.0/24"),)),)
    assert found.port_forwarding == (
        Forwarding(ip("198.51.100.10"), "tcp", Ports(8000, 8010), ip("10.1.1.10"), Ports(80, 90), ()),
    )
    assert found.static_nat == (StaticNat(ip("198.51.100.11"), ip("10.1.1.11")),)
    assert found.machines == (
        Machine(
            uuid="00000000-0000-0000-0000-00000000000a",
            mac="02:00:00:00:00:0a",
            ip=ip("10.1.1.10"),
            name="vm10",
            zone="z1",
            user_data=b"\0\xff",
            keys=("ssh-rsa AAA",),
            password="secret",
        ),
    )
    assert found.own == Own(guest_mac="02:00:00:00:00:01")


def test_macs_are_read_in_any_case():
    found = read(document(dhcp=[card(10, mac="02:00:00:AB:CD:EF")]))

    assert found.dhcp[0].mac == "02:00:00:ab:cd:ef"


def test_no_ports_are_all_of_them_and_one_is_a_range_of_one():
    found = read(document(firewall=[rule(10, "tcp"), {**rule(10, "udp"), "ports": [53, None]}]))

    assert [row.traffic.ports for row in found.firewall] == [None, Ports(53, 53)]


@pytest.mark.parametrize(
    "path",
    [
        (),
        ("public", 0),
        ("dhcp", 0),
        ("firewall", 0),
        ("egress", 0),
        ("port_forwarding", 0),
        ("static_nat", 0),
        ("machines", 0),
        ("router",),
    ],
)
def test_an_unknown_key_is_refused_by_its_place(path):
    at = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")

    with pytest.raises(Invalid) as refusal:
        read(changed((*path, "colour"), "red"))

    assert str(refusal.value) == (f"{at}.colour: unknown key" if at else "colour: unknown key")


@pytest.mark.parametrize("key", ["balancers", "vpn", "tiers", "acls", "routes", "redundant"])
def test_what_later_versions_serve_must_be_empty(key):
    for nothing in (None, [], {}):
        read(changed((key,), nothing))

    with pytest.raises(Invalid, match=f"^{key}: is not served yet and must be empty$"):
        read(changed((key,), [{"ip": "198.51.100.10"}]))


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        (("schema",), 2, "schema: must be a whole number from 1 to 1"),
        (("schema",), ..., "schema: is missing"),
        (("network",), "../../etc", "network: '../../etc' is no UUID in small letters"),
        (("generation",), -1, f"generation: must be a whole number from 0 to {1 << 62}"),
        (("generation",), True, f"generation: must be a whole number from 0 to {1 << 62}"),
        (("kind",), "L2", "kind: 'L2' is none of Isolated, Shared"),
        (("cidr",), "10.1.1.1/24", "cidr: '10.1.1.1/24' is no network in the form 10.1.1.0/24"),
        (("cidr",), "", "cidr: '' is no network in the form 10.1.1.0/24"),
        (("gateway",), "10.1.2.1", "gateway: 10.1.2.1 is no address of 10.1.1.0/24"),
        (("gateway",), "10.1.1.255", "gateway: 10.1.1.255 is no address of 10.1.1.0/24"),
        (("gateway",), 167837953, "gateway: 167837953 is no IPv4 address"),
        (("domain",), "a b", "domain: 'a b' is no domain name"),
        (("domain",), "x\nserver=/evil/", "domain: 'x\\nserver=/evil/' is no domain name"),
        (("dns",), ["8.8.8"], "dns[0]: '8.8.8' is no IPv4 address"),
        (("dns",), "8.8.8.8", "dns: must be a list"),
        (("services",), [1], "services[0]: must be one line of text"),
        (("egress_default_allow",), 1, "egress_default_allow: must be true or false"),
        (("mtu",), 100, "mtu: must be a whole number from 576 to 9216"),
        (("public", 0, "ip"), "fe80::1", "public[0].ip: 'fe80::1' is no IPv4 address"),
        (("public", 0, "netmask"), "255.0.255.0", "public[0].netmask: '255.0.255.0' is no netmask"),
        (
            ("public", 0, "gateway"),
            "203.0.113.1",
            "public[0].gateway: 203.0.113.1 is no gateway for 198.51.100.10 in 198.51.100.0/24",
        ),
        (("public", 1, "source_nat"), True, "public: more than one address is for source NAT"),
        (("public", 1, "ip"), "198.51.100.10", "public[1].ip: 198.51.100.10 is there twice"),
        (("dhcp", 0, "mac"), "02:00:00:00:00", "dhcp[0].mac: '02:00:00:00:00' is no MAC address of a card"),
        (("dhcp", 0, "mac"), "ff:ff:ff:ff:ff:ff", "dhcp[0].mac: 'ff:ff:ff:ff:ff:ff' is no MAC address of a card"),
        (("dhcp", 1, "mac"), "02:00:00:00:00:0A", "dhcp[1].mac: 02:00:00:00:00:0a is there twice"),
        (("dhcp", 1, "ip"), "10.1.1.10", "dhcp[1].ip: 10.1.1.10 is there twice"),
        (("dhcp", 0, "ip"), "10.1.1.1", "dhcp[0].ip: 10.1.1.1 is the router's"),
        (("dhcp", 0, "ip"), "10.1.2.10", "dhcp[0].ip: 10.1.2.10 is no address of 10.1.1.0/24"),
        (("dhcp", 0, "name"), "vm,10", "dhcp[0].name: 'vm,10' is no host name"),
        (("dhcp", 0, "name"), "vm\n10.1.1.9 evil", "dhcp[0].name: 'vm\\n10.1.1.9 evil' is no host name"),
        (("firewall", 0, "protocol"), "gre", "firewall[0].protocol: 'gre' is none of tcp, udp, icmp, all"),
        (("firewall", 0, "ports"), [25, 22], "firewall[0].ports: the range ends before it begins"),
        (("firewall", 0, "ports"), [0, 22], "firewall[0].ports[0]: must be a whole number from 1 to 65535"),
        (("firewall", 0, "ports"), [22], "firewall[0].ports: must be a list of two"),
        (("firewall", 0, "icmp"), [8, 0], "firewall[0].icmp: tcp has no ICMP type"),
        (("firewall", 1, "ports"), [1, 2], "firewall[1].ports: icmp has no ports"),
        (("firewall", 1, "icmp"), [256, 0], "firewall[1].icmp[0]: must be a whole number from -1 to 255"),
        (
            ("firewall", 0, "from"),
            ["10.0.0.1/8"],
            "firewall[0].from[0]: '10.0.0.1/8' is no network in the form 10.1.1.0/24",
        ),
        (("egress", 0, "to"), ["anywhere"], "egress[0].to[0]: 'anywhere' is no network in the form 10.1.1.0/24"),
        (("port_forwarding", 0, "protocol"), "icmp", "port_forwarding[0].protocol: 'icmp' is none of tcp, udp"),
        (
            ("port_forwarding", 0, "to_ports"),
            [80, 91],
            "port_forwarding[0].to_ports: must be as many ports as in port_forwarding[0].ports",
        ),
        (
            ("port_forwarding", 0, "to"),
            "192.168.0.1",
            "port_forwarding[0].to: 192.168.0.1 is no address of 10.1.1.0/24",
        ),
        (("static_nat", 0, "to"), "10.1.1.0", "static_nat[0].to: 10.1.1.0 is no address of 10.1.1.0/24"),
        (("machines", 0, "user_data"), "é", "machines[0].user_data: must be base64"),
        (("machines", 0, "user_data"), "AAAA" * 400_000, "machines[0].user_data: is larger than 1048576 bytes"),
        (("machines", 0, "keys"), ["ssh-rsa A\nssh-rsa B"], "machines[0].keys[0]: must be one line of text"),
        (("machines", 0, "password"), "a\r\nb", "machines[0].password: must be one line of text"),
        (("machines", 0, "uuid"), "../x", "machines[0].uuid: '../x' is no UUID in small letters"),
        (
            ("router", "guest_mac"),
            "01:00:00:00:00:00",
            "router.guest_mac: '01:00:00:00:00:00' is no MAC address of a card",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_its_place(path, value, text):
    with pytest.raises(Invalid) as refusal:
        read(changed(path, value))

    assert str(refusal.value) == text


@pytest.mark.parametrize("value", [None, [], "x", 7])
def test_a_document_is_an_object(value):
    with pytest.raises(Invalid, match="^document: must be an object$"):
        read(value)


def test_the_router_of_a_shared_network_is_not_its_gateway():
    found = read(document(kind="Shared", public=[], router={"guest_ip": "10.1.1.2"}))

    assert found.router_ip == IPv4Address("10.1.1.2")
    assert found.is_gateway is False
    with pytest.raises(Invalid, match=r"^router\.guest_ip: the router of a Shared network needs an address other"):
        read(document(kind="Shared", public=[]))


def test_rules_about_addresses_that_are_not_there_are_reported():
    found = read(
        document(
            firewall=[rule(10, "tcp", 22), rule(99, "tcp", 22)],
            port_forwarding=[forward(80, 80, last=98)],
            static_nat=[{"ip": "198.51.100.97", "to": "10.1.1.11"}],
        )
    )

    assert loose_ends(found) == (
        "firewall[1].ip: 198.51.100.99 is not in public",
        "port_forwarding[0].ip: 198.51.100.98 is not in public",
        "static_nat[0].ip: 198.51.100.97 is not in public",
    )
