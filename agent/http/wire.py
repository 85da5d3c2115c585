"""As much of HTTP/1.1 as two programs of ours need: one message after the other on a connection, JSON bodies. The
standard library's servers and clients load the mail package, which costs a tenth of the memory that the agent may have.
"""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from agent.http.errors import Invalid

MAX_HEAD, MAX_BODY = 16 << 10, 16 << 20
REASONS = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}


@dataclass
class Message:
    start: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        try:
            return json.loads(self.body or b"null")
        except (ValueError, RecursionError):
            raise Invalid("the body is no JSON") from None


def read(stream: BinaryIO) -> Message | None:
    """The next message; None if the other side has closed between two."""
    lines, size = list[str](), 0
    while True:
        line = stream.readline(MAX_HEAD)
        size += len(line)
        if not line and not lines:
            return None
        if not line.endswith(b"\n") or size > MAX_HEAD:
            raise Invalid("the head of the message is cut off or too long")
        text = line.decode("latin-1").rstrip("\r\n")
        if not text:
            break
        lines.append(text)
    if not lines:
        raise Invalid("a message begins with an empty line")
    pairs = (line.partition(":") for line in lines[1:])
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Message(lines[0], headers, _body(stream, headers))


def _body(stream: BinaryIO, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return b"".join(_chunks(stream))
    text = headers.get("content-length", "0")
    if not text.isdecimal() or int(text) > MAX_BODY:
        raise Invalid(f"the body has more than {MAX_BODY} bytes, or no length")
    return _exactly(stream, int(text))


def _chunks(stream: BinaryIO) -> list[bytes]:
    chunks, total = list[bytes](), 0
    while True:
        line = stream.readline(MAX_HEAD).split(b";")[0].strip()
        try:
            size = int(line, 16)
        except ValueError:
            raise Invalid("a chunk has no length") from None
        total += size
        if size < 0 or total > MAX_BODY:
            raise Invalid(f"the body has more than {MAX_BODY} bytes")
        if not size:
            while stream.readline(MAX_HEAD).strip():
                pass  # trailers
            return chunks
        chunks.append(_exactly(stream, size))
        stream.readline(MAX_HEAD)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise ConnectionError("the connection ended within a message")
    return data


def request(method: str, path: str, host: str, body: Any = None, headers: Mapping[str, str] | None = None) -> bytes:
    return _write(f"{method} {path} HTTP/1.1", {"Host": host, **(headers or {})}, body)


def response(status: int, body: Any, close: bool = False) -> bytes:
    headers = {"Connection": "close"} if close else {}
    return _write(f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}", headers, body)


def _write(start: str, headers: Mapping[str, str], body: Any) -> bytes:
    data = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
    lines = {**headers, "Content-Type": "application/json", "Content-Length": str(len(data))}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{start}\r\n{head}\r\n".encode("latin-1") + data


def prepare(connection: socket.socket) -> None:
    """Answers are small: none waits for another; and a peer whose cable was cut is noticed."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in ((socket.TCP_KEEPIDLE, 20), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 4)):
        connection.setsockopt(socket.IPPROTO_TCP, option, seconds)
