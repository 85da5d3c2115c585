"""Calls of the manager by the agent."""

import socket
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from agent.http import wire
from agent.http.errors import Busy, Invalid, Refused
from agent.http.identity import MANAGER, MANAGER_NAME, Identity, Stranger

PORT = 8251
TIMEOUT = 30.0


@dataclass(frozen=True)
class Place:
    host: str
    port: int


def place_of(url: str) -> Place:
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if parts.scheme != "https" or not parts.hostname:
        raise Invalid(f"the URL of the manager is like https://cloud.example.com:{PORT}")
    return Place(parts.hostname, parts.port or PORT)


def post(identity: Identity, url: str, path: str, body: Any) -> Any:
    """With the certificate of this host, to somebody who has that of the manager."""
    try:
        with _connect(place_of(url), identity.context(server=False), MANAGER_NAME) as secure:
            identity.check(secure.getpeercert(), MANAGER)
            return exchange(secure, "POST", path, body)
    except Stranger as error:
        raise Refused(f"the manager at {url} is not ours: {error}") from error
    except ssl.SSLError as error:
        raise Refused(f"the manager at {url}: {error}") from error
    except OSError as error:
        raise Busy(f"the manager at {url} cannot be reached: {error}") from error


def _connect(place: Place, context: ssl.SSLContext, name: str) -> ssl.SSLSocket:
    plain = socket.create_connection((place.host, place.port), TIMEOUT)
    wire.prepare(plain)
    try:
        return context.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


def exchange(secure: ssl.SSLSocket, method: str, path: str, body: Any = None) -> Any:
    secure.sendall(wire.request(method, path, "manager", body, {"Connection": "close"}))
    with secure.makefile("rb") as stream:
        answer = wire.read(stream)
    if answer is None:
        raise ConnectionError("no answer")
    status = answer.start.split(" ")[1:2]
    if status != ["200"]:
        raise Refused(f"{path}: the manager answers {' '.join(status)}: {answer.body[:300].decode(errors='replace')}")
    return answer.json()


def unverified(url: str, path: str) -> Any:
    """What a server says of which nothing is known yet: only for the authority, whose fingerprint is known."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with _connect(place_of(url), context, MANAGER_NAME) as secure:
        return exchange(secure, "GET", path)


def trusting(url: str, authority: str, path: str, body: Any) -> Any:
    """Before there is a certificate of our own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=authority)
    with _connect(place_of(url), context, MANAGER_NAME) as secure:
        peer: Any = secure.getpeercert()
        if MANAGER not in [value for kind, value in peer.get("subjectAltName", ()) if kind == "URI"]:
            raise Refused(f"{url} has no certificate of a manager")
        return exchange(secure, "POST", path, body)
