"""The console of a tenant's machine, through the relay of the product: what the guest shows, and keys that it hears."""

import struct
import time

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.lab.tools.hosts import until

ENTER = 0xFF0D


class Viewer:
    """As little of RFB 3.8 (RFC 6143) as shows a picture: raw pixels of 32 bits."""

    def __init__(self, said):
        address = f"ws://{said['host']}:{said['port']}/{said['path']}"
        self.socket = connect(
            address, subprotocols=["binary", f"token.{said['token']}"], compression=None, max_size=None, legacy=True
        )
        self.left = b""

    def enter(self):
        assert self.read(12) == b"RFB 003.008\n"
        self.socket.send(b"RFB 003.008\n")
        assert self.read(2) == b"\1\1"
        self.socket.send(b"\1")
        assert self.read(4) == bytes(4)
        self.socket.send(b"\1")
        self.width, self.height = struct.unpack(">HH", self.read(4))
        self.read(16)
        self.name = self.read(struct.unpack(">I", self.read(4))[0])
        self.socket.send(struct.pack(">B3xBBBBHHHBBBxxx", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))
        self.socket.send(struct.pack(">BxHii", 2, 2, 0, -223))  # raw, and sizes of the screen
        return self

    def read(self, size):
        while len(self.left) < size:
            self.left += self.socket.recv(timeout=20)
        data, self.left = self.left[:size], self.left[size:]
        return data

    def picture(self):
        """The whole screen, as it is now."""
        self.socket.send(struct.pack(">BBHHHH", 3, 0, 0, 0, self.width, self.height))
        rows = [bytearray(4 * self.width) for _ in range(self.height)]
        while True:
            kind = self.read(1)[0]
            if kind == 0:
                break
            assert kind == 2  # a bell
        for _ in range(struct.unpack(">xH", self.read(3))[0]):
            x, y, width, height, encoding = struct.unpack(">HHHHi", self.read(12))
            if encoding == -223:
                self.width, self.height = width, height
                return self.picture()
            for row in range(y, y + height):
                rows[row][4 * x : 4 * (x + width)] = self.read(4 * width)
        return bytes(b"".join(rows))

    def type(self, *symbols):
        for each in symbols:
            for down in (1, 0):
                self.socket.send(struct.pack(">BBxxI", 4, down, each))


@pytest.fixture
def viewer(alice):
    said = alice.api.call("createConsoleEndpoint", virtualmachineid=alice.vm["id"])["consoleendpoint"]["websocket"]
    made = Viewer(said)
    yield made
    made.socket.close()


def colours(picture):
    return {picture[at : at + 3] for at in range(0, len(picture), 4)}


def test_the_console_shows_what_the_guest_shows_and_takes_keys(site, alice, viewer):
    viewer.enter()

    until(lambda: len(colours(viewer.picture())) > 1, 120, "the screen stays empty")
    time.sleep(2)  # a cursor that blinks changes less than a line of letters does
    before = viewer.picture()
    viewer.type(*b"somebody", ENTER)

    until(lambda: different(before, viewer.picture()) > 200, 20, "no key is seen")
    assert viewer.width >= 640


def different(one, other):
    if len(one) != len(other):
        return 0
    return sum(one[at : at + 3] != other[at : at + 3] for at in range(0, len(one), 4))


def test_the_console_ends_with_the_machine(site, alice):
    vm = alice.deploy(alice.net, name="alice-seen")
    said = alice.api.call("createConsoleEndpoint", virtualmachineid=vm["id"])["consoleendpoint"]["websocket"]
    viewer = Viewer(said).enter()

    alice.api.call("stopVirtualMachine", id=vm["id"], forced="true")

    with pytest.raises(ConnectionClosed) as ended:
        viewer.socket.recv(timeout=20)
    assert ended.value.rcvd.code == 4002
    alice.api.call("destroyVirtualMachine", id=vm["id"])
