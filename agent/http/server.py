"""The door: who is not the manager is turned away and written down; who is, may call, one after the other.

A connection is a thread. What a call does goes on when its connection is lost: the manager finds out by looking.
"""

import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Any

from agent.http import tunnel, wire
from agent.http.calls import Calls
from agent.http.errors import Invalid
from agent.http.identity import MANAGER, Identity, Stranger
from agent.http.log import Log, request_id

CONNECTIONS = 64  # at the same time
SCREENS = 24  # of these, at most
HANDSHAKE, IDLE = 10.0, 120.0  # seconds
TUNNEL = "console.tunnel"  # is asked and answered as "console.address"; then the connection is a stream to the screen
STACK = 512 << 10


class Server:
    def __init__(self, address: tuple[str, int], identity: Identity, calls: Calls, log: Log, hello: dict[str, Any]):
        self._identity, self._calls, self._log, self._hello = identity, calls, log, hello
        self._listener = socket.create_server(address, backlog=128)
        self._open = threading.BoundedSemaphore(CONNECTIONS)
        self._screens = threading.BoundedSemaphore(SCREENS)
        self.port: int = self._listener.getsockname()[1]

    def start(self) -> None:
        threading.stack_size(STACK)
        threading.Thread(target=self._accept, name="accept", daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                plain, source = self._listener.accept()
            except OSError:
                if self._listener.fileno() < 0:
                    return
                time.sleep(0.1)  # out of descriptors: it passes
                continue
            if not self._open.acquire(blocking=False):
                plain.close()
                self._log("refused", source=source[0], reason="too many connections")
                continue
            threading.Thread(target=self._connection, args=(plain, source[0]), daemon=True).start()

    def _connection(self, plain: socket.socket, source: str) -> None:
        try:
            self._talk(plain, source)
        except Stranger as error:
            self._log("refused", source=source, reason=str(error))
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", "") or error.reason or str(error)
            self._log("refused", source=source, reason=reason)
        except (OSError, Invalid) as error:
            self._log("disconnected", source=source, reason=str(error))
        except Exception as error:
            self._log.failure("failed", error, source=source)
        finally:
            plain.close()
            self._open.release()

    def _talk(self, plain: socket.socket, source: str) -> None:
        plain.settimeout(HANDSHAKE)
        wire.prepare(plain)
        context = self._identity.context(server=True)
        with context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as secure:
            try:
                secure.do_handshake()
            except ssl.SSLError:
                _part_politely(secure)
                raise
            stream = secure.makefile("rb")
            secure.settimeout(IDLE)
            while (message := _next(stream)) is not None:
                peer = secure.getpeercert()
                try:
                    self._identity.check(peer, MANAGER)
                except Stranger as error:
                    text = {"error": {"kind": "refused", "text": f"the host turns this certificate away: {error}"}}
                    secure.sendall(wire.response(403, text, close=True))
                    _part_politely(secure)
                    raise
                if message.start.startswith(f"POST /v1/{TUNNEL} "):
                    self._tunnel(secure, stream, message)
                    return
                status, answer = self._answer(message)
                secure.sendall(wire.response(status, answer))

    def _tunnel(self, secure: ssl.SSLSocket, stream: Any, message: wire.Message) -> None:
        """The screen speaks first: it is listened to when the manager, which may have read ahead, has said a byte."""
        if not self._screens.acquire(blocking=False):
            busy = {"error": {"kind": "busy", "text": f"{SCREENS} screens of this host are looked at already"}}
            secure.sendall(wire.response(200, busy, close=True))
            return
        try:
            status, answer = self._answer(message)
            screen = _dial(answer.get("result"))
            if screen is None and "result" in answer:
                answer = {"error": {"kind": "refused", "text": "the screen does not answer"}}
            secure.sendall(wire.response(status, answer, close=screen is None))
            if screen is not None:
                with screen:
                    if stream.read(1):
                        tunnel.pass_on(secure, screen)
        finally:
            self._screens.release()

    def _answer(self, message: wire.Message) -> tuple[int, Any]:
        method, _, rest = message.start.partition(" ")
        path = rest.partition(" ")[0]
        token = request_id.set(message.headers.get("x-request-id", "")[:64])
        try:
            if path == "/v1/hello":
                return 200, {"result": {**self._hello, "clock": time.monotonic()}}
            if method != "POST" or not path.startswith("/v1/"):
                return 404, {"error": {"kind": "invalid", "text": f"there is nothing at {path}"}}
            name = path.removeprefix("/v1/")
            return 200, self._calls.answer("console.address" if name == TUNNEL else name, message.json())
        except Invalid as error:
            return 400, {"error": {"kind": "invalid", "text": str(error)}}
        finally:
            request_id.reset(token)


def _dial(place: dict[str, Any] | None) -> socket.socket | None:
    if place is None:
        return None
    try:
        return socket.create_connection((place["host"], place["port"]), HANDSHAKE)
    except OSError:
        return None


def _part_politely(secure: ssl.SSLSocket) -> None:
    """The other side shall read why it was turned away: closed with its words unread it would only see a reset."""
    with suppress(OSError):
        secure.shutdown(socket.SHUT_WR)
        secure.settimeout(1.0)
        left = wire.MAX_HEAD
        while left > 0 and (data := secure.recv(4096)):
            left -= len(data)


def _next(stream: Any) -> wire.Message | None:
    with suppress(TimeoutError):  # idle for too long: as if the other side had closed
        return wire.read(stream)
    return None
