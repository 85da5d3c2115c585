"""Network namespaces: made, entered, emptied, removed."""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from agent.net.tools import Tools
from agent.state.errors import Failed

T = TypeVar("T")
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
PATIENCE = 2.0
PROC = Path("/proc")


def exists(space: Path) -> bool:
    """A file that is no namespace is what is left where ``ip`` was killed."""
    with suppress(FileNotFoundError):
        return os.stat(space).st_dev == os.stat("/proc/self/ns/net").st_dev
    return False


def ensure(tools: Tools, space: Path) -> None:
    if not exists(space):
        space.unlink(missing_ok=True)
        tools.run("ip", "netns", "add", space.name)


def remove(tools: Tools, space: Path) -> None:
    """With all that runs in it."""
    if exists(space):
        end(pids(space))
        tools.run("ip", "netns", "del", space.name)
    space.unlink(missing_ok=True)


def inode(space: Path) -> int:
    """Which namespace it is: another one under the same name has another number."""
    return os.stat(space).st_ino


def inside(space: Path, act: Callable[[], T]) -> T:
    """What ``act`` returns when done by a thread that is in the namespace. Sockets it makes stay there."""
    result: list[tuple[Any, BaseException | None]] = []

    def body() -> None:
        try:
            _join(space)
            result.append((act(), None))
        except BaseException as error:
            result.append((None, error))

    thread = threading.Thread(target=body, name=f"in {space.name}")
    thread.start()
    thread.join()
    value, error = result[0]
    if error is not None:
        raise error
    return cast(T, value)


def _join(space: Path) -> None:
    descriptor = os.open(space, os.O_RDONLY)
    try:
        if LIBC.setns(descriptor, CLONE_NEWNET):
            raise Failed(f"{space.name}: cannot enter the namespace: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(descriptor)


def pids(space: Path) -> list[int]:
    """Processes in the namespace."""
    return [pid for pid in _processes() if is_in(pid, space)]


def pids_of(words: str) -> list[int]:
    """Processes with these words in their command line, wherever they are: a namespace that lost its name may go on."""
    return [pid for pid in _processes() if words in command(pid)]


def is_in(pid: int, space: Path) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.stat(PROC / str(pid) / "ns" / "net"), os.stat(space))
    return False


def _processes() -> Iterator[int]:
    return (int(path.name) for path in PROC.iterdir() if path.name.isdecimal())


def command(pid: int) -> str:
    """Of a living process; "" if there is none, or if it is dead and nobody asked for it yet."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def end(doomed: list[int]) -> None:
    """Ask them to end, then make them."""
    _signal(doomed, signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while any(command(pid) for pid in doomed):
        if time.monotonic() > until:
            _signal(doomed, signal.SIGKILL)
        time.sleep(0.005)


def _signal(doomed: list[int], number: int) -> None:
    for pid in doomed:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
