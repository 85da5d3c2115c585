"""The socket that agents call: TLS with our own certificates, one request for each connection, so many threads.

A certificate is asked for and not required: who enrols has none yet. ``door`` decides what may be asked without one.
"""

import json
import logging
import os
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

from django.db import close_old_connections

from apps.agents import door
from apps.agents.services.files import FILES

log = logging.getLogger(__name__)
PORT = 8251
THREADS = 16
PATIENCE = 10.0  # seconds for the handshake, and for each part of a request


class Listener:
    def __init__(self, listening: socket.socket):
        self._listening = listening
        self._context: ssl.SSLContext | None = None
        self._stamp = (0, 0)
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(4 * THREADS)

    def serve(self) -> None:
        """Until the socket is closed."""
        with ThreadPoolExecutor(THREADS, "agents") as pool:
            while True:
                try:
                    plain, source = self._listening.accept()
                except OSError:
                    if self._listening.fileno() < 0:
                        return
                    threading.Event().wait(0.1)  # out of descriptors: it passes
                    continue
                self._slots.acquire()
                pool.submit(self._connection, plain, source[0])

    def _connection(self, plain: socket.socket, source: str) -> None:
        try:
            close_old_connections()
            plain.settimeout(PATIENCE)
            with self._tls().wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as secure:
                secure.do_handshake()
                Request(secure, source)
        except ssl.SSLError as error:
            log.warning(
                "refused: a connection from %s: %s",
                source,
                getattr(error, "verify_message", "") or error.reason or error,
            )
        except OSError as error:
            log.info("the connection from %s broke off: %s", source, error)
        except Exception:
            log.exception("a request from %s failed", source)
        finally:
            plain.close()
            self._slots.release()

    def _tls(self) -> ssl.SSLContext:
        """Of the files as they are: after a renewal there is a new one."""
        held = FILES.credentials()
        stamp = (os.stat(held.pair).st_mtime_ns, os.stat(held.authority).st_mtime_ns)
        with self._lock:
            if self._context is None or stamp != self._stamp:
                self._context, self._stamp = _context(held), stamp
            return self._context


def _context(held: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(held.pair)
    context.load_verify_locations(held.authority)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.num_tickets = 0
    return context


class Request(BaseHTTPRequestHandler):
    """One, and the connection ends."""

    def __init__(self, secure: ssl.SSLSocket, source: str):
        self._secure, self._source = secure, source
        super().__init__(secure, (source, 0), None)  # type: ignore[arg-type]

    def do_GET(self) -> None:  # noqa: N802 - the name that is looked for
        self._say(*door.answer(door.Asked(self.path, {}, {}, self._source)))

    def do_POST(self) -> None:  # noqa: N802 - the name that is looked for
        self._say(*self._answer())

    def _answer(self) -> door.Answer:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > door.MOST:
            return 413, {"error": f"a request has at most {door.MOST} bytes"}
        try:
            body = json.loads(self.rfile.read(int(length)))
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return 400, {"error": "the request is no JSON object"}
        peer: Any = self._secure.getpeercert() or {}
        return door.answer(door.Asked(self.path, peer, body, self._source))

    def _say(self, status: int, said: dict[str, Any]) -> None:
        data = json.dumps(said).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """What matters is written by the door."""
