"""How a driver calls the agent of a host: HTTPS with certificates of our own authority, connections that are kept.

What is known after an error decides its class. Until the agent has said hello nothing was asked of it: ``Busy``. From
the moment a call is sent a lost connection means ``Unknown``.
"""

import http.client
import json
import logging
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from apps.hypervisors.base import HostAddress
from apps.hypervisors.errors import Busy, DriverError, Refused, Unknown

log = logging.getLogger(__name__)
PORT = 8250
HOST = "urn:cloudportal:host"
CONNECT = 5.0  # seconds for a connection
IDLE = 60.0  # that an unused one is kept; the agent keeps it longer
KEPT_PER_HOST, KEPT = 4, 256  # unused ones
AT_ONCE = 8  # calls to one host by this process
ERRORS: dict[str, type[DriverError]] = {"refused": Refused, "busy": Busy, "unknown": Unknown, "invalid": Refused}
# TLS alerts with which a host turns our certificate away
TURNED_AWAY = ("UNKNOWN_CA", "CERTIFICATE_EXPIRED", "CERTIFICATE_REVOKED", "BAD_CERTIFICATE", "CERTIFICATE_REQUIRED")


@dataclass(frozen=True)
class Credentials:
    """The manager's own: ``pair`` is key and certificate in one file."""

    authority: Path
    pair: Path
    revoked: Callable[[], frozenset[str]] = frozenset  # serial numbers, as upper case hexadecimal digits


class Connection:
    """One to an agent that has proved who it is."""

    def __init__(self, context: ssl.SSLContext, credentials: Credentials, address: HostAddress, within: float):
        self._host, port = endpoint(address.url)
        if not address.uuid:
            raise Refused(f"host {address.name} has no uuid that its certificate could say")
        until = time.monotonic() + within
        try:
            plain = socket.create_connection((self._host, port), min(CONNECT, within))
        except OSError as error:
            raise Busy(f"host {address.name} cannot be reached at {self._host}:{port}: {error}") from error
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._secure = context.wrap_socket(plain, server_hostname=address.uuid)
            _check(self._secure.getpeercert() or {}, credentials.revoked())
            said = self._exchange("GET", "/v1/hello", max(0.1, until - time.monotonic()))
            self._ahead = float(said["clock"]) - time.monotonic()  # of the agent's clock; in truth a little more
        except ssl.SSLError as error:
            plain.close()
            raise _turned_away(address, error) from error
        except (OSError, http.client.HTTPException, DriverError, ValueError, LookupError, TypeError) as error:
            plain.close()
            if isinstance(error, Refused):
                log.warning("host %s at %s refused: %s", address.name, self._host, error)
                raise
            raise Busy(f"host {address.name} does not answer: {error}") from error

    def is_alive(self) -> bool:
        """Not closed by the other side, as far as one can know."""
        if self._ends or time.monotonic() - self._used > IDLE:
            return False
        self._secure.setblocking(False)
        try:
            self._secure.recv(1)  # nothing may come, neither data nor an end
            return False
        except (ssl.SSLWantReadError, BlockingIOError):
            return True
        except OSError:
            return False
        finally:
            with suppress(OSError):
                self._secure.setblocking(True)

    def call(self, name: str, arguments: dict[str, Any], request: str, within: float) -> Any:
        """The agent answers before we give up, and never begins with what comes to it after that."""
        expires = time.monotonic() + within + self._ahead
        body = json.dumps({**arguments, "deadline": within * 0.9, "expires": expires}).encode()
        return self._exchange("POST", f"/v1/{name}", within, body, request)

    def _exchange(self, method: str, path: str, within: float, body: bytes = b"", request: str = "") -> Any:
        """In one piece: half a request that the other side waits for would tell it nothing, and cost a packet."""
        self._secure.settimeout(within)
        known = "".join(c for c in request if c.isascii() and c.isprintable())
        lines = (f"{method} {path} HTTP/1.1", f"Host: {self._host}", f"X-Request-Id: {known}")
        head = "\r\n".join((*lines, f"Content-Length: {len(body)}", "", "")).encode()
        self._secure.sendall(head + body)
        response = http.client.HTTPResponse(self._secure, method=method)
        response.begin()
        self._ends = response.will_close
        data = response.read()
        self._used = time.monotonic()
        return _result(response.status, json.loads(data))

    def stream(self) -> ssl.SSLSocket:
        """What the connection is after a call that makes it one; this byte tells the agent to begin."""
        self._secure.sendall(b"\n")
        return self._secure

    def close(self) -> None:
        self._secure.close()

    def abort(self) -> None:
        """Without sending what is not sent yet."""
        with suppress(OSError):
            self._secure.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


def _result(status: int, answer: Any) -> Any:
    if isinstance(answer, dict) and "result" in answer:
        return answer["result"]
    error = answer.get("error", {}) if isinstance(answer, dict) else {}
    raise ERRORS.get(error.get("kind", ""), Unknown)(error.get("text", f"status {status}"))


def endpoint(url: str) -> tuple[str, int]:
    """``http://host``, as addHost takes it, is the address of the host; its agent has a port of its own."""
    parts = urlsplit(url if "://" in url else f"//{url}")
    try:
        port = parts.port or PORT
    except ValueError:
        raise Refused(f"{url} has an impossible port") from None
    if not parts.hostname:
        raise Refused(f"{url} has no host name")
    return parts.hostname, port


def _check(peer: dict[str, Any], revoked: frozenset[str]) -> None:
    names = peer.get("subjectAltName", ())
    if ("URI", HOST) not in names:
        raise Refused("its certificate is not one of a host")
    if str(peer.get("serialNumber", "")).lstrip("0") in revoked:
        raise Refused("its certificate was revoked")


def _turned_away(address: HostAddress, error: ssl.SSLError) -> DriverError:
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"host {address.name} is not {address.uuid or 'a host of ours'}: {error.verify_message}"
    elif any(alert in (error.reason or "") for alert in TURNED_AWAY):
        text = f"host {address.name} turns our certificate away: {error.reason}"
    else:
        return Busy(f"host {address.name} does not answer: {error}")
    log.warning("refused: %s", text)
    return Refused(text)


class Agents:
    """All connections of this process. May be used by many threads, and after a fork."""

    def __init__(self, credentials: Credentials, request_id: Callable[[], str] = str):
        self._credentials, self._request_id = credentials, request_id
        self._lock = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self._process = os.getpid()
        self._idle: dict[HostAddress, list[Connection]] = {}
        self._busy: dict[HostAddress, int] = {}
        self._context: ssl.SSLContext | None = None
        self._stamp = (0, 0)

    def call(self, address: HostAddress, name: str, arguments: dict[str, Any], within: float) -> Any:
        """The result; raises ``Refused``, ``Busy`` or ``Unknown``."""
        until = time.monotonic() + within
        self._enter(address)
        try:
            connection = self._connection(address, within)
            left = max(0.1, until - time.monotonic())
            try:
                answer = connection.call(name, arguments, self._request_id(), left)
            except DriverError:
                self._keep(address, connection)  # it did answer
                raise
            except (OSError, http.client.HTTPException, ValueError) as error:
                connection.abort()
                raise Unknown(f"{name}: the answer of host {address.name} did not come: {error}") from error
            self._keep(address, connection)
            return answer
        finally:
            self._leave(address)

    def stream(
        self, address: HostAddress, name: str, arguments: dict[str, Any], within: float
    ) -> tuple[Any, ssl.SSLSocket]:
        """The result, and a connection of its own, which is a stream from then on and the caller's to close."""
        until = time.monotonic() + within
        connection = Connection(self._tls(), self._credentials, address, within)
        try:
            left = max(0.1, until - time.monotonic())
            return connection.call(name, arguments, self._request_id(), left), connection.stream()
        except BaseException as error:
            connection.abort()
            if isinstance(error, OSError | http.client.HTTPException | ValueError):
                raise Busy(f"{name}: host {address.name} does not answer: {error}") from error
            raise

    def _enter(self, address: HostAddress) -> None:
        with self._lock:
            if self._process != os.getpid():
                self._reset()
            if self._busy.get(address, 0) >= AT_ONCE:
                raise Busy(f"host {address.name} is being asked {AT_ONCE} things already")
            self._busy[address] = self._busy.get(address, 0) + 1

    def _leave(self, address: HostAddress) -> None:
        with self._lock:
            self._busy[address] -= 1
            if not self._busy[address]:
                del self._busy[address]

    def _connection(self, address: HostAddress, within: float) -> Connection:
        context = self._tls()
        while connection := self._kept(address):
            if connection.is_alive():
                return connection
            connection.close()
        return Connection(context, self._credentials, address, within)

    def _kept(self, address: HostAddress) -> Connection | None:
        with self._lock:
            kept = self._idle.get(address)
            connection = kept.pop() if kept else None
            if kept == []:
                del self._idle[address]
            return connection

    def _keep(self, address: HostAddress, connection: Connection) -> None:
        with self._lock:
            kept = self._idle.pop(address, [])
            self._idle[address] = [*kept, connection][-KEPT_PER_HOST:]  # the host used last is the last
            surplus = [*kept, connection][:-KEPT_PER_HOST]
            while sum(map(len, self._idle.values())) > KEPT:
                oldest = next(iter(self._idle))
                surplus += self._idle.pop(oldest)
        for each in surplus:
            each.close()

    def _tls(self) -> ssl.SSLContext:
        """Of the files as they are: after a renewal, and for another list of what is revoked, connections are new."""
        stamp = (self._credentials.pair.stat().st_mtime_ns, hash(self._credentials.revoked()))
        with self._lock:
            if self._context is None or stamp != self._stamp:
                idle, self._idle = self._idle, {}
                self._context, self._stamp = self._new_context(), stamp
                for connection in (each for kept in idle.values() for each in kept):
                    connection.close()
            return self._context

    def _new_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(self._credentials.authority)
        context.load_cert_chain(self._credentials.pair)
        return context
