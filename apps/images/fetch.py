"""The one client that fetches what a tenant names. It resolves a host once, refuses addresses inside, and connects to
the address that it checked, so that a name cannot mean another place a moment later. Every redirect is checked alike.
"""

import hashlib
import http.client
import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

REDIRECTS = 5
CHUNK = 1 << 20
QUIET = 30.0  # seconds without a byte
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # stands for the IPv4 address in its last bits
BY_LENGTH = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}


class FetchError(Exception):
    """Why it did not come, in words that its owner may read: they do not tell what lies at an inner address."""


@dataclass(frozen=True)
class Rules:
    max_bytes: int
    max_seconds: float
    allowed: tuple[str, ...] = ()  # networks inside that may be asked all the same
    checksum: str = ""
    progress: Callable[[int], None] = field(default=lambda percent: None)


def check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FetchError("only http and https URLs with a host name can be fetched")
    if parts.username or parts.password:
        raise FetchError("a URL with a user name or password is not fetched")
    try:
        port = parts.port
    except ValueError:
        raise FetchError("the port of the URL is not possible") from None
    if port == 0:
        raise FetchError("the port of the URL is not possible")


def digest_of(checksum: str) -> tuple[str, str]:
    """``{SHA-256}ab12…``, or the kind by its length."""
    kind, _, text = checksum[1:].partition("}") if checksum.startswith("{") else ("", "", checksum)
    name = kind.lower().replace("-", "") if kind else BY_LENGTH.get(len(text), "")
    length = {kind: size for size, kind in BY_LENGTH.items()}.get(name)
    if length != len(text) or not all(c in "0123456789abcdefABCDEF" for c in text):
        raise FetchError("the checksum is none of MD5, SHA-1, SHA-224, SHA-256, SHA-384 or SHA-512")
    return name, text.lower()


def fetch(url: str, target: Path, rules: Rules) -> int:
    """Ensure ``target`` holds what ``url`` has; returns its size. The file appears whole or not at all."""
    until = time.monotonic() + rules.max_seconds
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}-{time.monotonic_ns()}.part")
    for old in target.parent.glob(f"{target.name}.*.part"):
        old.unlink(missing_ok=True)  # of a worker that was killed
    try:
        size = _download(url, part, rules, until)
        part.replace(target)
        _sync(target.parent)
    except (OSError, http.client.HTTPException) as error:
        raise FetchError("the server cannot be reached, or broke off") from error
    finally:
        part.unlink(missing_ok=True)
    return size


def _download(url: str, part: Path, rules: Rules, until: float) -> int:
    for _ in range(REDIRECTS + 1):
        check_url(url)
        connection, response = _ask(url, rules)
        try:
            if response.status in (301, 302, 303, 307, 308):
                url = urljoin(url, response.getheader("Location") or "")
                continue
            if response.status != 200:
                raise FetchError(f"the server answers with status {response.status}")
            return _save(response, part, rules, until)
        finally:
            connection.close()
    raise FetchError(f"more than {REDIRECTS} redirects")


def _ask(url: str, rules: Rules) -> tuple[Any, Any]:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    address = _resolve(host, port, rules)
    connection = http.client.HTTPConnection(host, port, timeout=QUIET)
    plain = socket.create_connection((address, port), QUIET)
    try:
        context = ssl.create_default_context() if secure else None
        connection.sock = context.wrap_socket(plain, server_hostname=host) if context else plain
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection.request("GET", path, headers={"Accept-Encoding": "identity", "User-Agent": "cloudportal"})
        return connection, connection.getresponse()
    except BaseException:
        plain.close()
        raise


def _resolve(host: str, port: int, rules: Rules) -> str:
    """One lookup; every address it gives must be allowed, and the first is what we connect to."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise FetchError("the name of the server is not known") from None
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not is_allowed(address, rules.allowed):
            raise FetchError("the server is at an address that may not be asked")
    return addresses[0]


def is_allowed(address: str, allowed: tuple[str, ...]) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    if ip in NAT64:
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    ip = inner or ip
    if any(ip in ipaddress.ip_network(network, strict=False) for network in allowed):
        return True
    return ip.is_global and not ip.is_multicast


def _save(response: Any, part: Path, rules: Rules, until: float) -> int:
    total = int(response.getheader("Content-Length") or 0)
    if total > rules.max_bytes:
        raise FetchError(f"it has {total} bytes, more than the {rules.max_bytes} that are allowed")
    name, wanted = digest_of(rules.checksum) if rules.checksum else ("sha256", "")
    digest, size = hashlib.new(name, usedforsecurity=False), 0
    with part.open("wb") as file:
        while data := response.read1(CHUNK):
            size += len(data)
            if size > rules.max_bytes:
                raise FetchError(f"it has more than the {rules.max_bytes} bytes that are allowed")
            if time.monotonic() > until:
                raise FetchError("it takes too long")
            file.write(data)
            digest.update(data)
            rules.progress(min(99, size * 100 // total) if total else 0)
        file.flush()
        os.fsync(file.fileno())
    if total and size != total:
        raise FetchError(f"only {size} of {total} bytes came")
    if wanted and digest.hexdigest() != wanted:
        raise FetchError("the checksum is not that of the file")
    return size


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
