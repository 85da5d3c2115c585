"""Who gets in at an agent, whom the manager's driver talks to, and what both write down of the others."""

import dataclasses
import socket
import ssl
import time
from contextlib import suppress

import pytest

from agent.http.calls import by
from agent.http.identity import Identity
from agent.http.report import Reporter
from apps.hypervisors.agent_client import Agents, Credentials
from apps.hypervisors.base import HostAddress
from apps.hypervisors.errors import Busy, Refused
from tests.agent.authority import DAY, HOST, MANAGER, Authority, now
from tests.agent.manager import FakeManager


@pytest.fixture
def called(calls):
    found = []
    calls.register("power.runs", lambda deadline: found.append("called") or True, by(), changes=False)
    return found


def with_pair(tmp_path, authority_file, authority, bearer, role, **validity):
    serial = authority.write_pair(tmp_path / "pair.pem", bearer, role, **validity)
    return Agents(Credentials(authority_file, tmp_path / "pair.pem")), serial


def reasons(lines, seconds=5):
    until = time.monotonic() + seconds
    while not lines.of("refused") and time.monotonic() < until:
        time.sleep(0.01)
    return [line["reason"] for line in lines.of("refused")]


def test_the_manager_may_call(agents, address, called):
    assert agents.call(address, "power.runs", {}, 5) is True
    assert called == ["called"]


def test_a_connection_is_kept_for_the_next_call(agents, address, called, monkeypatch):
    opened, real = [], socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda *args: opened.append(args) or real(*args))

    for _ in range(5):
        agents.call(address, "power.runs", {}, 5)

    assert len(opened) == 1


def test_a_connection_that_the_agent_closed_is_not_used(agents, address, called, server, monkeypatch):
    monkeypatch.setattr("agent.http.server.IDLE", 0.05)
    agents.call(address, "power.runs", {}, 5)
    time.sleep(0.3)

    assert agents.call(address, "power.runs", {}, 5) is True


@pytest.mark.parametrize(
    ("bearer", "role", "validity", "reason"),
    [
        ("manager", MANAGER, {"begin": now() - 9 * DAY, "end": now() - DAY}, "certificate has expired"),
        ("some-host", HOST, {}, f"the certificate of some-host is not one of {MANAGER}"),
    ],
    ids=["expired", "of another host"],
)
def test_a_wrong_certificate_is_turned_away(tmp_path, manager, address, called, lines, bearer, role, validity, reason):
    agents, _ = with_pair(tmp_path, manager.authority_file, manager.authority, bearer, role, **validity)

    with pytest.raises(Refused):
        agents.call(address, "power.runs", {}, 5)

    assert called == []
    assert reasons(lines) == [reason]


def test_a_key_of_another_authority_is_turned_away(tmp_path, manager, address, called, lines):
    agents, _ = with_pair(tmp_path, manager.authority_file, Authority(), "manager", MANAGER)

    with pytest.raises(Refused):
        agents.call(address, "power.runs", {}, 5)

    assert called == []
    assert "certificate" in reasons(lines)[0]


def test_a_revoked_manager_is_turned_away_also_on_a_connection_that_is_open(
    tmp_path, manager, address, called, lines, identity
):
    agents, serial = with_pair(tmp_path, manager.authority_file, manager.authority, "manager", MANAGER)
    agents.call(address, "power.runs", {}, 5)

    identity.revoke([f"0{serial.lower()}"])

    with pytest.raises(Refused, match="revoked"):
        agents.call(address, "power.runs", {}, 5)
    assert called == ["called"]
    assert reasons(lines) == [f"certificate {serial} was revoked"]
    assert Identity(identity.state).revoked == {serial}


def test_who_shows_no_certificate_is_turned_away(server, manager, lines):
    context = ssl.create_default_context(cafile=str(manager.authority_file))
    context.check_hostname = False
    got = b""

    with (
        suppress(OSError),
        context.wrap_socket(socket.create_connection(("127.0.0.1", server.port))) as secure,
    ):
        secure.sendall(b"GET /v1/hello HTTP/1.1\r\n\r\n")
        got = secure.recv(100)

    assert got == b""
    assert reasons(lines) == ["PEER_DID_NOT_RETURN_A_CERTIFICATE"]


@pytest.mark.parametrize("what", ["of another host", "revoked", "of a manager", "of another authority"])
def test_a_host_that_is_not_the_right_one_is_not_called(tmp_path, manager, address, called, server, what, caplog):
    revoked = frozenset[str]()
    if what == "of another host":
        address = dataclasses.replace(address, uuid="99999999-0000-0000-0000-000000000000")
    elif what == "revoked":
        serial = manager.authority.write_pair(server._identity.pair, address.uuid, HOST)
        revoked = frozenset([serial])
    elif what == "of a manager":
        manager.authority.write_pair(server._identity.pair, address.uuid, MANAGER)
    else:
        Authority().write_pair(server._identity.pair, address.uuid, HOST)
    agents = Agents(Credentials(manager.authority_file, manager.pair, lambda: revoked))

    with pytest.raises(Refused):
        agents.call(address, "power.runs", {}, 5)

    assert called == []
    assert caplog.text.count("WARNING") == 1


def test_a_renewed_certificate_is_used_without_a_restart(agents, address, called, server, manager, lines):
    agents.call(address, "power.runs", {}, 5)
    server._identity.pair.write_text(manager.authority.pair(address.uuid, HOST, end=now() - DAY / 2)[0])

    assert agents.call(address, "power.runs", {}, 5) is True  # on the connection that is open
    with pytest.raises(Refused, match="expired"):
        Agents(Credentials(manager.authority_file, manager.pair)).call(address, "power.runs", {}, 5)


def test_nobody_at_the_address_means_that_nothing_was_begun(agents, address):
    nobody = dataclasses.replace(address, url="http://127.0.0.1:1")

    with pytest.raises(Busy, match="cannot be reached"):
        agents.call(nobody, "power.runs", {}, 5)


def test_a_host_that_is_no_agent_at_all(agents, manager):
    with pytest.raises(Refused):
        agents.call(HostAddress(1, "h", manager.url, "some-host"), "power.runs", {}, 5)


def test_more_connections_than_the_host_bears_are_told_to_come_later(agents, address, called, server, lines):
    held = [server._open.acquire(blocking=False) for _ in range(200)]
    with pytest.raises(Busy):
        agents.call(address, "power.runs", {}, 5)
    assert reasons(lines) == ["too many connections"]
    for _ in filter(None, held):
        server._open.release()


def test_another_manager_gets_no_reports(tmp_path, identity, manager, log, stop, lines):
    with FakeManager(tmp_path / "other", authority=Authority()).serving() as other:
        identity.save_enrolment(identity.enrolled["host"], other.url)
        Reporter(identity, dict, log, interval=0.05).start(stop)
        until = time.monotonic() + 10
        while not lines.of("report not delivered") and time.monotonic() < until:
            time.sleep(0.01)

        assert "certificate verify failed" in lines.of("report not delivered")[0]["error"]
        assert other.reports == []
