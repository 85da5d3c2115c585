"""The screen of a machine through the door of its host: after one answer the connection is a stream."""

import socket
import threading
import time
from types import SimpleNamespace

import pytest

from agent.http import server as door
from agent.http.calls import by
from agent.http.errors import Refused as Refusal
from apps.hypervisors.agent_client import Agents, Credentials
from apps.hypervisors.errors import Busy, Refused
from apps.hypervisors.libvirt import LibvirtHost
from tests.agent.authority import HOST

VM = "11111111-2222-3333-4444-555555555555"
FLOOD = bytes(range(256)) * (32 << 10)  # 8 MiB: more than all buffers on the way


@pytest.fixture
def screen():
    """Speaks first, as screens do, then a flood, then says back what it hears."""
    listener = socket.create_server(("127.0.0.1", 0))
    it = SimpleNamespace(port=listener.getsockname()[1], peers=[], heard=b"", listener=listener, left=threading.Event())

    def serve():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            it.peers.append(peer)
            threading.Thread(target=talk, args=(peer,), daemon=True).start()

    def talk(peer):
        try:
            peer.sendall(b"RFB 003.008\n" + FLOOD)
            while data := peer.recv(65536):
                it.heard += data
                peer.sendall(data)
        except OSError:
            pass
        it.left.set()

    threading.Thread(target=serve, daemon=True).start()
    yield it
    listener.close()
    for each in it.peers:
        each.close()


@pytest.fixture
def host(calls, agents, address, screen):
    def where(vm: str, deadline):
        if vm != VM:
            raise Refusal(f"machine {vm} has no screen")
        return {"host": "127.0.0.1", "port": screen.port, "password": "sesam", "seconds": 60}

    calls.register("console.address", where, by("vm"), changes=False)
    return LibvirtHost(agents, address)


def read(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(min(65536, size - len(data)))
        assert more, "the stream ended"
        data += more
    return data


def opened(host):
    found = host.console.open(VM, within=5)
    found.connection.settimeout(10)
    return found


def test_a_screen_is_passed_on_whole_both_ways(host, screen):
    found = opened(host)

    with found.connection as stream:
        assert found.password == "sesam"
        assert "sesam" not in repr(found)
        assert read(stream, 12) == b"RFB 003.008\n"
        time.sleep(0.3)  # what nobody reads waits on the way, and in the end it is all there
        assert read(stream, len(FLOOD)) == FLOOD
        stream.sendall(FLOOD[:300_000])
        assert read(stream, 300_000) == FLOOD[:300_000]
    assert screen.heard == FLOOD[:300_000]


def test_who_leaves_closes_the_screen(host, screen):
    with opened(host).connection as stream:
        read(stream, 12 + len(FLOOD))

    assert screen.left.wait(5)


def test_a_screen_that_closes_ends_the_stream(host, screen):
    with opened(host).connection as stream:
        read(stream, 12 + len(FLOOD))
        screen.peers[0].shutdown(socket.SHUT_RDWR)

        assert stream.recv(1) == b""


def test_no_screen_is_said_and_the_door_stays_open(host, screen, calls, agents, address):
    calls.register("power.runs", lambda deadline: True, by(), changes=False)

    with pytest.raises(Refused, match="has no screen"):
        host.console.open("00000000-0000-4000-8000-000000000000", within=5)
    screen.listener.close()
    screen.port = 1
    with pytest.raises(Refused, match="the screen does not answer"):
        host.console.open(VM, within=5)

    assert agents.call(address, "power.runs", {}, 5) is True


def test_screens_do_not_take_all_connections_of_a_host(host, monkeypatch, server):
    monkeypatch.setattr(server, "_screens", threading.BoundedSemaphore(1))

    with opened(host).connection, pytest.raises(Busy, match="screens of this host are looked at already"):
        host.console.open(VM, within=5)


def test_a_screen_is_for_the_manager_only(tmp_path, manager, address, host, screen):
    manager.authority.write_pair(tmp_path / "pair.pem", "some-host", HOST)
    stranger = LibvirtHost(Agents(Credentials(manager.authority_file, tmp_path / "pair.pem")), address)

    with pytest.raises(Refused):
        stranger.console.open(VM, within=5)

    assert screen.peers == []
    assert door.TUNNEL == "console.tunnel"
