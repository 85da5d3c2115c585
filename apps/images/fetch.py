"""The one client that fetches what a tenant names. It resolves a host once, refuses addresses inside, and connects to
the address that it checked, so that a name cannot mean another place a moment later. Every redirect is checked alike.
"""

import errno
import hashlib
import http.client
import ipaddress
import os
import socket
import ssl
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from apps.images.packing import Damaged, Unpacker, unpacker

REDIRECTS = 5
CHUNK = 1 << 20
QUIET = 30.0  # seconds without a byte
STALL = 60.0  # seconds without something to keep: headers that come byte by byte, chunks that never begin
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # stands for the IPv4 address in its last bits
WORLD6 = ipaddress.ip_network("2000::/3")  # whatever lies outside is no address of the world's, or stands for another
RESERVED = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("3fff::/20"))
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


def check_file(url: str) -> Path:
    """The path of file:///path."""
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not path.is_absolute() or ".." in path.parts:
        raise FetchError("a file of the workers is file:///path")
    return path


def fetch(url: str, target: Path, rules: Rules) -> int:
    """Ensure ``target`` holds what ``url`` has, unpacked; returns its size. The file appears whole or not at all."""
    until = time.monotonic() + rules.max_seconds
    return _whole(target, lambda part: _download(url, _Sink(part, rules, until, unpacker(url))))


def copy(url: str, target: Path, rules: Rules, folders: Sequence[str]) -> int:
    """The same from a file in one of these folders; links that lead out of them are not followed."""
    until, path = time.monotonic() + rules.max_seconds, check_file(url)
    try:
        real = path.resolve(strict=True)
        if not any(real.is_relative_to(Path(folder).resolve()) for folder in folders):
            raise FileNotFoundError(real)
        source = os.fdopen(os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb")
    except (OSError, RuntimeError):
        raise FetchError("there is no such file in a folder that may be read") from None
    with source:
        found = os.fstat(source.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise FetchError("there is no such file in a folder that may be read")
        return _whole(target, lambda part: _save(source.read1, found.st_size, _Sink(part, rules, until, unpacker(url))))


def _whole(target: Path, write: Callable[[Path], int]) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}-{time.monotonic_ns()}.part")
    for old in target.parent.glob(f"{target.name}.*.part"):
        old.unlink(missing_ok=True)  # of a worker that was killed
    try:
        size = write(part)
        part.replace(target)
        _sync(target.parent)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise FetchError("there is no room for it in secondary storage") from error
        raise FetchError("the server cannot be reached, or broke off") from error
    finally:
        part.unlink(missing_ok=True)
    return size


def _download(url: str, sink: "_Sink") -> int:
    for _ in range(REDIRECTS + 1):
        check_url(url)
        with _asked(url, sink.rules) as (response, beat):
            if response.status in (301, 302, 303, 307, 308):
                url = urljoin(url, response.getheader("Location") or "")
                continue
            if response.status != 200:
                raise FetchError(f"the server answers with status {response.status}")
            return _save(_beating(response.read1, beat), response.length, sink)
    raise FetchError(f"more than {REDIRECTS} redirects")


@contextmanager
def _asked(url: str, rules: Rules) -> Iterator[tuple[Any, Callable[[], None]]]:
    """The answer, and what to call when something of it has come."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    connection = http.client.HTTPConnection(host, port, timeout=QUIET)
    sock = socket.create_connection((_resolve(host, port, rules), port), QUIET)
    if secure:
        context = ssl.create_default_context()
        sock = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    try:
        with _watched(sock) as beat:
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
            connection.sock = sock
            path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
            connection.request("GET", path, headers={"Accept-Encoding": "identity", "User-Agent": "cloudportal"})
            response = connection.getresponse()
            beat()
            yield response, beat
    finally:
        connection.close()
        sock.close()


@contextmanager
def _watched(sock: socket.socket) -> Iterator[Callable[[], None]]:
    """Cut the connection ``STALL`` seconds after the last beat: a timeout of the socket starts anew with each byte."""
    over, cut, last = threading.Event(), threading.Event(), [time.monotonic()]

    def watch() -> None:
        while not over.wait(min(1.0, STALL / 4)):
            if time.monotonic() > last[0] + STALL:
                cut.set()
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # wakes who reads; TLS is not asked
                return

    def beat() -> None:
        if cut.is_set():  # what was read looks like the end of the headers or of the file, and is not
            raise FetchError("the server takes too long")
        last[0] = time.monotonic()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield beat
    finally:
        over.set()
        watcher.join()


def _beating(read: Callable[[int], bytes], beat: Callable[[], None]) -> Callable[[int], bytes]:
    def read_some(size: int) -> bytes:
        data = read(size)
        beat()
        return data

    return read_some


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
    if any(ip in network for network in map(_network, allowed) if network):
        return True
    if (ip.version == 6 and ip not in WORLD6) or any(ip in network for network in RESERVED):
        return False
    return ip.is_global and not ip.is_multicast


def _network(text: str) -> Any:
    """None for what an operator mistyped: it allows nothing."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


@dataclass(frozen=True)
class _Sink:
    """Where it goes, within which bounds."""

    part: Path
    rules: Rules
    until: float
    unpack: Unpacker | None = None

    def check(self, size: int) -> None:
        if size > self.rules.max_bytes:
            raise FetchError(f"it has more than the {self.rules.max_bytes} bytes that are allowed")
        if time.monotonic() > self.until:
            raise FetchError("it takes too long")

    def write(self, chunks: Iterator[bytes]) -> int:
        size = 0
        with self.part.open("wb") as file:
            for data in chunks:
                size += len(data)
                self.check(size)
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return size


def _save(read: Callable[[int], bytes], total: int | None, sink: _Sink) -> int:
    """``total`` is what was announced, if anything was. The checksum is that of what comes, packed or not."""
    rules = sink.rules
    if total is not None and total > rules.max_bytes:
        raise FetchError(f"it has {total} bytes, more than the {rules.max_bytes} that are allowed")
    name, wanted = digest_of(rules.checksum) if rules.checksum else ("sha256", "")
    digest, came = hashlib.new(name, usedforsecurity=False), 0

    def chunks() -> Iterator[bytes]:
        nonlocal came
        while data := read(CHUNK):
            came += len(data)
            sink.check(came)
            digest.update(data)
            rules.progress(min(99, came * 100 // total) if total else 0)
            yield from sink.unpack.feed(data) if sink.unpack else (data,)
        if total is not None and came != total:
            raise FetchError(f"only {came} of {total} bytes came")

    try:
        size = sink.write(chunks())
        if sink.unpack:
            sink.unpack.end()
    except Damaged as error:
        raise FetchError(str(error)) from None
    if not size:
        raise FetchError("the file is empty")
    if wanted and digest.hexdigest() != wanted:
        raise FetchError("the checksum is not that of the file")
    return size


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
