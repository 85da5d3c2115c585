"""The test card, as a viewer sees it: by RFC 6143, read here independently of what draws it."""

import struct
from datetime import UTC, datetime

import pytest

from apps.consoles import rfb
from apps.consoles.card import Card
from tests.consoles.conftest import end_of, token_of

ASK = struct.Struct(">BBHHHH")
RED, PAPER = (0xC0, 0, 0), (0x14, 0x1A, 0x22)


class Viewer:
    def __init__(self, socket, stream):
        self.socket, self.stream = socket, stream
        stream.enter()
        self.width, self.height = struct.unpack(">HH", stream.read(4))
        self.format = stream.read(16)
        self.name = stream.read(struct.unpack(">I", stream.read(4))[0]).decode()
        self.pixels = {}

    def see(self, incremental=False, bits=32):
        """The rows that came."""
        self.socket.send(ASK.pack(3, incremental, 0, 0, self.width, self.height))
        kind, count = struct.unpack(">BxH", self.stream.read(4))
        x, top, width, height, encoding = struct.unpack(">HHHHi", self.stream.read(12))
        assert (kind, count, x, width, encoding) == (0, 1, 0, self.width, 0)
        data = self.stream.read(width * height * bits // 8)
        for y in range(height):
            self.pixels[top + y] = data[y * width * bits // 8 : (y + 1) * width * bits // 8]
        return range(top, top + height)

    def at(self, x, y):
        blue, green, red, _ = self.pixels[y][4 * x : 4 * x + 4]
        return red, green, blue

    def type(self, *symbols):
        for each in symbols:
            for down in (1, 0):
                self.socket.send(struct.pack(">BBxxI", 4, down, each))


@pytest.fixture
def viewer(alice, view, stream, cloud):
    cloud.screens.clear()
    socket = view(token_of(alice))
    return Viewer(socket, stream(socket))


def test_a_simulated_machine_shows_its_name_under_bars_of_colour(viewer):
    rows = viewer.see()

    assert (viewer.name, viewer.width, viewer.height) == ("web-1", 640, 400)
    assert viewer.format == struct.pack(">BBBBHHHBBBxxx", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
    assert rows == range(400)
    bars = [viewer.at(x, 50) for x in range(45, 640, 91)]
    assert len(set(bars)) == 7
    assert viewer.at(480, 50) == RED
    assert viewer.at(10, 180) == PAPER
    assert {viewer.at(x, y) for x in range(24, 200) for y in range(172, 200)} > {PAPER}


def test_a_key_is_seen_soon_and_only_its_rows_come(viewer):
    viewer.see()
    viewer.type(ord("h"))
    before = viewer.pixels[304]

    seen = set()
    while 304 not in seen:
        seen |= set(viewer.see(incremental=True))

    assert viewer.pixels[304] != before
    assert min(seen) >= 200


def test_pixels_come_as_the_viewer_wants_them(viewer):
    viewer.socket.send(struct.pack(">B3xBBBBHHHBBBxxx", 0, 16, 16, 1, 1, 31, 63, 31, 11, 5, 0))
    viewer.see(bits=16)

    assert viewer.pixels[50][2 * 480 : 2 * 480 + 2] == (0xC0 * 31 // 255 << 11).to_bytes(2, "big")


@pytest.mark.parametrize(
    "message",
    [
        bytes([99]),
        struct.pack(">BxxxI", 6, 1 << 30),
        struct.pack(">BxH", 2, 65535) + bytes(8),
        struct.pack(">B3xBBBBHHHBBBxxx", 0, 24, 24, 0, 1, 255, 255, 255, 0, 8, 16),
    ],
)
def test_what_no_viewer_sends_ends_the_card(viewer, message):
    viewer.socket.send(message)

    assert end_of(viewer.socket)[0] == 4009


def typed(*symbols):
    card = Card("x")
    for each in symbols:
        card.key(ord(each) if isinstance(each, str) else each, True)
    return card.typed, card.said


@pytest.mark.parametrize(
    ("symbols", "line", "last"),
    [
        ("hello", "hello", "o"),
        (("a", "b", 0xFF08), "a", "BackSpace"),
        (("a", 0xFF0D), "", "Return"),
        ((0xFFE3, 0xFFE9, 0xFFFF), "", "Ctrl Alt Delete"),
        ((0xFFE1, "A"), "A", "A"),
        ((" ",), " ", "Space"),
        ((0xFFC0,), "", "0xffc0"),
    ],
)
def test_keys_are_told_by_name(symbols, line, last):
    assert typed(*symbols) == (line, last)


def test_a_name_of_other_letters_and_any_length_fits():
    card = Card("Zürich 東京 " * 20)

    card.tick(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))

    assert all(len(card.picture.row(y)) == 640 for y in range(400))


def test_the_password_is_answered_by_des_with_its_bits_turned_round():
    """The vector of the textbooks: key 133457799BBCDFF1, text 0123456789ABCDEF, result 85E813540F0AB405."""
    key = bytes.fromhex("133457799BBCDFF1")
    password = bytes(int(f"{byte:08b}"[::-1], 2) for byte in key).decode("latin-1")
    block = bytes.fromhex("0123456789ABCDEF")

    assert rfb.answer(password, block * 2) == bytes.fromhex("85E813540F0AB405") * 2
