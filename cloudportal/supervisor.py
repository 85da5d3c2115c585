"""Keeps child processes running and leaves none behind. It knows nothing of what they do.

Every child leads a process group of its own: Ctrl-C reaches only the supervisor, which decides the order of the end,
and what a dead child leaves of its group is killed before the next one starts. A child dies with the supervisor, also
with one that was killed: the kernel sends the signal (PR_SET_PDEATHSIG).
"""

import ctypes
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

log = logging.getLogger(__name__)
PR_SET_PDEATHSIG = 1
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
HEALTHY_AFTER = 10.0  # seconds: a child that lived this long starts again at once
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    """To be called in the child; ``parent`` may already be gone."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


@dataclass
class Child:
    name: str
    work: Callable[[], object]  # runs in the child; may exec another program
    pid: int = 0
    started: float = 0.0
    pause: float = 0.0
    due: float = 0.0
    deaths: int = 0


@dataclass
class Supervisor:
    children: dict[str, Child] = field(default_factory=dict)
    stopping: bool = False
    errands: dict[int, int | None] = field(default_factory=dict)  # exit status by process, once it ended

    def start(self, name: str, work: Callable[[], object]) -> None:
        self.children[name] = child = Child(name, work)
        self._spawn(child)

    def _spawn(self, child: Child) -> None:
        child.pid, child.started = fork(child.work), time.monotonic()
        log.info("%s is process %s", child.name, child.pid)

    def run(self, every_second: Callable[[], object] = lambda: None) -> None:
        """Until ``stopping``; the wait is short, because a signal handler only sets that flag."""
        turn = 0
        while not self.stopping:
            self.look()
            if turn % 20 == 0:
                every_second()
            turn += 1
            time.sleep(0.05)

    def errand(self, work: Callable[[], object]) -> int:
        """Let a child do something to its end, and look after the others meanwhile; returns its exit status."""
        pid = fork(work)
        self.errands[pid] = None
        while self.errands[pid] is None:
            if self.stopping:
                kill_group(pid)
            self.look()
            time.sleep(0.01)
        return self.errands.pop(pid) or 0

    def look(self) -> None:
        """Bury the dead and start them again."""
        self._reap()
        for child in self.children.values():
            if not child.pid and not self.stopping and time.monotonic() >= child.due:
                self._spawn(child)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            code = os.waitstatus_to_exitcode(status)
            if pid in self.errands:
                self.errands[pid] = code
            for child in self.children.values():
                if child.pid == pid:
                    self._died(child, code)

    def _died(self, child: Child, code: int) -> None:
        kill_group(child.pid)
        lived, child.pid = time.monotonic() - child.started, 0
        child.pause = 0 if lived > HEALTHY_AFTER else min(LONGEST_PAUSE, max(FIRST_PAUSE, child.pause * 2))
        child.due, child.deaths = time.monotonic() + child.pause, child.deaths + 1
        if not self.stopping:
            log.error("%s ended with %s after %.0f s; again in %.1f s", child.name, code, lived, child.pause)

    def stop(self, patience: float = 10.0) -> None:
        """Last started, first stopped, all asked at once; who does not listen is killed."""
        self.stopping = True
        for child in reversed(self.children.values()):
            if child.pid:
                os.kill(child.pid, signal.SIGTERM)
        end = time.monotonic() + patience
        while self.alive() and time.monotonic() < end:
            self._reap()
            time.sleep(0.02)
        for child in self.alive():
            log.warning("%s did not stop: killed", child.name)
            kill_group(child.pid)
        while self.alive():
            self._reap()
            time.sleep(0.02)

    def alive(self) -> list[Child]:
        return [child for child in self.children.values() if child.pid]


def fork(work: Callable[[], object]) -> int:
    """Run ``work`` in a child. What is loaded is shared: the collector must not touch it, here or there, or its pages
    are copied. So what is frozen stays frozen: this process looks after children and makes little garbage.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    gc.collect()
    gc.freeze()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setpgid(0, 0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        die_with_parent(parent)
        work()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        log.exception("a child process failed")
    finally:
        logging.shutdown()
        os._exit(status)


def kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return
