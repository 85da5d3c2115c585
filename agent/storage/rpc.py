"""Sun RPC over TCP, as much as NFS needs (RFC 5531, 4506)."""

import os
import socket
import struct
import time
from collections.abc import Iterator

RESERVED = range(1023, 600, -1)  # ports that only root may send from, as servers want it
PORTMAP = (100000, 2)
MOST = 4 << 20


class RpcError(Exception):
    """The server understood, and says no."""


class Reader:
    def __init__(self, data: bytes):
        self._data, self._at = data, 0

    def uint(self) -> int:
        return int(self._take(">I", 4))

    def ulong(self) -> int:
        return int(self._take(">Q", 8))

    def opaque(self) -> bytes:
        size = self.uint()
        data = self._data[self._at : self._at + size]
        self.skip((size + 3) // 4 * 4)
        return data

    def skip(self, size: int) -> None:
        self._at += size
        if self._at > len(self._data):
            raise RpcError("the answer is cut off")

    def _take(self, form: str, size: int) -> int:
        self.skip(size)
        value: int = struct.unpack_from(form, self._data, self._at - size)[0]
        return value


def opaque(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data + b"\0" * (-len(data) % 4)


def uints(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def ulong(value: int) -> bytes:
    return struct.pack(">Q", value)


class Client:
    """A connection to one version of one program. One call at a time."""

    def __init__(self, host: str, port: int, program: tuple[int, int], seconds: float):
        self._program, self._number = program, int.from_bytes(os.urandom(4), "big") >> 1
        self._socket = _connect(host, port, seconds)
        self._stream = self._socket.makefile("rb")
        machine = opaque(os.uname().nodename.encode()[:255])
        self._credential = uints(1) + opaque(uints(0) + machine + uints(0, 0, 0))  # AUTH_SYS: root, no other groups

    def call(self, procedure: int, arguments: bytes, seconds: float) -> Reader:
        self._socket.settimeout(max(0.1, seconds))
        self._number = (self._number + 1) & 0xFFFFFFFF
        head = uints(self._number, 0, 2, *self._program, procedure) + self._credential + uints(0, 0)
        message = head + arguments
        self._socket.sendall(uints(0x80000000 | len(message)) + message)
        while True:
            answer = Reader(self._record())
            if answer.uint() == self._number:  # else one that came too late
                return _accepted(answer)

    def _record(self) -> bytes:
        found = b""
        while True:
            (head,) = struct.unpack(">I", self._exactly(4))
            size = head & 0x7FFFFFFF
            if len(found) + size > MOST:
                raise RpcError("the answer is too long")
            found += self._exactly(size)
            if head & 0x80000000:
                return found

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) != size:
            raise ConnectionError("the server has closed the connection")
        return data

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


def _accepted(answer: Reader) -> Reader:
    kind, denied = answer.uint(), answer.uint()
    if kind != 1 or denied:
        raise RpcError("the server does not accept who we are")
    answer.uint()
    answer.opaque()
    if status := answer.uint():
        raise RpcError(f"the server does not serve this (status {status})")
    return answer


def _connect(host: str, port: int, seconds: float) -> socket.socket:
    until = time.monotonic() + seconds
    for local in _local_ports():
        plain = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            plain.settimeout(max(0.1, until - time.monotonic()))
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if local:
                plain.bind(("", local))
            plain.connect((host, port))
            return plain
        except OSError as error:
            plain.close()
            taken = error.errno in (98, 99)  # by another connection: the next one
            if not taken or time.monotonic() > until:
                raise
    raise OSError("no reserved port is free")


def _local_ports() -> Iterator[int]:
    if os.geteuid():
        yield 0
        return
    first = int.from_bytes(os.urandom(4), "big") % len(RESERVED)
    yield from (*RESERVED[first:], *RESERVED[:first])


def port_of(host: str, program: tuple[int, int], seconds: float) -> int:
    client = Client(host, 111, PORTMAP, seconds)
    try:
        port = client.call(3, uints(*program, socket.IPPROTO_TCP, 0), seconds).uint()
    finally:
        client.close()
    if not port:
        raise RpcError(f"the server has no program {program[0]} version {program[1]}")
    return port
