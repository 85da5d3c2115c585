"""Programs that work on what strangers gave us: with limits on memory, processor time and patience, and dead as soon
as the agent is. Secrets go through pipes, never through words that anybody can list.
"""

import os
import re
import selectors
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.http.errors import Interrupted, Refused

MOST_OUTPUT = 1 << 20
LOOK = 0.2  # seconds between two looks at what calls it off


@dataclass(frozen=True)
class Limits:
    memory: int  # bytes of address space
    processor: int  # seconds
    seconds: float  # by the clock


SMALL = Limits(512 << 20, 20, 30.0)
COPY = Limits(4 << 30, 24 * 3600, 24 * 3600.0)


@dataclass
class Child:
    """What a program may be given beside its words."""

    secret: str = ""  # a word may say /dev/fd/SECRET
    keep: tuple[int, ...] = ()  # descriptors it inherits
    calls_off: threading.Event | None = None
    output: Callable[[bytes], None] | None = None
    data: bytes = b""  # on its standard input
    environment: dict[str, str] | None = None


NOTHING = Child()


def run(words: Sequence[str], limits: Limits, child: Child = NOTHING) -> str:
    """Its output. Refused, with the last line of its complaint, if it fails or takes more than it may."""
    bounds = (f"--as={limits.memory}", f"--cpu={limits.processor}", "--core=0")
    command = ["setpriv", "--pdeathsig", "KILL", "prlimit", *bounds, *words]
    secret, keep = _pipe(child.secret), list(child.keep)
    if secret is not None:
        keep.append(secret)
        command = [word.replace("/dev/fd/SECRET", f"/dev/fd/{secret}") for word in command]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=keep,
            env=os.environ | {"MALLOC_ARENA_MAX": "1", "LC_ALL": "C.UTF-8"} | (child.environment or {}),
        )
    finally:
        if secret is not None:
            os.close(secret)
    with process:
        try:
            said, complaint = _follow(process, limits.seconds, child)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise Refused(f"{words[0]}: {_reason(complaint, process.returncode)}")
    return said.decode(errors="replace")


def _pipe(secret: str) -> int | None:
    if not secret:
        return None
    reader, writer = os.pipe()
    os.write(writer, secret.encode())
    os.close(writer)
    return reader


def _follow(process: subprocess.Popen[bytes], seconds: float, child: Child) -> tuple[bytes, bytes]:
    assert process.stdin is not None  # noqa: S101 - for the types
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    process.stdin.write(child.data)
    process.stdin.close()
    until, found = time.monotonic() + seconds, {process.stdout: b"", process.stderr: b""}
    with selectors.DefaultSelector() as selector:
        for stream in found:
            selector.register(stream, selectors.EVENT_READ, stream)
        while selector.get_map():
            for key, _ in selector.select(LOOK):
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fileobj)
                elif child.output and key.data is process.stdout:
                    child.output(data)
                else:
                    found[key.data] = (found[key.data] + data)[-MOST_OUTPUT:]
            if child.calls_off and child.calls_off.is_set():
                raise Interrupted(process.args)
            if time.monotonic() > until:
                raise Refused(f"it took more than {seconds:.0f} s")
    process.wait(max(0.1, until - time.monotonic()))
    return found[process.stdout], found[process.stderr]


def _reason(complaint: bytes, code: int) -> str:
    lines = complaint.decode(errors="replace").strip().splitlines()
    text = re.sub(r"'json:.*'", "the disk", lines[-1] if lines else f"ended with {code}")
    return re.sub(r"//[^/@\s]*@", "//", text)[:300]  # no password of a URL
