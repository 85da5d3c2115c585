import pytest

from agent.net.layout import Layout, Physical, Segment
from agent.state.errors import Invalid

GUEST = Physical("tun", "eth2", "vxlan", ("10.98.0.12",))
PUBLIC = Physical("pub", "cloudbr0")
TEXT = {
    "physical": {
        "tun": {"device": "eth2", "isolation": "vxlan", "remotes": ["10.98.0.12"]},
        "pub": {"device": "cloudbr0"},
    },
    "guest": "tun",
    "public": "pub",
}


@pytest.fixture
def layout():
    return Layout.read(TEXT)


def test_a_layout_says_what_the_host_has(layout):
    assert layout == Layout({"tun": GUEST, "pub": PUBLIC}, "tun", "pub")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", Segment(PUBLIC)),
        ("untagged", Segment(PUBLIC)),
        ("vlan://untagged", Segment(PUBLIC)),
        ("101", Segment(PUBLIC, 101)),
        ("vlan:101", Segment(PUBLIC, 101)),
        ("vlan://101", Segment(PUBLIC, 101)),
        ("VLAN://101", Segment(PUBLIC, 101)),
    ],
)
def test_segments_are_written_in_many_ways(layout, words, expected):
    assert layout.public_segment(words) == expected


def test_a_label_of_its_own_goes_before_the_host_s_default(layout):
    assert layout.guest_segment("1001") == Segment(GUEST, 1001)
    assert layout.guest_segment("101", "pub") == Segment(PUBLIC, 101)


@pytest.mark.parametrize(
    ("words", "label", "text"),
    [
        ("4095", "pub", "segment: 4095 is no number of a vlan"),
        ("0", "pub", "segment: 0 is no number of a vlan"),
        ("16777216", "tun", "segment: 16777216 is no number of a vxlan"),
        ("vlan:101", "tun", "segment: physical network 'tun' is kept apart by vxlan, not by vlan"),
        ("blue", "tun", "segment: 'blue' is no segment"),
        ("101;reboot", "tun", "segment: '101;reboot' is no segment"),
        ("101", "other", "segment: this host has no physical network 'other'"),
    ],
)
def test_what_is_no_segment_of_the_host_is_refused(layout, words, label, text):
    with pytest.raises(Invalid) as refusal:
        layout.guest_segment(words, label)

    assert str(refusal.value) == text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"colour": "red"}, "colour: unknown key"),
        ({"guest": "other"}, "guest: this host has no physical network 'other'"),
        ({"physical": []}, "physical: must be an object"),
        ({"physical": {"a": {"device": "eth 0"}}}, "physical.a.device: 'eth 0' is no name of a network card"),
        ({"physical": {"a": {"device": "e" * 16}}}, f"physical.a.device: '{'e' * 16}' is no name of a network card"),
        (
            {"physical": {"a": {"device": "e", "isolation": "gre"}}},
            "physical.a.isolation: 'gre' is none of vlan, vxlan",
        ),
        ({"physical": {"a": {"device": "e", "port": 0}}}, "physical.a.port: must be a whole number from 1 to 65535"),
        ({"physical": {"a": {"device": "e", "mtu": 1}}}, "physical.a.mtu: unknown key"),
    ],
)
def test_a_layout_is_read_strictly(change, text):
    with pytest.raises(Invalid) as refusal:
        Layout.read({**TEXT, **change})

    assert str(refusal.value) == text
