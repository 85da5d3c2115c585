"""Passes the screen of a machine on to a browser: a WebSocket on one side, RFB on the other.

The token comes as a subprotocol beside "binary", so that it is in no address and so in no log. Nothing is kept in this
process but the connections themselves: any of several may be asked. Both sides are read only as fast as the other
takes: what is under way is bounded by the buffers of the two sockets.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.conf import settings
from django.db import close_old_connections
from django.http.request import split_domain_port, validate_host

from apps.consoles import card, rfb, services
from apps.consoles.services import Closed, Seat, Why
from apps.hypervisors.base import OpenScreen

log = logging.getLogger(__name__)
PATH = "/console/relay"
PROTOCOL, TOKEN = "binary", "token."
MOST = 200  # consoles of a process
HANDSHAKE = 15.0  # seconds for what comes before the first picture
STALLED = 60.0  # seconds that one side may take nothing
EVERY = 3.0  # seconds between two looks at what the console rests on
LONGEST = 12 * 3600.0
CHUNK = 64 << 10
INPUT = frozenset((4, 5, 6, 255))  # first bytes of messages that somebody made: keys, pointer, clipboard, QEMU's keys

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
T = TypeVar("T")

_threads = ThreadPoolExecutor(8, thread_name_prefix="consoles")  # each keeps its database connection
_open: set[int] = set()


class Viewer:
    """The browser's side, as a stream."""

    def __init__(self, receive: Receive, send: Send):
        self._receive, self._send = receive, send
        self._left, self._out = b"", bytearray()
        self.heard = self.touched = time.monotonic()

    async def read(self) -> bytes:
        """What comes next; nothing once the browser has gone."""
        if self._left:
            data, self._left = self._left, b""
            return data
        while True:
            message = await self._receive()
            if message["type"] != "websocket.receive":
                return b""
            if data := message.get("bytes") or b"":
                self.heard = time.monotonic()
                if data[0] in INPUT:
                    self.touched = self.heard
                return data

    async def readexactly(self, n: int, /) -> bytes:
        data = b""
        while len(data) < n:
            if not (more := await self.read()):
                raise asyncio.IncompleteReadError(data, n)
            data += more
        self._left = data[n:]
        return data[:n]

    def write(self, data: bytes, /) -> None:
        self._out += data

    async def drain(self) -> None:
        data, self._out = bytes(self._out), bytearray()
        async with asyncio.timeout(STALLED):
            await self._send({"type": "websocket.send", "bytes": data})


async def answer(scope: Message, receive: Receive, send: Send, *, cookie: str) -> None:
    """``cookie`` is the name of that of the portal's sessions: a console that was opened in one ends with it."""
    if (await receive())["type"] != "websocket.connect":
        return
    said = scope.get("subprotocols") or []
    token = next((each.removeprefix(TOKEN) for each in said if each.startswith(TOKEN)), "")
    if PROTOCOL not in said or not token or not is_ours(scope):
        await send({"type": "websocket.close", "code": 1008})
        return
    await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
    key, why = id(scope), Why.GONE
    try:
        if len(_open) >= MOST:
            raise Closed(Why.CROWDED)
        _open.add(key)
        await _console(token, _cookie(scope, cookie), Viewer(receive, send))
    except Closed as closed:
        why = closed.why
        if why.code == Why.NO_SCREEN.code:
            log.warning("a console was not opened: %s", closed.__cause__ or closed)
    except Exception:
        log.exception("a console failed")
    finally:
        _open.discard(key)
    with suppress(Exception):  # the browser may have gone
        await send({"type": "websocket.close", "code": why.code, "reason": why.text})


async def _console(token: str, cookie: str, viewer: Viewer) -> None:
    seat = await in_thread(services.redeem, token, cookie)
    screen = await in_thread(services.open_screen, seat)
    log.info("user %s opens the console of machine %s", seat.user, seat.uuid)
    try:
        async with asyncio.timeout(HANDSHAKE):
            reader, writer = await _enter(screen, seat)
    except (OSError, EOFError, TimeoutError, rfb.NotRfb) as error:
        raise Closed(Why.NO_SCREEN) from error
    try:
        async with asyncio.timeout(HANDSHAKE):
            await rfb.greet(viewer, viewer)
        await _pass_on(seat, viewer, reader, writer)
    except (OSError, EOFError, TimeoutError, rfb.NotRfb):
        raise Closed(Why.GONE) from None
    finally:
        writer.close()


async def _enter(screen: OpenScreen, seat: Seat) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if screen.connection is None:
        return await card.connect(seat.name)
    reader, writer = await asyncio.open_connection(sock=screen.connection, limit=CHUNK)
    try:
        await rfb.enter(reader, writer, screen.password)
    except BaseException:
        writer.close()
        raise
    return reader, writer


async def _pass_on(seat: Seat, viewer: Viewer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    works = [_down(reader, viewer), _up(viewer, writer), _watch(seat, viewer)]
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, timeout=LONGEST, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise Closed(Why.TOO_LONG)
        for task in sorted(done, key=tasks.index, reverse=True):  # what the watch says first: it knows why
            task.result()
        # The screen closed or the viewer left: a machine that was stopped is told from a lost connection.
        await in_thread(services.look_again, seat, active=False)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _down(reader: asyncio.StreamReader, viewer: Viewer) -> None:
    while data := await reader.read(CHUNK):
        viewer.write(data)
        await viewer.drain()


async def _up(viewer: Viewer, writer: asyncio.StreamWriter) -> None:
    while data := await viewer.read():
        writer.write(data)
        async with asyncio.timeout(STALLED):
            await writer.drain()


async def _watch(seat: Seat, viewer: Viewer) -> None:
    idle, looked = await in_thread(services.IDLE.value), time.monotonic()
    while True:
        await asyncio.sleep(EVERY)
        if time.monotonic() - viewer.heard > idle / 1000:
            raise Closed(Why.IDLE)
        active, looked = viewer.touched > looked, time.monotonic()
        await in_thread(services.look_again, seat, active=active)


async def in_thread(function: Callable[..., T], *args: Any, **named: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads, partial(_fresh, function, *args, **named))


def _fresh(function: Callable[..., T], *args: Any, **named: Any) -> T:
    close_old_connections()
    return function(*args, **named)


def is_ours(scope: Message) -> bool:
    """A page of another server must not open consoles; a program that is no browser names no origin."""
    headers = dict(scope["headers"])
    host, origin = headers.get(b"host", b"").decode("latin-1"), headers.get(b"origin", b"").decode("latin-1")
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return False
    return not origin or origin in settings.CSRF_TRUSTED_ORIGINS or urlsplit(origin).netloc == host


def _cookie(scope: Message, name: str) -> str:
    text = next((value.decode("latin-1") for header, value in scope["headers"] if header == b"cookie"), "")
    try:
        found = SimpleCookie(text).get(name)
    except CookieError:
        return ""
    return found.value if found else ""
