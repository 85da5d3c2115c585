"""A connection of the manager that has become a stream to a screen on this host."""

import select
import socket
import ssl
from contextlib import suppress

CHUNK, MOST = 64 << 10, 256 << 10  # bytes read at once, and kept for a side that takes nothing
LAST = 5.0  # seconds for what was read before the other side closed
NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
LOST = select.POLLERR | select.POLLHUP | select.POLLNVAL


def pass_on(secure: ssl.SSLSocket, plain: socket.socket) -> None:
    """Both ways, until one side closes. One thread: OpenSSL does not let two use a connection at a time."""
    secure.setblocking(False)
    plain.setblocking(False)
    inward, outward, poll = bytearray(), bytearray(), select.poll()
    while True:
        poll.register(secure, _wanted(inward, outward))
        poll.register(plain, _wanted(outward, inward))
        if not secure.pending() or len(inward) >= MOST:
            lost = [file for file, what in poll.poll() if what & LOST]
            if (secure.fileno() in lost and len(inward) >= MOST) or (plain.fileno() in lost and len(outward) >= MOST):
                return  # it is gone, and there is no room to read what it said last
        if not _read(secure, inward):
            return
        if not _read(plain, outward):
            _finish(secure, outward)
            return
        _write(plain, inward)
        _write(secure, outward)


def _wanted(read: bytearray, written: bytearray) -> int:
    return (select.POLLIN if len(read) < MOST else 0) | (select.POLLOUT if written else 0)


def _read(source: socket.socket, into: bytearray) -> bool:
    """False if the source has closed."""
    if len(into) >= MOST:
        return True
    try:
        data = source.recv(CHUNK)
    except NOT_NOW:
        return True
    into += data
    return bool(data)


def _write(target: socket.socket, data: bytearray) -> None:
    if data:
        with suppress(*NOT_NOW):
            del data[: target.send(data)]


def _finish(secure: ssl.SSLSocket, left: bytearray) -> None:
    secure.settimeout(LAST)
    with suppress(OSError):
        secure.sendall(left)
