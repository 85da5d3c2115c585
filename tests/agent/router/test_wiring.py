from dataclasses import replace

import pytest

from agent.net.names import Names
from agent.net.segments import Plug
from agent.router.document import read
from agent.router.wiring import Observed, Seen, Steps, steps, wanted
from tests.lab.tools.documents import address, document, network

NAMES = Names()
GUEST, PUBLIC = NAMES.cable(network(), "guest"), NAMES.cable(network(), "pub0")
GUEST_MAC, PUBLIC_MAC = "02:00:00:00:01:01", "02:00:00:00:01:02"
PLUGS = {"guest": Plug("cpb-x1001", 1450), "pub0": Plug("cloudbr0", 1500), "pub101": Plug("cpb1234-101", 1500)}
SPACE = NAMES.space(network())
NOTHING = Observed({}, frozenset())
SECOND = {"ip": "203.0.113.11", "gateway": "203.0.113.1", "vlan": "vlan://101"}


def wiring(**given):
    own = {"guest_mac": GUEST_MAC, "public_mac": PUBLIC_MAC}
    return wanted(NAMES, read(document(router=own, **given)), PLUGS)


def there(found):
    """What the kernel says when all of it is there."""
    cards = {
        card.name: Seen(
            card.mac, card.plug.mtu, True, card.addresses, card.plug.bridge, cable_mtu=card.plug.mtu, cable_up=True
        )
        for card in found.cards
    }
    return Observed(cards, frozenset(card.cable for card in found.cards), True, found.routes, found.rules)


def test_a_router_is_made_card_by_card():
    assert steps(SPACE, wiring(), NOTHING) == Steps(
        outside=(
            f"link add {GUEST} mtu 1450 type veth peer name guest mtu 1450 address {GUEST_MAC} netns {SPACE}",
            f"link set {GUEST} addrgenmode none",
            f"link set {GUEST} master cpb-x1001",
            f"link set {GUEST} up",
            f"link add {PUBLIC} mtu 1500 type veth peer name pub0 mtu 1500 address {PUBLIC_MAC} netns {SPACE}",
            f"link set {PUBLIC} addrgenmode none",
            f"link set {PUBLIC} master cloudbr0",
            f"link set {PUBLIC} up",
        ),
        inside=(
            "link set lo up",
            "address add 10.1.1.1/24 dev guest",
            "address add 169.254.169.254/32 dev guest",
            "link set guest up",
            "address add 198.51.100.10/24 dev pub0",
            "link set pub0 up",
            "route add default via 198.51.100.1 dev pub0 src 198.51.100.10 proto 77",
        ),
    )


def test_what_is_there_needs_nothing():
    found = wiring(public=[address(10, source_nat=True), address(11), address(12, **SECOND)])

    assert steps(SPACE, found, there(found)) == Steps()
    assert not steps(SPACE, found, there(found))


def test_addresses_come_before_others_go():
    before = there(wiring(public=[address(10, source_nat=True), address(11)]))

    found = steps(SPACE, wiring(public=[address(10, source_nat=True), address(12)]), before)

    assert found == Steps(inside=("address add 198.51.100.12/24 dev pub0", "address del 198.51.100.11/24 dev pub0"))


def test_a_public_network_of_another_vlan_has_a_card_a_table_and_rules_of_its_own():
    before = there(wiring())
    cable = NAMES.cable(network(), "pub101")

    found = steps(SPACE, wiring(public=[address(10, source_nat=True), address(11, **SECOND)]), before)

    assert [line.split(" address ")[0] for line in found.outside] == [
        f"link add {cable} mtu 1500 type veth peer name pub101 mtu 1500",
        f"link set {cable} addrgenmode none",
        f"link set {cable} master cpb1234-101",
        f"link set {cable} up",
    ]
    assert found.inside == (
        "address add 203.0.113.11/24 dev pub101",
        "link set pub101 up",
        "route add default via 203.0.113.1 dev pub101 src 203.0.113.11 table 1001 proto 77",
        "rule add pref 1000 from all table main suppress_prefixlength 0",
        "rule add pref 2001 from 203.0.113.11 table 1001",
        "rule add pref 2001 from all fwmark 0x1 table 1001",
    )


def test_a_public_network_that_goes_takes_its_card_table_and_rules():
    before = there(wiring(public=[address(10, source_nat=True), address(11, **SECOND)]))

    found = steps(SPACE, wiring(), before)

    assert found == Steps(
        inside=(
            "link del pub101",
            "route del default via 203.0.113.1 dev pub101 src 203.0.113.11 table 1001 proto 77",
            "rule del pref 1000 from all table main suppress_prefixlength 0",
            "rule del pref 2001 from 203.0.113.11 table 1001",
            "rule del pref 2001 from all fwmark 0x1 table 1001",
        )
    )


def test_the_way_out_follows_the_source_nat_address():
    other = {**address(11, source_nat=True), "gateway": "198.51.100.2"}
    before = there(wiring())

    found = steps(SPACE, wiring(public=[other]), before)

    assert found.inside == (
        "address add 198.51.100.11/24 dev pub0",
        "address del 198.51.100.10/24 dev pub0",
        "route del default via 198.51.100.1 dev pub0 src 198.51.100.10 proto 77",
        "route add default via 198.51.100.2 dev pub0 src 198.51.100.11 proto 77",
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"bridge": "other"}, Steps(outside=(f"link set {GUEST} master cpb-x1001",))),
        ({"cable_up": False}, Steps(outside=(f"link set {GUEST} up",))),
        ({"cable_mtu": 1500}, Steps(outside=(f"link set {GUEST} mtu 1450",))),
        ({"mtu": 1500}, Steps(inside=("link set guest mtu 1450",))),
        ({"up": False}, Steps(inside=("link set guest up",))),
        ({"mac": "02:00:00:00:00:99"}, Steps(inside=("link del guest",))),
    ],
)
def test_what_somebody_changed_is_put_right(change, expected):
    found = wiring()
    seen = there(found)

    seen = replace(seen, cards={**seen.cards, "guest": replace(seen.cards["guest"], **change)})

    assert steps(SPACE, found, seen) == expected


def test_an_end_without_the_other_is_removed_first():
    found = wiring()

    made = steps(SPACE, found, Observed({}, frozenset({GUEST})))

    assert made.outside[:2] == (
        f"link del {GUEST}",
        f"link add {GUEST} mtu 1450 type veth peer name guest mtu 1450 address {GUEST_MAC} netns {SPACE}",
    )


def test_cards_without_a_given_mac_keep_the_one_they_have_wherever_they_run():
    first, second = (wanted(NAMES, read(document()), PLUGS).cards for _ in range(2))

    assert first == second
    assert {card.mac[:3] for card in first} == {"02:"}
    assert first[0].mac != wanted(NAMES, read(document(2)), PLUGS).cards[0].mac


def test_the_router_of_a_shared_network_leaves_by_its_gateway():
    found = wanted(NAMES, read(document(kind="Shared", public=[], router={"guest_ip": "10.1.1.2"})), PLUGS)

    assert [card.name for card in found.cards] == ["guest"]
    assert found.cards[0].addresses == ("10.1.1.2/24", "169.254.169.254/32")
    assert found.routes == ("default via 10.1.1.1 dev guest",)


def test_names_fit_into_the_kernel():
    for names in (Names(), Names("abcd")):
        assert {len(names.cable(network(number), card)) for number in range(9) for card in ("guest", "pub4094")} == {15}
        assert names.cables().fullmatch(names.cable(network(), "guest"))
        assert names.network_of(names.space(network())) == network()
    assert Names().network_of("other") == ""
    assert Names().network_of(f"xx-{network()}") == ""
