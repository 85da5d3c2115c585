"""What the agent tells without being asked. A report is the state of the host now, and the events since the last one
that the manager has confirmed: a manager that was away misses nothing that still matters.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from agent.http import client, clock
from agent.http.errors import AgentError
from agent.http.identity import Identity
from agent.http.log import Log

PATH = "/agent/v1/report"
INTERVAL = 30.0  # seconds between heartbeats
KEPT = 1000  # events of a manager that is away
TOGETHER = 0.05  # seconds in which events wait for each other
PATIENCE = (1.0, 2.0, 5.0, 10.0, 30.0)  # between tries


class Reporter:
    def __init__(self, identity: Identity, collect: Callable[[], dict[str, Any]], log: Log, interval: float = INTERVAL):
        self._identity, self._collect, self._log, self._interval = identity, collect, log, interval
        self._boot, self._sequence = os.urandom(8).hex(), 0
        self._events: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._number = 0
        self._lock, self._wake = threading.Lock(), threading.Event()

    def start(self, stop: threading.Event) -> None:
        threading.Thread(target=self._run, args=(stop,), name="report", daemon=True).start()

    def event(self, kind: str, **values: Any) -> None:
        """Something happened: the manager hears of it at once."""
        with self._lock:
            self._number += 1
            head = {"number": self._number, "time": clock.text_of(time.time()), "kind": kind}
            self._events.append({**head, **values})
        self._wake.set()

    def soon(self) -> None:
        self._wake.set()

    def _run(self, stop: threading.Event) -> None:
        failures = 0
        while not stop.is_set():
            if failures:
                stop.wait(PATIENCE[min(failures, len(PATIENCE)) - 1])
            elif self._wake.wait(self._interval):
                stop.wait(TOGETHER)
            self._wake.clear()
            failures = 0 if self._send() else failures + 1

    def _send(self) -> bool:
        with self._lock:
            events = list(self._events)
        try:
            self._sequence += 1
            head = {"host": self._identity.enrolled["host"], "boot": self._boot, "sequence": self._sequence}
            body = {**head, **self._collect(), "events": events}
            answer = client.post(self._identity, self._identity.enrolled["manager"], PATH, body)
        except AgentError as error:
            self._log("report not delivered", error=str(error), events=len(events))
            return False
        except Exception as error:
            self._log.failure("report failed", error)
            return False
        with self._lock:
            while events and self._events and self._events[0]["number"] <= events[-1]["number"]:
                self._events.popleft()
        if isinstance(answer, dict) and isinstance(answer.get("revoked"), list):
            self._identity.revoke(answer["revoked"])
        return True
