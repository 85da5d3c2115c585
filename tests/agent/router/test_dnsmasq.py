import os
from pathlib import Path

import pytest

from agent.router.dnsmasq import Daemon, render
from agent.router.document import read
from tests.lab.tools.documents import ROUTER, card, document, mac

EXPECTED = Path(__file__).parent / "expected"
FOLDER = Path("/state/routers/n1")


def rendered(mtu=1450, **given):
    return render(read(document(**given)), FOLDER, mtu)


def options(**given):
    return [line for line in rendered(**given).configuration.splitlines() if line.startswith("dhcp-option=")]


def test_the_whole_configuration(monkeypatch):
    monkeypatch.setattr("agent.router.dnsmasq.USERS", ("nobody",))

    found = rendered(dhcp=[card(10), card(11, "db", default=False)])

    assert found.configuration == (EXPECTED / "dnsmasq.conf").read_text()
    assert found.reservations == f"{mac(10)},10.1.1.10,vm10\n{mac(11)},set:extra,10.1.1.11,db\n"
    assert found.names == "10.1.1.1 data-server\n10.1.1.10 vm10\n10.1.1.11 db\n"


def test_cards_and_names_are_lists_of_their_own_and_no_reason_to_restart():
    assert rendered(dhcp=[card(10)]).digest == rendered(dhcp=[card(10), card(11)]).digest
    assert rendered(mtu=1500).digest != rendered(mtu=1450).digest


def test_without_dns_the_name_servers_of_the_document_are_told():
    text = rendered(services=["Dhcp"], dns=["8.8.8.8", "9.9.9.9"]).configuration

    assert "port=0\n" in text
    assert "server=8.8.8.8" not in text.splitlines()
    assert "dhcp-option=tag:!extra,option:dns-server,8.8.8.8,9.9.9.9" in text


def test_without_dhcp_there_is_only_dns():
    text = rendered(services=["Dns"]).configuration

    assert "dhcp" not in text
    assert "server=198.51.100.1\n" in text


def test_without_both_there_is_nothing():
    assert rendered(services=[name for name in ROUTER if name not in ("Dhcp", "Dns")]) is None


def test_a_network_without_a_domain_tells_none():
    text = rendered(domain="").configuration

    assert "domain=" not in text.replace("option:domain", "")
    assert "local=" not in text
    assert "dhcp-option=tag:!extra,option:domain-name" not in text


def test_on_a_shared_network_the_gateway_and_the_router_are_two():
    given = {"kind": "Shared", "public": [], "router": {"guest_ip": "10.1.1.2"}}

    assert options(**given)[1:4:2] == [
        "dhcp-option=tag:!extra,option:router,10.1.1.1",
        "dhcp-option=tag:!extra,option:dns-server,10.1.1.2",
    ]


@pytest.fixture
def daemon(tmp_path):
    """A process of ours that looks like the daemon of a router with one card and that has read its lists."""
    found = Daemon(tmp_path, tmp_path / "no-namespace")
    wanted = render(read(document(dhcp=[card(10)])), tmp_path, 1450)
    (tmp_path / "reservations").write_text(wanted.reservations)
    (tmp_path / "names").write_text(wanted.names)
    (tmp_path / "dnsmasq.pid").write_text(f"{os.getpid()}\n")
    return found


def verdict(daemon, monkeypatch, *, running, is_in=True, card_number=7, mtu=1450, **given):
    """What is to be done when a process with the configuration ``running`` is there."""
    wanted = read(document(**{"dhcp": [card(10)], **given}))
    command = f"dnsmasq --conf-file={daemon.folder}/dnsmasq-{running}-7.conf" if running else ""
    monkeypatch.setattr(Daemon, "card", lambda self: card_number)
    monkeypatch.setattr("agent.router.space.command", lambda pid: command)
    monkeypatch.setattr("agent.router.space.is_in", lambda pid, where: is_in)
    return daemon.verdict(render(wanted, daemon.folder, mtu), wanted)


def test_only_what_differs_is_done(daemon, monkeypatch):
    same = render(read(document()), daemon.folder, 1450).digest

    assert verdict(daemon, monkeypatch, running=same) == ""
    assert verdict(daemon, monkeypatch, running=same, dhcp=[card(10), card(11)]) == "reload"
    assert verdict(daemon, monkeypatch, running=same, dhcp=[card(10, "renamed")]) == "reload"
    assert verdict(daemon, monkeypatch, running=same, mtu=1500) == "restart"
    assert verdict(daemon, monkeypatch, running="another") == "restart"
    assert verdict(daemon, monkeypatch, running=same, is_in=False) == "restart"
    assert verdict(daemon, monkeypatch, running=same, card_number=8) == "restart"
    assert verdict(daemon, monkeypatch, running="") == "restart"
    assert verdict(daemon, monkeypatch, running=same, services=["SourceNat"]) == "stop"


def test_a_lease_is_dropped_when_its_address_is_another_cards(daemon, monkeypatch):
    same = render(read(document()), daemon.folder, 1450).digest
    (daemon.folder / "leases").write_text(f"99 {mac(10)} 10.1.1.10 vm10 *\n99 {mac(12)} 10.1.1.12 vm12 *\n")

    assert verdict(daemon, monkeypatch, running=same) == ""
    assert verdict(daemon, monkeypatch, running=same, dhcp=[card(10), card(12, mac=mac(13))]) == "restart"

    daemon._drop_outdated_leases(read(document(dhcp=[card(10), card(12, mac=mac(13))])))
    assert daemon.leases() == [["99", mac(10), "10.1.1.10", "vm10", "*"]]
