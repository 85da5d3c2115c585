"""The process that answers guests. It knows a guest by the socket it came to (its network) and its address there.

    unshare --net python3 -I -S -m agent.router.metadata.server CONTROL LOCK FOLDER SERVICE_ID BUILD

Guests are hostile: requests are small or refused, every connection has an end, and the guests of one network can take
no connection from those of another. ``CONTROL`` is a socket for the agent alone: see ``Control``.
"""

import array  # noqa: F401 - by socket.recv_fds, when there is no way to files any more
import fcntl
import json
import os
import resource
import selectors
import socket
import sys
import time
from typing import Any

from agent.router.metadata import answers

PASSWORD_PORT = 8080
REQUEST_LIMIT = 4096
SECONDS = 20.0  # for a request, and for each chunk of an answer
PER_NETWORK, IN_ALL = 64, 4096
CHUNK = 1 << 16
ANOTHER_RUNS = 3
ROOT = ""  # what it sees of the host begins here


class Listener:
    """A socket in the namespace of a router, made by the agent."""

    __slots__ = ("name", "network", "port", "sock")

    def __init__(self, sock: socket.socket, network: str, name: str):
        sock.setblocking(False)
        self.sock, self.network, self.name = sock, network, name
        self.port = int(name.rpartition(":")[2])


class Guest:
    """One connection: a request, an answer, the end."""

    __slots__ = ("deadline", "file", "left", "listener", "offset", "out", "peer", "request", "sock")

    def __init__(self, sock: socket.socket, peer: str, listener: Listener):
        sock.setblocking(False)
        self.sock, self.peer, self.listener = sock, peer, listener
        self.request, self.out = b"", b""
        self.file, self.offset, self.left = -1, 0, 0
        self.deadline = time.monotonic() + SECONDS

    def close(self) -> None:
        self.sock.close()
        if self.file >= 0:
            os.close(self.file)
            self.file = -1


class Server:
    def __init__(self, control: socket.socket, build: str):
        self.control, self.build = control, build
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ, self.control)
        self.networks: dict[str, tuple[int, dict[str, Listener]]] = {}  # the number of the namespace, its sockets
        self.guests: dict[int, Guest] = {}
        self.sent: dict[tuple[str, str], str] = {}  # which password a guest was told, by its network and address
        self.ends = False

    def run(self) -> None:
        swept = time.monotonic()
        while not self.ends:
            for key, _ in self.selector.select(1.0):
                self.turn(key.data)
            if time.monotonic() - swept > 1.0:
                swept = time.monotonic()
                for guest in [guest for guest in self.guests.values() if guest.deadline < swept]:
                    self.leave(guest)

    def turn(self, what: Any) -> None:
        """An event; by then what it is about may be gone."""
        if what is self.control:
            self.obey()
        elif isinstance(what, Listener):
            self.welcome(what)
        elif what.sock.fileno() in self.guests:
            try:
                self.write(what) if what.out or what.left else self.read(what)
            except BlockingIOError:
                pass
            except (OSError, ValueError, KeyError):  # whatever it is, the others are served
                self.leave(what)

    def welcome(self, listener: Listener) -> None:
        try:
            sock, peer = listener.sock.accept()
        except OSError:
            return
        same = sum(guest.listener.network == listener.network for guest in self.guests.values())
        if same >= PER_NETWORK or len(self.guests) >= IN_ALL:
            sock.close()
            return
        guest = Guest(sock, peer[0], listener)
        self.guests[sock.fileno()] = guest
        self.selector.register(sock, selectors.EVENT_READ, guest)

    def read(self, guest: Guest) -> None:
        got = guest.sock.recv(REQUEST_LIMIT)
        guest.request += got
        if b"\r\n\r\n" in guest.request or b"\n\n" in guest.request:
            self.answer(guest)
        elif not got or len(guest.request) > REQUEST_LIMIT:
            self.leave(guest)

    def answer(self, guest: Guest) -> None:
        try:
            status, body = respond(guest, self.sent)
        except (OSError, ValueError):
            status, body = answers.UNABLE, b""
        if body is answers.USER_DATA:
            guest.file = os.open(place(guest, "data"), os.O_RDONLY)
            guest.left = os.fstat(guest.file).st_size
            guest.out = answers.head(status, guest.left, "application/octet-stream")
        else:
            guest.out = answers.head(status, len(body), "text/plain") + body
        self.selector.modify(guest.sock, selectors.EVENT_WRITE, guest)
        self.write(guest)

    def write(self, guest: Guest) -> None:
        if guest.out:
            guest.out = guest.out[guest.sock.send(guest.out) :]
        while guest.left and not guest.out:
            sent = os.sendfile(guest.sock.fileno(), guest.file, guest.offset, min(guest.left, CHUNK))
            guest.offset, guest.left = guest.offset + sent, guest.left - sent
            guest.deadline = time.monotonic() + SECONDS
            if not sent:
                break
        if not guest.out and not guest.left:
            guest.sock.shutdown(socket.SHUT_WR)
            self.leave(guest)

    def leave(self, guest: Guest) -> None:
        self.guests.pop(guest.sock.fileno(), None)
        self.selector.unregister(guest.sock)
        guest.close()

    def obey(self) -> None:
        """One question of the agent, JSON with sockets beside it, and its answer."""
        peer, _ = self.control.accept()
        with peer:
            peer.settimeout(2.0)
            try:
                text, descriptors, _, _ = socket.recv_fds(peer, 1 << 16, 64)
                sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
                peer.sendall(json.dumps(self.carry_out(json.loads(text), sockets)).encode())
            except (OSError, ValueError, KeyError):
                return

    def carry_out(self, order: dict[str, Any], sockets: list[socket.socket]) -> dict[str, Any]:
        if order["do"] == "listen":
            self.listen(order["network"], order["space"], order["sockets"], sockets)
        elif order["do"] == "close":
            self.close(order["network"], order["sockets"])
        elif order["do"] == "end":
            self.ends = True
        networks = {name: {"space": space, "sockets": sorted(held)} for name, (space, held) in self.networks.items()}
        return {"build": self.build, "pid": os.getpid(), "networks": networks}

    def listen(self, network: str, space: int, names: list[str], sockets: list[socket.socket]) -> None:
        if network in self.networks and self.networks[network][0] != space:
            self.close(network, None)
        _, held = self.networks.setdefault(network, (space, {}))
        for name, sock in zip(names, sockets, strict=True):
            self.close(network, [name])
            held[name] = listener = Listener(sock, network, name)
            self.selector.register(sock, selectors.EVENT_READ, listener)
        self.networks[network] = (space, held)

    def close(self, network: str, names: list[str] | None) -> None:
        """These sockets of the network, or all that it has; what guests it has there ends."""
        _, held = self.networks.get(network, (0, {}))
        for name in list(held) if names is None else [name for name in names if name in held]:
            listener = held.pop(name)
            self.selector.unregister(listener.sock)
            listener.sock.close()
            for guest in [guest for guest in self.guests.values() if guest.listener is listener]:
                self.leave(guest)
        if not held:
            self.networks.pop(network, None)
            self.sent = {who: about for who, about in self.sent.items() if who[0] != network}


def place(guest: Guest, kind: str) -> str:
    return f"{ROOT}/data/{guest.listener.network}/{guest.peer}.{kind}"


def respond(guest: Guest, sent: dict[tuple[str, str], str]) -> tuple[int, bytes | None]:
    parsed = answers.parse(guest.request)
    if parsed is None:
        return answers.BAD_REQUEST, b""
    method, path, headers = parsed
    if method != "GET":
        return answers.NOT_ALLOWED, b""
    machine = told(guest)
    if guest.listener.port == PASSWORD_PORT:
        return password(guest, machine, headers.get("domu_request", ""), sent)
    return answers.metadata(path, machine, os.path.exists(place(guest, "data")))


def told(guest: Guest) -> dict[str, Any] | None:
    try:
        with open(place(guest, "json"), "rb") as file:
            return dict(json.load(file))
    except FileNotFoundError:
        return None


def password(
    guest: Guest, machine: dict[str, Any] | None, wish: str, sent: dict[tuple[str, str], str]
) -> tuple[int, bytes]:
    """Told until the guest says that it has it; the receipt outlives this process and the host. What it says is about
    the password that it was told: there may be a new one since.
    """
    if wish not in (answers.SEND, answers.SAVED):
        return answers.BAD_REQUEST, b"bad_request"
    if machine is None or not machine["password"]:
        return answers.OK, answers.NO_PASSWORD
    receipt, who = f"{ROOT}/receipts/{guest.listener.network}/{machine['uuid']}", (guest.listener.network, guest.peer)
    if read(receipt) == machine["password_id"]:
        return answers.OK, answers.NO_PASSWORD
    if wish == answers.SEND:
        sent[who] = machine["password_id"]
        return answers.OK, machine["password"].encode()
    if sent.pop(who, "") == machine["password_id"]:
        write(receipt, machine["password_id"])
    return answers.OK, answers.NO_PASSWORD


def read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ""


def write(path: str, text: str) -> None:
    with open(f"{path}.new", "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)


def main(control: str, lock: str, folder: str, service: str, build: str) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.closerange(3, most)  # what the agent had open, locks above all
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if not _alone(lock):
        sys.exit(ANOTHER_RUNS)
    listening = _listening(control)
    _without_rights(folder, int(service))
    if os.fork():
        os._exit(0)  # ready: what the agent says now waits in the socket
    os.setsid()
    Server(listening, build).run()


def _alone(lock: str) -> bool:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _listening(path: str) -> socket.socket:
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if os.path.exists(path):
        os.unlink(path)
    os.umask(0o077)
    control.bind(path)
    control.listen(64)
    return control


def _without_rights(folder: str, service: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.chroot(folder)
    os.chdir("/")
    os.setgroups([])
    os.setresgid(service, service, service)
    os.setresuid(service, service, service)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
