import re
from pathlib import Path

import pytest

from agent.router.document import read
from agent.router.filter import stale
from agent.router.rules import digest, mark_of, render
from tests.lab.tools.documents import ROUTER, address, card, document, egress, forward, mac, machine, rule

EXPECTED = Path(__file__).parent / "expected"
WITHOUT_FIREWALL = [name for name in ROUTER if name != "Firewall"]


def rendered(**given):
    return render(read(document(**given)))


def chain(name, **given):
    """The lines of one chain, without its hook."""
    body = re.search(rf"    chain {re.escape(name)} {{\n(.*?)    }}\n", rendered(**given), re.DOTALL)[1]
    return [line.strip() for line in body.splitlines() if not line.strip().startswith("type ")]


def test_the_whole_rule_set_of_a_network():
    text = rendered(
        public=[address(10, source_nat=True), address(11), address(12)],
        dhcp=[card(10)],
        machines=[machine(10)],
        firewall=[rule(10, "tcp", 8022, sources=["203.0.113.0/24"]), rule(11, "icmp", icmp=(8, 0))],
        egress=[egress("tcp", 25)],
        port_forwarding=[forward(8022, 22)],
        static_nat=[{"ip": "198.51.100.11", "to": "10.1.1.11"}],
    )

    head, _, body = text.partition("\n\n")
    assert head == (f'table inet router\ndelete table inet router\ntable inet router {{\n    comment "{mark_of(text)}"')
    assert body == (EXPECTED / "router.nft").read_text()


def test_the_same_network_gives_the_same_text_and_another_one_another_digest():
    assert rendered() == rendered()
    assert rendered(generation=2) == rendered(generation=1)
    assert mark_of(rendered()) != mark_of(rendered(egress_default_allow=False))


def test_the_digest_is_that_of_the_body():
    text = rendered()

    assert mark_of(text) == digest(text.split("\n\n", 1)[1].removesuffix("}\n"))
    assert mark_of("table inet router {\n}\n") == ""


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (rule(10, "all"), "accept"),
        (rule(10, "all", sources=["203.0.113.7/32"]), "ip saddr 203.0.113.7 accept"),
        (rule(10, "tcp"), "meta l4proto tcp accept"),
        (rule(10, "udp", 53), "udp dport 53 accept"),
        (rule(10, "tcp", 1, 65535), "tcp dport 1-65535 accept"),
        (rule(10, "icmp", icmp=(-1, -1)), "ip protocol icmp accept"),
        (rule(10, "icmp", icmp=(3, -1)), "icmp type 3 accept"),
        (rule(10, "icmp", icmp=(None, None)), "ip protocol icmp accept"),
        (rule(10, "tcp", 22, sources=[]), "tcp dport 22 accept"),
        (rule(10, "tcp", 22, sources=["10.0.0.0/8", "0.0.0.0/0"]), "tcp dport 22 accept"),
        (rule(10, "tcp", 22, sources=["10.0.0.0/8", "10.1.0.0/16"]), "ip saddr 10.0.0.0/8 tcp dport 22 accept"),
        (
            rule(10, "tcp", 22, sources=["192.0.2.0/25", "192.0.2.128/25", "203.0.113.0/24"]),
            "ip saddr { 192.0.2.0/24, 203.0.113.0/24 } tcp dport 22 accept",
        ),
    ],
)
def test_a_firewall_rule_is_one_line(given, line):
    assert chain("to-198.51.100.10", firewall=[given]) == [line, "drop"]


def test_egress_rules_are_exceptions_from_the_default():
    rules = [egress("tcp", 25, to=["192.0.2.0/24"]), egress("icmp", sources=["10.1.1.10/32"], icmp=(8, -1))]
    words = ["ip saddr 10.1.1.0/24 ip daddr 192.0.2.0/24 tcp dport 25", "ip saddr 10.1.1.10 icmp type 8"]

    assert chain("egress", egress=rules) == [*(f"{one} drop" for one in words), "accept"]
    assert chain("egress", egress=rules, egress_default_allow=False) == [*(f"{one} accept" for one in words), "drop"]


def test_who_has_no_public_address_cannot_leave():
    mapped = [{"ip": "198.51.100.11", "to": "10.1.1.11"}]

    assert chain("egress", public=[]) == ["drop", "accept"]
    assert chain("egress", public=[address(11)], static_nat=mapped) == ["ip saddr != { 10.1.1.11 } drop", "accept"]


def test_without_the_firewall_service_what_is_translated_is_open_and_nothing_is_kept_in():
    given = {
        "services": WITHOUT_FIREWALL,
        "public": [address(10, source_nat=True), address(11), address(12)],
        "port_forwarding": [forward(8022, 22, sources=["203.0.113.0/24"])],
        "static_nat": [{"ip": "198.51.100.11", "to": "10.1.1.11"}],
        "egress_default_allow": False,
    }

    assert chain("to-198.51.100.10", **given) == ["ip saddr 203.0.113.0/24 tcp dport 8022 accept", "drop"]
    assert chain("to-198.51.100.11", **given) == ["accept", "drop"]
    assert "198.51.100.12 : drop" in rendered(**given)
    assert chain("egress", **given) == ["accept"]


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (forward(22, 22), "tcp dport 22 dnat ip to 10.1.1.10"),
        (forward(8022, 22), "tcp dport 8022 dnat ip to 10.1.1.10:22"),
        (forward((80, 90), (80, 90), protocol="udp"), "udp dport 80-90 dnat ip to 10.1.1.10"),
        (
            forward((8080, 8082), (80, 82)),
            "tcp dport 8080-8082 dnat ip to 10.1.1.10 : tcp dport map { 8080 : 80, 8081 : 81, 8082 : 82 }",
        ),
    ],
)
def test_ports_are_forwarded_one_by_one_where_a_range_moves(row, line):
    assert chain("destinations", port_forwarding=[row]) == [f"ip daddr 198.51.100.10 {line}"]


def test_a_forwarding_may_be_for_some_sources_only():
    row = forward(8022, 22, sources=["203.0.113.0/24"])

    assert chain("destinations", port_forwarding=[row]) == [
        "ip saddr 203.0.113.0/24 ip daddr 198.51.100.10 tcp dport 8022 dnat ip to 10.1.1.10:22"
    ]


def test_only_services_of_the_network_are_let_in():
    none = [
        'iifname "lo" accept',
        "ct direction reply accept",
        "ct state related accept",
        "icmp type echo-request accept",
    ]

    assert chain("input", services=["SourceNat"], machines=[machine(10)]) == [
        *none,
        'iifname "guest" meta l4proto tcp reject with tcp reset',
    ]
    assert chain("input", services=["Dhcp"])[4] == 'iifname "guest" udp dport 67 accept'


def test_metadata_is_for_cards_that_have_the_address_which_was_given_to_them():
    line = chain("input", machines=[machine(10), machine(11)])[6]

    assert line.endswith(f"ether saddr . ip saddr {{ {mac(10)} . 10.1.1.10, {mac(11)} . 10.1.1.11 }} accept")


def test_a_router_that_is_not_the_gateway_forwards_nothing():
    given = {"kind": "Shared", "public": [], "router": {"guest_ip": "10.1.1.2"}}

    assert chain("forward-guest", **given) == ["ct direction reply accept", "ct state related accept"]
    assert "chain egress" not in rendered(**given)


def test_packets_of_a_second_public_network_are_marked_for_its_gateway():
    second = {"gateway": "203.0.113.1", "vlan": "101"}
    given = {
        "public": [address(10, source_nat=True), {**address(11, **second), "ip": "203.0.113.11"}],
        "static_nat": [{"ip": "203.0.113.11", "to": "10.1.1.11"}],
    }

    assert [line for line in chain("ingress", **given) if "mark" in line] == [
        'iifname "pub*" ct direction original ct mark set ip daddr map { 203.0.113.11 : 0x1 }',
        'iifname "guest" ct direction original meta mark set ip saddr map { 10.1.1.11 : 0x1 }',
        'iifname "guest" ct direction reply meta mark set ct mark',
    ]
    assert "mark" not in "".join(chain("ingress"))


def test_connections_of_rules_that_went_are_ended_and_no_others():
    public = [address(10, source_nat=True), address(11), address(12)]
    mapped = [{"ip": "198.51.100.11", "to": "10.1.1.11"}]
    forwarded = [forward(8022, 22), forward(8023, 23), forward((1000, 2000), (1000, 2000), protocol="udp")]
    before = read(document(public=public, static_nat=mapped, port_forwarding=forwarded))

    def ended(**given):
        return stale(
            before, read(document(**{"public": public, "static_nat": mapped, "port_forwarding": forwarded, **given}))
        )

    assert ended() == []
    assert ended(firewall=[rule(10, "tcp", 8022)]) == []
    assert ended(port_forwarding=forwarded[1:]) == [
        ("--proto", "tcp", "--orig-dst", "198.51.100.10", "--orig-port-dst", "8022")
    ]
    assert ended(port_forwarding=forwarded[:2]) == [("--proto", "udp", "--orig-dst", "198.51.100.10")]
    assert ended(static_nat=[]) == [("--orig-dst", "198.51.100.11"), ("--reply-dst", "198.51.100.11")]
    assert ended(static_nat=[{"ip": "198.51.100.11", "to": "10.1.1.12"}]) == ended(static_nat=[])
    assert ended(public=public[:2]) == [("--orig-dst", "198.51.100.12"), ("--reply-dst", "198.51.100.12")]
    assert ended(public=[address(10), address(11, source_nat=True), address(12)]) == []
