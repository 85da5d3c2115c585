"""Packets of tests: servers that say who came, clients that say how it went."""

import contextlib
import http.client
import socket
import struct
import threading

PATIENCE = 10.0
REFUSED, SILENT = "refused", "silent"


class Server:
    """Answers every connection, or datagram, with its name and the address that it sees."""

    def __init__(self, space, port, *, name="", kind=socket.SOCK_STREAM):
        self.name, self.kind = name or space.name, kind
        self.socket = space.inside(lambda: self._socket(port))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _socket(self, port):
        made = socket.socket(socket.AF_INET, self.kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("0.0.0.0", port))  # noqa: S104 - in a namespace of its own
        if self.kind == socket.SOCK_STREAM:
            made.listen(16)
        return made

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                self._answer()

    def _answer(self):
        if self.kind == socket.SOCK_DGRAM:
            _, peer = self.socket.recvfrom(64)
            if peer is None:  # closed
                raise OSError
            self.socket.sendto(f"{self.name} {peer[0]}".encode(), peer)
            return
        line, peer = self.socket.accept()
        with line, contextlib.suppress(OSError):
            line.sendall(f"{self.name} {peer[0]}".encode())

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def ask(space, ip, port, *, source="", patience=PATIENCE):
    """What a server says over TCP, or ``refused`` or ``silent``."""

    def act():
        try:
            with socket.create_connection((ip, port), patience, (source, 0) if source else None) as line:
                return line.recv(200).decode()
        except ConnectionRefusedError:
            return REFUSED
        except OSError:
            return SILENT

    return space.inside(act)


def ask_udp(space, ip, port, *, patience=PATIENCE):
    def act():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.settimeout(patience)
            line.sendto(b"?", (ip, port))
            try:
                return line.recv(200).decode()
            except OSError:
                return SILENT

    return space.inside(act)


def pings(space, ip, *, patience=2):
    return "1 received" in space.run("ping", "-c", "1", "-W", patience, ip, check=False)


def get(space, ip, path, *, port=80, headers=None, patience=PATIENCE):
    """Status and body of an HTTP request; (0, b"") if there was no answer."""

    def act():
        line = http.client.HTTPConnection(ip, port, timeout=patience)
        try:
            line.request("GET", path, headers=headers or {})
            answer = line.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""
        finally:
            line.close()

    return space.inside(act)


def password(space, ip, wish="send_my_password"):
    return get(space, ip, "/", port=8080, headers={"DomU_Request": wish})[1].decode()


def resolve(space, server, name, *, patience=PATIENCE):
    """Addresses that a DNS server says; None if it says that there is no such name. ``space`` is where to ask."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    question = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)

    def act():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.settimeout(patience)
            line.sendto(question, (server, 53))
            return line.recv(512)

    answer = space.inside(act) if hasattr(space, "inside") else space(act)
    code, count = struct.unpack("!H", answer[2:4])[0] & 15, struct.unpack("!H", answer[6:8])[0]
    records = answer[len(question) :]
    found = [socket.inet_ntoa(records[at * 16 + 12 : at * 16 + 16]) for at in range(count)]
    return sorted(found) if code == 0 else None
