"""One JSON object a line on standard error. What is logged are names and numbers, never the body of a call."""

import contextvars
import json
import sys
import threading
import time
import traceback
from typing import Any, TextIO

from agent.http import clock

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")


class Log:
    def __init__(self, stream: TextIO | None = None):
        self._stream, self._lock = stream or sys.stderr, threading.Lock()

    def __call__(self, event: str, **values: Any) -> None:
        line = {"time": clock.text_of(time.time()), "event": event, "request": request_id.get() or None, **values}
        text = json.dumps({name: value for name, value in line.items() if value is not None}, default=str)
        with self._lock:
            print(text, file=self._stream, flush=True)

    def failure(self, event: str, error: BaseException, **values: Any) -> None:
        """A bug, or what nobody thought of: with its traceback, whose lines show code and no values."""
        frames = traceback.format_list(traceback.extract_tb(error.__traceback__))
        self(event, error=f"{type(error).__name__}: {error}", trace="".join(frames), **values)
