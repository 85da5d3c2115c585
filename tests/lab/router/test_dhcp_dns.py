import subprocess

import pytest

from tests.lab.tools.cloud import OUTSIDE
from tests.lab.tools.documents import card, mac
from tests.lab.tools.spaces import wait
from tests.lab.tools.traffic import resolve

DOMAIN = "cs1.cloud.internal"
CARDS = [card(10, "web"), card(11, "db", default=False), card(12, "old")]


@pytest.fixture(scope="module")
def guest(lab):
    lab.apply(dhcp=CARDS)
    return lab.guest(mac(10), "web")


@pytest.fixture(scope="module")
def upstream(world):
    """The name server of the internet, which the document names."""
    words = ["dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--pid-file"]
    words += ["--host-record=www.example.com,192.0.2.80", "--host-record=web.example.com,192.0.2.81"]
    process = subprocess.Popen(world.inet.words(*words))  # noqa: S603
    wait(lambda: _answers(world.inet), what="the name server")
    yield
    process.terminate()
    process.wait()


def _answers(space):
    try:
        return resolve(space, OUTSIDE, "www.example.com", patience=0.2)
    except OSError:
        return False


def test_a_client_gets_the_address_that_is_reserved_for_its_card(guest):
    lease = guest.dhcp()

    assert lease == {
        "ip": "10.1.1.10",
        "mask": "24",
        "router": "10.1.1.1",
        "dns": "10.1.1.1",
        "domain": DOMAIN,
        "search": DOMAIN,
        "hostname": "web",
        "mtu": "1450",
        "serverid": "10.1.1.1",
        "lease": "86400",
    }


def test_over_a_card_that_is_not_the_default_one_leads_no_route(lab, guest):
    second = lab.guest(mac(11), "db")

    lease = second.dhcp()

    assert {name: value for name, value in lease.items() if name in ("ip", "router", "dns", "domain", "mtu")} == {
        "ip": "10.1.1.11",
        "mtu": "1450",
    }


def test_a_stranger_gets_nothing(lab, guest):
    assert lab.guest(mac(99), "stranger").dhcp() is None


def test_the_mtu_of_the_document_is_told(lab, guest):
    lab.apply(mtu=1400)

    assert guest.dhcp()["mtu"] == "1400"
    lab.apply(mtu=None)


def test_a_new_card_is_known_without_a_restart(lab, guest):
    before = lab.host.processes()

    lab.apply(dhcp=[*CARDS, card(13, "new")])

    assert lab.guest(mac(13), "new").dhcp()["ip"] == "10.1.1.13"
    assert lab.host.processes() == before


def test_an_address_that_got_another_card_is_leased_to_it_at_once(lab, guest):
    """dnsmasq would refuse it for the day that the lease of the old card lasts."""
    assert lab.guest(mac(12), "old").dhcp()["ip"] == "10.1.1.12"

    lab.apply(dhcp=[*CARDS[:2], card(12, "heir", mac=mac(77))])

    assert lab.guest(mac(77), "heir").dhcp()["ip"] == "10.1.1.12"


def test_leases_outlive_the_server(lab, guest):
    guest.dhcp()
    leases = lab.host.root / "state" / "routers" / lab.network / "leases"
    wait(lambda: leases.read_text().count("10.1.1.10"), what="the lease on disk")

    lab.apply(mtu=1400)  # another configuration: a restart

    assert leases.read_text().count("10.1.1.10") == 1
    assert guest.dhcp("-r", "10.1.1.10")["ip"] == "10.1.1.10"
    lab.apply(mtu=None)


def test_names_of_the_network_are_known_inside(lab, guest):
    guest.dhcp()

    assert resolve(guest, "10.1.1.1", "web") == ["10.1.1.10"]
    assert resolve(guest, "10.1.1.1", f"db.{DOMAIN}") == ["10.1.1.11"]
    assert resolve(guest, "10.1.1.1", "data-server") == ["10.1.1.1"]
    assert resolve(guest, "10.1.1.1", f"nobody.{DOMAIN}") is None
    assert resolve(guest, "10.1.1.1", "nobody") is None


def test_a_name_that_changes_is_another_one_at_once(lab, guest):
    lab.apply(dhcp=[card(10, "www"), *CARDS[1:]])

    assert resolve(guest, "10.1.1.1", "www") == ["10.1.1.10"]
    assert resolve(guest, "10.1.1.1", "web") is None
    lab.apply(dhcp=CARDS)


def test_other_names_are_asked_outside(lab, guest, upstream):
    guest.dhcp()

    assert resolve(guest, "10.1.1.1", "www.example.com") == ["192.0.2.80"]


def test_names_of_one_network_are_not_those_of_another(lab, other, guest):
    other.apply(dhcp=[card(20, "secret")])
    second = other.guest(mac(20), "secret")
    second.dhcp()

    assert resolve(second, "10.1.1.1", "secret") == ["10.1.1.20"]
    assert resolve(guest, "10.1.1.1", "secret") is None
    assert resolve(second, "10.1.1.1", "web") is None
