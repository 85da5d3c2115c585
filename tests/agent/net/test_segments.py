"""What would be done to a host's links; nothing here touches one."""

from dataclasses import replace

import pytest

from agent.net.layout import Physical, Segment
from agent.net.names import Names
from agent.net.segments import Link, Plan, bridge_of, mtu_of, plan
from agent.state.errors import Failed, Invalid

NAMES = Names()
MULTICAST = Physical("tun", "eth2", "vxlan")
UNICAST = Physical("tun", "eth2", "vxlan", ("10.98.0.12", "10.98.0.13"))
CARD, BRIDGE = Physical("pub", "eth1"), Physical("pub", "cloudbr0")
HOST = {
    "eth1": Link("eth1", "", "", 1500, True),
    "eth2": Link("eth2", "", "", 1500, True, "", ("10.98.0.11",)),
    "cloudbr0": Link("cloudbr0", "bridge", "", 1500, True, "", ("10.99.0.11",)),
}
MULTICAST_WORDS = "type vxlan id 70000 dev eth2 dstport 4789 ttl 10 group 239.1.17.112"
UNICAST_WORDS = "type vxlan id 70000 dev eth2 dstport 4789 ttl 10 local 10.98.0.11"
TUNNEL, VXLAN_BRIDGE = "cpx-70000", "cpb-x70000"


def planned(*segments, links=(), remotes=None, prune=True):
    return plan(NAMES, segments, HOST | {link.name: link for link in links}, remotes or {}, prune=prune)


def made(words=MULTICAST_WORDS):
    """A VXLAN segment as it is when it is there."""
    return (
        Link(VXLAN_BRIDGE, "bridge", "", 1450, True),
        Link(TUNNEL, "vxlan", VXLAN_BRIDGE, 1450, True, words),
    )


def test_a_vxlan_has_a_bridge_and_a_group_of_its_own():
    assert planned(Segment(MULTICAST, 70_000)) == Plan(
        links=(
            f"link add {VXLAN_BRIDGE} type bridge forward_delay 0 stp_state 0 mcast_snooping 0",
            f"link set {VXLAN_BRIDGE} addrgenmode none",
            f"link set {VXLAN_BRIDGE} mtu 1450",
            f"link set {VXLAN_BRIDGE} up",
            f"link add name {TUNNEL} {MULTICAST_WORDS}",
            f"link set {TUNNEL} addrgenmode none",
            f"link set {TUNNEL} mtu 1450",
            f"link set {TUNNEL} master {VXLAN_BRIDGE}",
            f"link set {TUNNEL} up",
        )
    )


def test_without_multicast_the_other_hosts_are_told_one_by_one():
    found = planned(Segment(UNICAST, 70_000))

    assert f"link add name {TUNNEL} {UNICAST_WORDS}" in found.links
    assert found.flood == (
        f"fdb append 00:00:00:00:00:00 dev {TUNNEL} dst 10.98.0.12",
        f"fdb append 00:00:00:00:00:00 dev {TUNNEL} dst 10.98.0.13",
    )


def test_a_host_that_comes_or_goes_changes_one_line():
    known = {TUNNEL: frozenset({"10.98.0.12", "10.98.0.14"})}

    assert planned(Segment(UNICAST, 70_000), links=made(UNICAST_WORDS), remotes=known) == Plan(
        flood=(
            f"fdb append 00:00:00:00:00:00 dev {TUNNEL} dst 10.98.0.13",
            f"fdb del 00:00:00:00:00:00 dev {TUNNEL} dst 10.98.0.14",
        )
    )


def test_what_is_there_needs_nothing():
    known = {TUNNEL: frozenset(UNICAST.remotes)}

    assert planned(Segment(MULTICAST, 70_000), links=made()) == Plan()
    assert planned(Segment(UNICAST, 70_000), links=made(UNICAST_WORDS), remotes=known) == Plan()
    assert not planned(Segment(MULTICAST, 70_000), links=made())


def test_a_tunnel_that_is_another_is_made_anew():
    found = planned(Segment(UNICAST, 70_000), links=made(), remotes={TUNNEL: frozenset(["239.1.17.112"])})

    assert found.links[:2] == (f"link del {TUNNEL}", f"link add name {TUNNEL} {UNICAST_WORDS}")
    assert len(found.flood) == 2


def test_a_vlan_is_a_link_on_its_card():
    name, bridge = NAMES.tunnel(Segment(CARD, 101)), NAMES.bridge(Segment(CARD, 101))

    found = planned(Segment(CARD, 101))

    assert found.links[4:] == (
        f"link add link eth1 name {name} type vlan id 101",
        f"link set {name} addrgenmode none",
        f"link set {name} mtu 1500",
        f"link set {name} master {bridge}",
        f"link set {name} up",
    )


def test_untagged_traffic_uses_the_operator_s_bridge_as_it_is():
    assert planned(Segment(BRIDGE)) == Plan()
    assert bridge_of(NAMES, Segment(BRIDGE), HOST) == "cloudbr0"


def test_untagged_traffic_makes_a_bridge_on_a_card_that_is_nobody_s():
    bridge = NAMES.bridge(Segment(CARD))

    found = planned(Segment(CARD))

    assert found.links[3:] == (f"link set {bridge} up", f"link set eth1 master {bridge}")
    assert bridge_of(NAMES, Segment(CARD), HOST) == bridge


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"addresses": ("10.99.0.11",)}, "eth1 has an address; put it into a bridge and name that"),
        ({"master": "cloudbr0"}, "eth1 is a port of cloudbr0; name that instead"),
    ],
)
def test_a_card_that_has_another_use_is_not_taken(change, text):
    with pytest.raises(Failed) as refusal:
        planned(Segment(CARD), links=[replace(HOST["eth1"], **change)])

    assert str(refusal.value) == f"physical network 'pub': {text}"


def test_a_card_that_is_not_there_is_named():
    with pytest.raises(Failed, match=r"^physical network 'x': this host has no eth9$"):
        planned(Segment(Physical("x", "eth9"), 7))


def test_one_number_cannot_be_two_vxlans():
    other = Physical("other", "eth1", "vxlan")

    with pytest.raises(Invalid, match=r"^segment: VXLAN 7 is wanted on two physical networks of one host$"):
        planned(Segment(MULTICAST, 7), Segment(other, 7))


def test_what_is_not_wanted_goes_and_nothing_else():
    bridge = NAMES.bridge(Segment(CARD))
    strangers = [Link("virbr0", "bridge", "", 1500, True), Link("vxlan7", "vxlan", "virbr0", 1450, True)]
    card = replace(HOST["eth1"], master=bridge)

    found = planned(links=[*made(), *strangers, card, Link(bridge, "bridge", "", 1500, True)])

    assert found == Plan(
        links=(f"link del {TUNNEL}", f"link del {VXLAN_BRIDGE}", "link set eth1 nomaster", f"link del {bridge}")
    )


def test_a_tunnel_without_its_bridge_goes_too():
    assert planned(links=[replace(made()[1], master="")]) == Plan(links=(f"link del {TUNNEL}",))


def test_what_somebody_is_plugged_into_stays_and_is_named():
    tap = Link("vnet3", "tun", VXLAN_BRIDGE, 1450, True)

    assert planned(links=[*made(), tap]) == Plan(kept=(VXLAN_BRIDGE,))


def test_adding_removes_nothing():
    assert planned(Segment(BRIDGE), links=made(), prune=False) == Plan()


def test_the_tunnel_takes_its_part_of_a_packet():
    jumbo = {**HOST, "eth2": replace(HOST["eth2"], mtu=9000)}

    assert mtu_of(Segment(MULTICAST, 7), HOST) == 1450
    assert mtu_of(Segment(MULTICAST, 7), jumbo) == 8950
    assert mtu_of(Segment(CARD, 7), HOST) == 1500


def test_an_mtu_that_changed_is_set():
    bridge, tunnel = made()

    found = planned(Segment(MULTICAST, 70_000), links=[bridge, tunnel, replace(HOST["eth2"], mtu=9000)])

    assert found == Plan(links=(f"link set {VXLAN_BRIDGE} mtu 8950", f"link set {TUNNEL} mtu 8950"))


@pytest.mark.parametrize("prefix", ["cp", "abcd", "x"])
def test_names_are_ours_by_their_form_and_fit_into_the_kernel(prefix):
    names = Names(prefix)
    segments = [Segment(MULTICAST, 16_777_215), Segment(CARD, 4094), Segment(CARD)]

    bridges = [names.bridge(segment) for segment in segments]
    tunnels = [names.tunnel(segment) for segment in segments[:2]]

    assert all(names.bridges.fullmatch(name) for name in bridges)
    assert all(names.tunnels.fullmatch(name) for name in tunnels)
    assert not any(names.bridges.fullmatch(name) for name in ("cloudbr0", "virbr0", "br0", *tunnels))
    assert max(map(len, bridges + tunnels)) <= 15


@pytest.mark.parametrize("prefix", ["", "abcde", "A", "1a", "a-"])
def test_a_prefix_is_short(prefix):
    with pytest.raises(ValueError, match="one to four small letters and digits"):
        Names(prefix)
