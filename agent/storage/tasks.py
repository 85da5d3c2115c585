"""Work that outlives a call: copies. A call joins its task, or begins it, waits as long as its caller does and then
says that it is busy; asked again it joins again. What a task failed with is told once, and then it is tried again.

A task holds a file lock that its children inherit: a new agent sees whether a child of the one that was killed still
writes.
"""

import fcntl
import os
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from agent.http.errors import AgentError, Busy, Interrupted, Unknown
from agent.http.keys import Deadline
from agent.http.log import Log, request_id

AT_ONCE = 2  # of a kind; others wait
ANSWER = 1.0  # seconds that are kept for the answer
SURVIVORS = 10.0  # that a child of a killed agent has to die
STALE = 60.0  # after which nobody is told any more what a task failed with
KEPT = 3600.0  # that a result is told to whoever asks again


class Task:
    def __init__(self, number: int, kind: str, subject: str):
        self.id, self.kind, self.subject = number, kind, subject
        self.phase, self.done, self.total = "waiting", 0, 0
        self.started = time.time()
        self.calls_off, self.finished = threading.Event(), threading.Event()
        self.result: Any = None
        self.error: AgentError | None = None
        self.ended = 0.0
        self.lock = -1  # descriptor for the children

    def begin(self, phase: str, total: int = 0) -> None:
        self.phase, self.done, self.total = phase, 0, total
        if self.calls_off.is_set():
            raise Interrupted(self.subject)

    def progress(self, done: int) -> None:
        self.done = done

    def told(self) -> dict[str, Any]:
        names = ("id", "kind", "subject", "phase", "done", "total", "started")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        return f"{self.kind} of {self.subject}: {self.phase}, {self.done} of {self.total} bytes"


Work = Callable[[Task], Any]


class Tasks:
    def __init__(self, folder: Path, log: Log):
        self._folder, self._log = folder, log
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            _remove_unused(path)
        self._lock, self._numbers = threading.Lock(), count(1)
        self._tasks: dict[str, Task] = {}
        self._slots: dict[str, threading.BoundedSemaphore] = {}

    def list(self) -> list[dict[str, Any]]:
        with self._lock:
            return [task.told() for task in self._tasks.values() if not task.finished.is_set()]

    def running(self, kind: str, subject: str) -> Task | None:
        with self._lock:
            task = self._tasks.get(f"{kind}:{subject}")
            return None if task is None or task.finished.is_set() else task

    def join(self, kind: str, subject: str, work: Work, deadline: Deadline, keep: bool = False) -> Any:
        """The result of the work, or what it failed with; busy while it is under way. ``keep`` the result for who did
        not hear it, where nothing else tells that the work was done.
        """
        key = f"{kind}:{subject}"
        with self._lock:
            self._forget_stale()
            task = self._tasks.get(key)
            if task is None:
                task = self._tasks[key] = Task(next(self._numbers), kind, subject)
                name = f"task-{task.id}"
                threading.Thread(target=self._run, args=(task, work, request_id.get()), name=name, daemon=True).start()
        if not task.finished.wait(deadline.left(keep=ANSWER)):
            raise Busy(str(task))
        if task.error or not keep:
            self._forget(key, task)
        if task.error:
            raise task.error
        return task.result

    def _forget(self, key: str, task: Task) -> None:
        with self._lock:
            if self._tasks.get(key) is task:
                del self._tasks[key]

    def _forget_stale(self) -> None:
        now = time.monotonic()
        for key, task in list(self._tasks.items()):
            if task.finished.is_set() and now - task.ended > (STALE if task.error else KEPT):
                del self._tasks[key]

    def call_off(self, kind: str, subject: str, deadline: Deadline) -> None:
        """Ensure that no such work is under way."""
        with self._lock:
            task = self._tasks.get(f"{kind}:{subject}")
        if task is None:
            return
        task.calls_off.set()
        if not task.finished.wait(deadline.left(keep=ANSWER)):
            raise Busy(f"{task}: it is being called off")
        with self._lock:
            self._tasks.pop(f"{kind}:{subject}", None)

    def _run(self, task: Task, work: Work, request: str) -> None:
        request_id.set(request)
        began = time.monotonic()
        try:
            with self._slot(task):
                task.lock = self._survivors_gone(task)
                task.result = work(task)
        except AgentError as error:
            task.error = error
        except Interrupted:
            task.error = Busy(f"{task.kind} of {task.subject} was called off")
        except Exception as error:
            task.error = Unknown("the agent failed, see its log")
            self._log.failure("failed", error, task=task.kind, subject=task.subject)
        finally:
            if task.lock >= 0:
                self._path(task).unlink(missing_ok=True)
                os.close(task.lock)
            seconds = round(time.monotonic() - began, 2)
            values = {"kind": task.kind, "subject": task.subject, "bytes": task.done, "seconds": seconds}
            self._log("task", **values, outcome=task.error.kind if task.error else "done", text=task.error)
            task.ended = time.monotonic()
            task.finished.set()

    @contextmanager
    def _slot(self, task: Task) -> Iterator[None]:
        with self._lock:
            slots = self._slots.setdefault(task.kind, threading.BoundedSemaphore(AT_ONCE))
        while not slots.acquire(timeout=0.2):
            task.begin("waiting")
        try:
            yield
        finally:
            slots.release()

    def _path(self, task: Task) -> Path:
        key = f"{task.kind}:{task.subject}".encode()
        return self._folder / f"{zlib.crc32(key):08x}-{zlib.adler32(key):08x}"

    def _survivors_gone(self, task: Task) -> int:
        handle = os.open(self._path(task), os.O_CREAT | os.O_RDWR, 0o600)
        until = time.monotonic() + SURVIVORS
        while not _lock(handle):
            if time.monotonic() > until:
                os.close(handle)
                raise Busy(f"a child of an agent before still works on {task.subject}")
            time.sleep(0.05)
        return handle


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_unused(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    if _lock(handle):
        path.unlink()
    os.close(handle)
