"""Who this host is, and whom it believes: its key and certificate, the product's own authority, what was revoked.

All of it lies in the state directory, readable by root only. Keys and requests are made by the ``openssl`` program:
the standard library cannot. A certificate names its bearer (DNS) and what it may do (URI).
"""

import json
import os
import ssl
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.http import clock
from agent.http.errors import Refused

MANAGER, HOST = "urn:cloudportal:manager", "urn:cloudportal:host"
MANAGER_NAME = "manager"
RENEW_AFTER = 2 / 3  # of the life of a certificate


class Stranger(Exception):
    """The other side is not who it must be; the text says why."""


def openssl(*words: str, data: str = "") -> str:
    done = subprocess.run(["openssl", *words], input=data, capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise Refused(f"openssl {words[0]}: {done.stderr.strip()[:300]}")
    return done.stdout


def new_key() -> str:
    return openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def request_for(key: str, name: str) -> str:
    """A certificate request. The key passes through a pipe, never through a file that others could read."""
    return openssl("req", "-new", "-key", "/dev/stdin", "-subj", f"/CN={name}", data=key)


def write_private(path: Path, text: str) -> None:
    """Whole or not at all, for root only."""
    part = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


class Identity:
    def __init__(self, state: Path):
        self.state = state
        self._lock = threading.Lock()
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._stamp = (0, 0)
        self.revoked = frozenset[str](self._read("revoked.json", []))

    # -- files

    @property
    def pair(self) -> Path:
        """Key and certificate in one file, so that both change at once."""
        return self.state / "host.pem"

    @property
    def authority(self) -> Path:
        return self.state / "ca.pem"

    def _read(self, name: str, default: Any) -> Any:
        try:
            return json.loads((self.state / name).read_text())
        except FileNotFoundError:
            return default

    @property
    def enrolled(self) -> dict[str, str]:
        """``host`` and ``manager``: what was said at the enrolment; empty before it."""
        return dict(self._read("enrolled.json", {}))

    def save(self, *, key: str, certificate: str, authority: str) -> None:
        write_private(self.authority, authority)
        write_private(self.pair, key + certificate)

    def save_enrolment(self, host: str, manager: str) -> None:
        write_private(self.state / "enrolled.json", json.dumps({"host": host, "manager": manager}))

    def revoke(self, serials: Sequence[str]) -> None:
        """The whole list, as the manager has it."""
        wanted = frozenset(serial.upper().lstrip("0") for serial in serials)
        if wanted != self.revoked:
            write_private(self.state / "revoked.json", json.dumps(sorted(wanted)))
            self.revoked = wanted

    def expires(self) -> tuple[float, float]:
        """When the certificate began and when it ends."""
        text = openssl("x509", "-in", str(self.pair), "-noout", "-startdate", "-enddate")
        begin, end = (clock.seconds_of(line.partition("=")[2]) for line in text.splitlines())
        return begin, end

    def must_renew(self, now: float | None = None) -> bool:
        begin, end = self.expires()
        return (now or time.time()) > begin + (end - begin) * RENEW_AFTER

    # -- connections

    def context(self, *, server: bool) -> ssl.SSLContext:
        """Of the files as they are now: a renewed certificate is used from the next connection on."""
        stamp = (self.pair.stat().st_mtime_ns, self.authority.stat().st_mtime_ns)
        with self._lock:
            if stamp != self._stamp:
                self._contexts, self._stamp = {}, stamp
            if server not in self._contexts:
                self._contexts[server] = self._new_context(server)
            return self._contexts[server]

    def _new_context(self, server: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self.authority)
        context.load_cert_chain(self.pair)
        if server:
            context.num_tickets = 0  # a connection is kept, not resumed
        return context

    def check(self, peer: dict[str, Any] | None, role: str) -> None:
        """The chain is good already: is it the right one, and still believed?"""
        if not peer:
            raise Stranger("no certificate")
        if role not in names(peer, "URI"):
            raise Stranger(f"the certificate of {', '.join(names(peer, 'DNS')) or 'nobody'} is not one of {role}")
        if serial(peer) in self.revoked:
            raise Stranger(f"certificate {serial(peer)} was revoked")
        if clock.seconds_of(str(peer["notAfter"])) < time.time():
            raise Stranger("the certificate has expired")


def names(peer: dict[str, Any], kind: str) -> list[str]:
    return [value for each, value in peer.get("subjectAltName", ()) if each == kind]


def serial(peer: dict[str, Any]) -> str:
    return str(peer.get("serialNumber", "")).upper().lstrip("0")
