"""A program of its own, with little memory to spend: it brings what lies at a URL into a file, unpacked, and says how
far it is. What comes is hostile until somebody has looked at it; here it is only bytes.
"""

import bz2
import hashlib
import http.client
import ipaddress
import json
import lzma
import socket
import ssl
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from agent.storage.nfs import Export

CHUNK = 1 << 20
REDIRECTS = 5
QUIET = 30.0  # seconds without a byte
DICTIONARY = 128 << 20  # that xz may want
TELL = 16 << 20  # bytes between two words about progress
ZERO = bytes(64 << 10)
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # stands for the IPv4 address in its last bits
BY_LENGTH = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
PACKED = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\0": "xz"}


class FetchError(Exception):
    """Why it did not come, in words that its owner may read."""


def digest_of(checksum: str) -> tuple[str, str]:
    """``{SHA-256}ab12…``, or the kind by its length."""
    kind, _, text = checksum[1:].partition("}") if checksum.startswith("{") else ("", "", checksum)
    name = kind.lower().replace("-", "") if kind else BY_LENGTH.get(len(text), "")
    length = {kind: size for size, kind in BY_LENGTH.items()}.get(name)
    if length != len(text) or not all(c in "0123456789abcdefABCDEF" for c in text):
        raise FetchError("the checksum is none of MD5, SHA-1, SHA-224, SHA-256, SHA-384 or SHA-512")
    return name, text.lower()


# -- where it comes from: (how many bytes, or 0 if that is not known; the bytes)


def opened(url: str, allowed: tuple[str, ...]) -> tuple[int, Iterator[bytes]]:
    scheme = urlsplit(url).scheme
    if scheme == "file":
        return _file(Path(unquote(urlsplit(url).path)))
    if scheme == "nfs":
        return _nfs(url)
    if scheme in ("http", "https"):
        return _http(url, allowed)
    raise FetchError(f"images do not come by {scheme or 'no scheme'}")


def _file(path: Path) -> tuple[int, Iterator[bytes]]:
    if not path.is_file():
        raise FetchError("there is no such file")

    def read() -> Iterator[bytes]:
        with path.open("rb") as file:
            while data := file.read(CHUNK):
                yield data

    return path.stat().st_size, read()


def _nfs(url: str) -> tuple[int, Iterator[bytes]]:
    parts = urlsplit(url)
    folder, _, name = unquote(parts.path).rpartition("/")
    export = Export(parts.hostname or "", folder)
    found = export.find(name)
    if found is None or found.is_directory:
        raise FetchError("there is no such file")
    return found.size, export.chunks(name)


def _http(url: str, allowed: tuple[str, ...]) -> tuple[int, Iterator[bytes]]:
    for _ in range(REDIRECTS + 1):
        response = _ask(url, allowed)
        if response.status in (301, 302, 303, 307, 308):
            url = urljoin(url, response.getheader("Location") or "")
            continue
        if response.status != 200:
            raise FetchError(f"the server answers with status {response.status}")
        total = int(response.getheader("Content-Length") or 0)
        return total, _body(response, total)
    raise FetchError(f"more than {REDIRECTS} redirects")


def _body(response: http.client.HTTPResponse, total: int) -> Iterator[bytes]:
    size = 0
    while data := response.read1(CHUNK):
        size += len(data)
        yield data
    if total and size != total:
        raise FetchError(f"only {size} of {total} bytes came")


def _ask(url: str, allowed: tuple[str, ...]) -> http.client.HTTPResponse:
    """One lookup of the name, and a connection to the address that was checked: it cannot mean another by then."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise FetchError("only http and https URLs with a host name and without a user are fetched")
    host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    plain = socket.create_connection((_resolve(host, port, allowed), port), QUIET)
    connection = http.client.HTTPConnection(host, port, timeout=QUIET)
    secure = parts.scheme == "https"
    connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if secure else plain
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    connection.request("GET", path, headers={"Accept-Encoding": "identity", "User-Agent": "cloudportal"})
    return connection.getresponse()


def _resolve(host: str, port: int, allowed: tuple[str, ...]) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise FetchError("the name of the server is not known") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not all(is_allowed(address, allowed) for address in addresses):
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


# -- what is in it


def unpacked(chunks: Iterator[bytes]) -> tuple[str, Iterator[bytes]]:
    """How it is packed, and what comes out: in pieces, however much one piece of it swells to."""
    first = next(chunks, b"")
    kind = next((name for magic, name in PACKED.items() if first.startswith(magic)), "")
    if not kind:
        return "", _before(first, chunks)
    return kind, _swollen(kind, _before(first, chunks))


def _before(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _swollen(kind: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Members may follow each other, as packing programs with several threads write them."""
    machine, rest = _machine(kind), b""
    for data in chunks:
        if machine.is_fresh and not data.strip(b"\0"):
            continue  # padding
        rest = data
        while rest or not machine.needs_input:
            if machine.eof:
                machine, rest = _machine(kind), machine.unused_data
                if not rest.strip(b"\0"):
                    break  # padding
                continue
            yield machine.decompress(rest, CHUNK)
            rest = b""
    if not machine.eof and not machine.is_fresh:
        raise FetchError("the packed data are cut off")


class _Gzip:
    """As the others are, which zlib's is not."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, most: int) -> bytes:
        found = self._inner.decompress(self._inner.unconsumed_tail + data, most)
        more = self._inner.unconsumed_tail or self._inner.eof or len(found) == most
        self.needs_input = not more
        return found


class _Machine:
    def __init__(self, inner: Any):
        self._inner, self.is_fresh = inner, True

    def decompress(self, data: bytes, most: int) -> bytes:
        self.is_fresh = False
        return bytes(self._inner.decompress(data, most))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _machine(kind: str) -> _Machine:
    if kind == "gz":
        return _Machine(_Gzip())
    return _Machine(bz2.BZ2Decompressor() if kind == "bz2" else lzma.LZMADecompressor(lzma.FORMAT_XZ, DICTIONARY))


# -- into the file


def save(chunks: Iterator[bytes], target: Path, most: int) -> int:
    size = 0
    with target.open("wb") as file:
        for data in chunks:
            size += len(data)
            if size > most:
                raise FetchError(f"it has more than the {most} bytes that are allowed")
            _sparse(file, data)
        file.truncate(size)
    return size


def _sparse(file: Any, data: bytes) -> None:
    view = memoryview(data)
    for at in range(0, len(data), len(ZERO)):
        piece = view[at : at + len(ZERO)]
        if piece == ZERO[: len(piece)]:
            file.seek(len(piece), 1)
        else:
            file.write(piece)


def counted(chunks: Iterator[bytes], digest: Any, most: int, tell: Callable[[int], None]) -> Iterator[bytes]:
    done = told = 0
    for data in chunks:
        done += len(data)
        if done > most:
            raise FetchError(f"it has more than the {most} bytes that are allowed")
        if digest:
            digest.update(data)
        if done - told >= TELL:
            told = done
            tell(done)
        yield data
    tell(done)


def bring(job: dict[str, Any], say: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    name, wanted = digest_of(job["checksum"]) if job["checksum"] else ("", "")
    digest = hashlib.new(name, usedforsecurity=False) if name else None
    total, chunks = opened(job["url"], tuple(job["allowed"]))
    if total > job["max_bytes"]:
        raise FetchError(f"it has {total} bytes, more than the {job['max_bytes']} that are allowed")
    say({"total": total})
    kind, content = unpacked(counted(chunks, digest, job["max_bytes"], lambda done: say({"done": done})))
    stored = hashlib.sha256() if job["note"] else None
    size = save(_noted(content, stored) if stored else content, Path(job["target"]), job["max_bytes"])
    if digest and digest.hexdigest() != wanted:
        raise FetchError("the checksum is not that of the file")
    return {"size": size, "packed": kind, "checksum": f"{{SHA-256}}{stored.hexdigest()}" if stored else ""}


def _noted(chunks: Iterator[bytes], digest: Any) -> Iterator[bytes]:
    for data in chunks:
        digest.update(data)
        yield data


def main() -> int:
    """The job on standard input, words on standard output, the last one with ``size`` or ``error``."""

    def say(words: dict[str, Any]) -> None:
        print(json.dumps(words), flush=True)  # noqa: T201 - to the agent

    try:
        say(bring(json.load(sys.stdin), say))
    except (FetchError, EOFError, zlib.error, lzma.LZMAError) as error:
        say({"error": str(error) or "the packed data are cut off"})
    except MemoryError:
        say({"error": "unpacking it takes too much memory"})
    except Exception as error:
        say({"error": f"{type(error).__name__}: {error}"})
    return 0
