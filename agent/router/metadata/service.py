"""The agent's side of the metadata process: started when the first router needs it, ended with the last one."""

import json
import socket
import sys
import time
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib import util
from pathlib import Path
from typing import Any

import agent
from agent.net.tools import Tools
from agent.router import space
from agent.router.document import Document
from agent.router.home import SERVICE_ID, Home
from agent.router.metadata import files
from agent.router.metadata.server import ANOTHER_RUNS
from agent.router.rules import METADATA
from agent.state.errors import Failed
from agent.state.locks import locked

MODULE = "agent.router.metadata.server"
PORTS = (80, 8080)
BACKLOG = 32
PATIENCE = 10.0

Holds = dict[str, dict[str, Any]]


@cache
def build() -> str:
    """Of the program: one that was started from another build is replaced."""
    sources = [util.find_spec(name) for name in (MODULE, "agent.router.metadata.answers")]
    texts = [spec.loader.get_source(spec.name) for spec in sources if spec and spec.loader]  # type: ignore[attr-defined]
    return sha256("".join(texts).encode()).hexdigest()[:16]


def sockets(document: Document) -> list[str]:
    """Where guests of the network find it."""
    if not document.has("UserData"):
        return []
    return [f"{ip}:{port}" for ip in (document.router_ip, METADATA) for port in PORTS]


class Service:
    def __init__(self, home: Home):
        self.home = home
        self.control = home.root / "metadata.control"

    def holds(self) -> Holds | None:
        """Sockets by network; None if the process does not run, or is of another build."""
        said = self._say({"do": "hold"})
        if said is None or said["build"] != build():
            return None
        return dict(said["networks"])

    def differs(self, document: Document, where: Path) -> bool:
        wanted = sockets(document)
        held = (self.holds() or {}).get(document.network)
        if not wanted or held is None:
            return bool(wanted) or held is not None
        return held["space"] != space.inode(where) or held["sockets"] != sorted(wanted)

    def ensure(self, document: Document, where: Path, tools: Tools) -> None:
        wanted, number = sockets(document), space.inode(where)
        if wanted:
            self._start(tools)
        held = (self.holds() or {}).get(document.network, {"space": number, "sockets": []})
        good = [name for name in held["sockets"] if name in wanted and held["space"] == number]
        self.close(document.network, [name for name in held["sockets"] if name not in good])
        self._listen(document.network, where, number, [name for name in wanted if name not in good])

    def _listen(self, network: str, where: Path, number: int, names: list[str]) -> None:
        if not names:
            return
        made = space.inside(where, lambda: [_listening(name) for name in names])
        said = self._say({"do": "listen", "network": network, "space": number, "sockets": names}, made)
        for each in made:
            each.close()
        if said is None:
            raise Failed("the metadata process has gone")

    def close(self, network: str, names: list[str] | None) -> None:
        """These sockets of a network, or all of them, so that nothing of its namespace is held any more."""
        if names != []:
            self._say({"do": "close", "network": network, "sockets": names})

    def end_if_idle(self) -> None:
        with locked(self.home.lock("metadata"), wait=PATIENCE):
            said = self._say({"do": "hold"})
            if said is not None and not said["networks"]:
                self._end(said)

    def _start(self, tools: Tools) -> None:
        with locked(self.home.lock("metadata"), wait=PATIENCE):
            said = self._say({"do": "hold"})
            if said is not None and said["build"] == build():
                return
            if said is not None:
                self._end(said)
            self._launch(tools)

    def _launch(self, tools: Tools) -> None:
        files.prepare(self.home.metadata)
        root = str(Path(agent.__file__).parent.parent)
        program = f"import sys; sys.path.insert(0, {root!r}); from {MODULE} import main; main(*sys.argv[1:])"
        words = [str(self.control), str(self.home.lock("metadata-process")), str(self.home.metadata)]
        command = ("unshare", "--net", "--", sys.executable, "-I", "-S", "-c", program, *words)
        until = time.monotonic() + PATIENCE
        while True:
            done = tools.attempt(*command, str(SERVICE_ID), build())
            if done.returncode == 0:
                return
            if done.returncode != ANOTHER_RUNS or time.monotonic() > until:
                raise Failed(f"the metadata process does not start: {done.stderr.strip()[-200:]}")
            time.sleep(0.02)  # one is on its way up, or down
            if self.holds() is not None:
                return

    def _end(self, said: dict[str, Any]) -> None:
        self._say({"do": "end"})
        space.end([said["pid"]])
        self.control.unlink(missing_ok=True)

    def _say(self, order: dict[str, Any], carried: list[socket.socket] | None = None) -> dict[str, Any] | None:
        """The answer; None if there is nobody. Who does not answer is ended: guests of all networks wait for it."""
        try:
            answer = self._answer(json.dumps(order).encode(), [each.fileno() for each in carried or ()])
        except TimeoutError:
            space.end(space.pids_of(f"main(*sys.argv[1:]) {self.control} "))
            answer = b""
        except (FileNotFoundError, ConnectionError):
            answer = b""
        with suppress(ValueError):  # it died in the middle of it
            return dict(json.loads(answer))
        return None

    def _answer(self, text: bytes, descriptors: list[int]) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(PATIENCE)
            line.connect(str(self.control))
            socket.send_fds(line, [text], descriptors)
            return b"".join(iter(lambda: line.recv(1 << 16), b""))


def _listening(name: str) -> socket.socket:
    ip, _, port = name.rpartition(":")
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((ip, int(port)))
    made.listen(BACKLOG)
    return made
