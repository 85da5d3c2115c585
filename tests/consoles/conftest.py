"""The application as the web processes run it, a screen that speaks RFB on loopback, and a viewer."""

import os
import socket
import struct
import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from apps.accounts.services import sign_on
from apps.consoles import relay, rfb, services
from apps.hypervisors.base import ConsoleAddress
from cloudportal import processes

PASSWORD = "opensesa"  # noqa: S105 - of the screen in these tests
PICTURE = bytes(range(256)) * 1024


@pytest.fixture
def web(transactional_db, monkeypatch):
    """Its address. The application is the real one, in the server of the web processes."""
    monkeypatch.setattr(relay, "EVERY", 0.05)
    listener = socket.create_server(("127.0.0.1", 0))
    server = processes.server()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


class Screen:
    """A screen on loopback. It lets in who has the password, sends a picture, and then says back what it hears."""

    def __init__(self, picture=PICTURE):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.picture, self.inside, self.heard, self.sent = picture, [], b"", 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer):
        stream = peer.makefile("rb")
        peer.sendall(b"RFB 003.008\n")
        assert stream.read(12) == b"RFB 003.008\n"
        peer.sendall(bytes([1, 2]))
        challenge = os.urandom(16)
        assert stream.read(1) == b"\2"
        peer.sendall(challenge)
        if stream.read(16) != rfb.answer(PASSWORD, challenge):
            peer.sendall(struct.pack(">II", 1, 7) + b"no good")
            peer.close()
            return
        peer.sendall(bytes(4))
        self.inside.append(peer)
        try:
            stream.read(1)
            for start in range(0, len(self.picture), 65536):
                peer.sendall(self.picture[start : start + 65536])
                self.sent += len(self.picture[start : start + 65536])
            while data := stream.read1(65536):
                self.heard += data
                peer.sendall(data)
        except OSError:
            pass

    def close(self):
        for peer in self.inside:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def screen():
    made = Screen()
    yield made
    made.close()


@pytest.fixture
def alice(make, cloud, screen, transactional_db):
    """With a machine that runs, whose screen is there."""
    account = make.account()
    user = account.users.get()
    user.account = account
    vm = make.vm(account, state="Running", host=make.host(), display_name="web-1")
    cloud.screens[str(vm.uuid)] = ConsoleAddress("127.0.0.1", screen.port, PASSWORD, 60)
    return SimpleNamespace(user=user, caller=sign_on.caller_of(user, "session"), vm=vm)


@pytest.fixture
def view(web):
    """``view(token)``: a WebSocket, closed after the test."""
    made = []

    def open_one(token, origin=f"http://{web}", protocols=("binary",), cookie="", address=relay.PATH):
        headers = {"Cookie": f"portal={cookie}"} if cookie else {}
        said = [*protocols, *([f"token.{token}"] if token else [])]
        made.append(
            connect(
                f"ws://{web}{address}",
                origin=origin,
                subprotocols=said,
                additional_headers=headers,
                compression=None,
                legacy=True,  # closed by us, not by a "with"
            )
        )
        return made[-1]

    yield open_one
    for each in made:
        each.close()


class Stream:
    def __init__(self, socket):
        self.socket, self.left = socket, b""

    def read(self, size):
        while len(self.left) < size:
            self.left += self.socket.recv(timeout=10)
        data, self.left = self.left[:size], self.left[size:]
        return data

    def enter(self):
        """As far as the first word of the screen itself."""
        said = self.read(12)
        self.socket.send(b"RFB 003.008\n")
        ways = self.read(2)
        self.socket.send(b"\1")
        result = self.read(4)
        self.socket.send(b"\1")
        return said, ways, result


@pytest.fixture
def stream():
    return Stream


def token_of(alice):
    return services.create_ticket(vm=alice.vm, user=alice.user)


def end_of(socket):
    """Code and reason of the close that comes."""
    try:
        while True:
            socket.recv(timeout=10)
    except ConnectionClosed as closed:
        return closed.rcvd.code, closed.rcvd.reason


def until(true, patience=5.0):
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
