"""The connection to libvirt: one, with its event loop in a thread, opened again when it is lost.

A call that libvirt refuses was not carried out. One whose connection is lost may have been: libvirt goes on without us.
"""

import importlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from agent.http.errors import Busy, Refused, Unknown
from agent.http.keys import Deadline
from agent.http.log import Log

KEEPALIVE = (5, 3)  # seconds between questions, and how many may stay without an answer
AT_ONCE = 4  # calls; libvirt bears five of a client, and the fifth is the keepalive's
AGAIN = 1.0  # seconds between tries to connect


class Link:
    def __init__(self, uri: str, log: Log):
        self.libvirt: Any = importlib.import_module("libvirt")  # late: tests and other verbs have no libvirt
        self.libvirt.registerErrorHandler(lambda *_: None, None)
        self._uri, self._log = uri, log
        self._connection: Any = None
        self._lock, self._slots = threading.Lock(), threading.BoundedSemaphore(AT_ONCE)
        self._changed, self._happened, self._lost = threading.Condition(), 0, threading.Event()
        self.on_connect: list[Callable[[Any], None]] = []
        self.on_loss: list[Callable[[], None]] = []

    def start(self) -> None:
        self.libvirt.virEventRegisterDefaultImpl()
        threading.Thread(target=self._loop, name="libvirt events", daemon=True).start()
        with suppress(Busy):
            self._open()
        threading.Thread(target=self._stay, name="libvirt", daemon=True).start()

    def _loop(self) -> None:
        while True:
            self.libvirt.virEventRunDefaultImpl()

    def _stay(self) -> None:
        while True:
            if self._connection is None:
                with suppress(Busy):
                    self._open()
            self._lost.wait(AGAIN)
            self._lost.clear()

    def _open(self) -> Any:
        with self._lock:
            if self._connection is not None:
                return self._connection
            try:
                connection = self.libvirt.open(self._uri)
                connection.setKeepAlive(*KEEPALIVE)
                connection.registerCloseCallback(self._closed, None)
            except self.libvirt.libvirtError as error:
                raise Busy(f"libvirt does not answer: {error}") from error
            for register in self.on_connect:
                register(connection)
            self._connection = connection
        self._log("libvirt connected", uri=self._uri)
        self.wake()
        return connection

    def _closed(self, connection: Any, reason: int, opaque: Any) -> None:
        self._log("libvirt lost", reason=reason)
        if connection is self._connection:
            self._connection = None
        self._lost.set()
        self.wake()
        for tell in self.on_loss:
            tell()

    # -- waiting for what libvirt does later

    def wake(self) -> None:
        """Something happened."""
        with self._changed:
            self._happened += 1
            self._changed.notify_all()

    def until(self, condition: Callable[[], bool], seconds: float, every: float = 1.0) -> bool:
        """Does it become true? Looked at after each event, and now and then because events may be lost."""
        end = time.monotonic() + seconds
        while True:
            seen = self._happened
            if condition():
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            with self._changed:  # not while looking: what looks waits for libvirt, and libvirt's events for this
                if self._happened == seen:
                    self._changed.wait(min(left, every))

    # -- calls

    @contextmanager
    def asking(self, deadline: Deadline, changes: bool = False) -> Iterator[Any]:
        """The connection, for a call or some quick ones."""
        if not self._slots.acquire(timeout=deadline.left()):
            raise Busy("libvirt has enough to do")
        connection = None
        try:
            connection = self._connection or self._open()
            yield connection
        except self.libvirt.libvirtError as error:
            raise self._meaning(error, connection, changes) from error
        finally:
            self._slots.release()

    def _meaning(self, error: Any, connection: Any, changes: bool) -> Exception:
        code, libvirt = error.get_error_code(), self.libvirt
        if code == libvirt.VIR_ERR_OPERATION_TIMEOUT:
            return Busy(f"libvirt is at this machine: {error}")
        lost = connection is not self._connection or error.get_error_domain() == libvirt.VIR_FROM_RPC
        if lost or code in (libvirt.VIR_ERR_RPC, libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_INVALID_CONN):
            return (Unknown if changes else Busy)(f"the connection to libvirt was lost: {error}")
        return Refused(f"libvirt: {error}")

    def missing(self, error: Any) -> bool:
        """There is no such domain, or no longer."""
        return bool(error.get_error_code() == self.libvirt.VIR_ERR_NO_DOMAIN)

    def domain(self, connection: Any, vm: str) -> Any:
        """The running machine, or None."""
        try:
            domain = connection.lookupByUUIDString(vm)
            return domain if domain.isActive() else None
        except self.libvirt.libvirtError as error:
            if self.missing(error):
                return None
            raise
