"""The screen of a machine that is simulated: a test card, served as RFB 3.8 (RFC 6143) with raw pixels. It shows the
machine's name, bars of colours, the time, and what is typed.
"""

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from apps.consoles.picture import HIGH, Picture

WIDTH, HEIGHT = 640, 400
MARGIN, TYPED, CLOCK = 24, 300, 348  # where lines stand
MOST_TEXT, MOST_ENCODINGS = 64 << 10, 1024  # of one message: what is longer is none of a viewer's
INK, FAINT, PAPER, FIRST_BAR = 0, 1, 2, 3
COLOURS = (
    (0xF5, 0xF7, 0xFA),
    (0x9A, 0xA5, 0xB4),
    (0x14, 0x1A, 0x22),
    (0xC0, 0xC0, 0xC0),
    (0xC0, 0xC0, 0x00),
    (0x00, 0xC0, 0xC0),
    (0x00, 0xC0, 0x00),
    (0xC0, 0x00, 0xC0),
    (0xC0, 0x00, 0x00),
    (0x00, 0x00, 0xC0),
)
SHOWN = 60  # characters of a line that was typed
RETURN, BACKSPACE, DELETE = 0xFF0D, 0xFF08, 0xFFFF
HELD = {0xFFE3: "Ctrl", 0xFFE4: "Ctrl", 0xFFE9: "Alt", 0xFFEA: "Alt", 0xFFE1: "Shift", 0xFFE2: "Shift"}
NAMED = {RETURN: "Return", BACKSPACE: "BackSpace", DELETE: "Delete", 0xFF1B: "Escape", 0xFF09: "Tab"}
NAMED |= {0xFF51: "Left", 0xFF52: "Up", 0xFF53: "Right", 0xFF54: "Down"}
FORMAT = struct.Struct(">BBBBHHHBBBxxx")


class Strange(Exception):
    """A message that no viewer sends."""


@dataclass(frozen=True)
class Pixels:
    """How the viewer wants them."""

    bits: int = 32
    big: bool = False
    most: tuple[int, int, int] = (255, 255, 255)
    shifts: tuple[int, int, int] = (16, 8, 0)

    @classmethod
    def read(cls, data: bytes) -> "Pixels":
        bits, _, big, true_colour, *rest = FORMAT.unpack(data)
        if bits not in (8, 16, 32) or not true_colour or max(rest[3:]) > bits:
            raise Strange("pixels of this kind are not drawn")
        return cls(bits, bool(big), tuple(rest[:3]), tuple(rest[3:]))

    @property
    def said(self) -> bytes:
        return FORMAT.pack(self.bits, 24, self.big, True, *self.most, *self.shifts)

    def palette(self) -> list[bytes]:
        return [self._pixel(colour) for colour in COLOURS]

    def _pixel(self, colour: tuple[int, int, int]) -> bytes:
        parts = zip(colour, self.most, self.shifts, strict=True)
        value = sum(part * most // 255 << shift for part, most, shift in parts)
        return (value & (1 << self.bits) - 1).to_bytes(self.bits // 8, "big" if self.big else "little")


@dataclass
class Card:
    name: str
    typed: str = ""
    said: str = ""
    held: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.picture = Picture(WIDTH, HEIGHT, PAPER)
        self.changed: tuple[int, int] | None = (0, HEIGHT)  # rows from, to
        bars = COLOURS[FIRST_BAR:]
        for place in range(len(bars)):
            left, right = (WIDTH * each // len(bars) for each in (place, place + 1))
            self.picture.fill(left, 0, right - left, 150, FIRST_BAR + place)
        self.picture.write(MARGIN, 172, self.name, INK, 4)
        self.picture.write(MARGIN, 222, "This machine is simulated: it has no screen of its own.", FAINT, 1)
        self.picture.write(MARGIN, 240, "Keys arrive all the same:", FAINT, 1)
        self._line(TYPED, "> _")

    def key(self, symbol: int, down: bool) -> None:
        if symbol in HELD:
            (self.held.add if down else self.held.discard)(HELD[symbol])
            return
        if not down:
            return
        printable = 0x20 <= symbol < 0x7F and not self.held & {"Ctrl", "Alt"}
        if printable:
            self.typed = (self.typed + chr(symbol))[-SHOWN:]
        elif symbol == RETURN:
            self.typed = ""
        elif symbol == BACKSPACE:
            self.typed = self.typed[:-1]
        name = chr(symbol) if 0x21 <= symbol < 0x7F else "Space" if symbol == 0x20 else NAMED.get(symbol, hex(symbol))
        self.said = " ".join([*sorted(self.held - ({"Shift"} if printable else set()), reverse=True), name])
        self._line(TYPED, f"> {self.typed}_")
        self._line(TYPED - 30, f"Last key: {self.said}")

    def tick(self, now: datetime) -> None:
        self._line(CLOCK, f"{now:%Y-%m-%d %H:%M:%S} UTC")

    def _line(self, y: int, text: str) -> None:
        self.picture.fill(0, y, WIDTH, 2 * HIGH, PAPER)
        # Twice the size, unless that would cut off the end of what is typed.
        self.picture.write(MARGIN, y, text, INK, 2 if len(text) <= 48 else 1)
        above, below = self.changed or (y, y)
        self.changed = min(above, y), max(below, y + 2 * HIGH)

    def update(self, palette: list[bytes], *, whole: bool) -> bytes:
        """Raw pixels of the rows that changed (sections 7.6.1 and 7.7.1)."""
        top, end = (0, HEIGHT) if whole or self.changed is None else self.changed
        self.changed = None
        drawn: dict[bytes, bytes] = {}
        for y in range(top, end):
            row = self.picture.row(y)
            if row not in drawn:
                drawn[row] = b"".join([palette[colour] for colour in row])
        pixels = b"".join([drawn[self.picture.row(y)] for y in range(top, end)])
        return struct.pack(">BxHHHHHi", 0, 1, 0, top, WIDTH, end - top, 0) + pixels


class Server:
    def __init__(self, card: Card, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.card, self.reader, self.writer = card, reader, writer
        self.palette = Pixels().palette()
        self.wanted, self.whole = False, False
        self.news = asyncio.Event()

    async def serve(self) -> None:
        """Until the viewer leaves."""
        drawing = asyncio.ensure_future(self._draw())
        try:
            await self._begin()
            while True:
                await self._message((await self.reader.readexactly(1))[0])
                self.news.set()
        except (OSError, EOFError, Strange):
            return
        finally:
            drawing.cancel()
            self.writer.close()

    async def _begin(self) -> None:
        await self.reader.readexactly(1)  # ClientInit: everybody has a card of his own
        name = self.card.name.encode()
        self.writer.write(struct.pack(">HH", WIDTH, HEIGHT) + Pixels().said + struct.pack(">I", len(name)) + name)
        await self.writer.drain()

    async def _message(self, kind: int) -> None:
        """Section 7.5."""
        read = self.reader.readexactly
        if kind == 0:
            self.palette = Pixels.read((await read(19))[3:]).palette()
        elif kind == 2:
            count = struct.unpack(">xH", await read(3))[0]
            await self._skip(4 * count, 4 * MOST_ENCODINGS)  # raw is always allowed
        elif kind == 3:
            self.wanted, self.whole = True, self.whole or not (await read(9))[0]
        elif kind == 4:
            down, symbol = struct.unpack(">BxxI", await read(7))
            self.card.key(symbol, bool(down))
        elif kind == 5:
            await read(5)
        elif kind == 6:
            await self._skip(struct.unpack(">xxxI", await read(7))[0], MOST_TEXT)
        else:
            raise Strange(f"message {kind}")

    async def _skip(self, size: int, most: int) -> None:
        if size > most:
            raise Strange("a message that is too long")
        await self.reader.readexactly(size)

    async def _draw(self) -> None:
        """At most one picture for each that was asked for, and none while the last is still on its way."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.news.wait(), 1.0)
            self.news.clear()
            self.card.tick(datetime.now(UTC))
            if self.wanted and (self.whole or self.card.changed):
                data = self.card.update(self.palette, whole=self.whole)
                self.wanted = self.whole = False
                self.writer.write(data)
                await self.writer.drain()


_serving: set[asyncio.Task[None]] = set()


async def connect(name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to a new card, as if to the screen of a machine."""
    ours, its = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=its)
    task = asyncio.ensure_future(Server(Card(name), reader, writer).serve())
    _serving.add(task)
    task.add_done_callback(_serving.discard)
    return await asyncio.open_connection(sock=ours)
