"""The calls that the agent knows: how their arguments are read, what they hold, how they end."""

import dataclasses
import inspect
import math
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, get_type_hints

from agent.http.decode import decode
from agent.http.errors import AgentError, Busy, Invalid
from agent.http.keys import Deadline, Keys
from agent.http.log import Log

CHANGES, LOOKS = 16, 32  # at the same time
LONGEST = 3600.0  # seconds
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NAMED = ("vm", "disk", "nic", "network", "pool", "image")  # parameters that, as texts, are uuids
ABOUT = ("deadline", "expires")  # keys about the call itself
Subjects = Callable[..., Sequence[str]]


def is_uuid(text: str) -> bool:
    return UUID.fullmatch(text) is not None


def by(*parameters: str) -> Subjects:
    """The keys of a call are of what these parameters name."""

    def keys(**arguments: Any) -> list[str]:
        return [f"{name}:{_subject(arguments[name])}" for name in parameters if arguments.get(name) is not None]

    return keys


NOTHING = by()


def _subject(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("network")
    value = getattr(value, "uuid", value)
    if not isinstance(value, str) or not is_uuid(value):
        raise Invalid(f"{value!r} is no uuid")
    return value


@dataclasses.dataclass(frozen=True)
class Call:
    function: Callable[..., Any]
    keys: Subjects
    changes: bool
    hints: dict[str, Any]
    required: frozenset[str]

    def arguments(self, body: Any) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise Invalid("the call must be an object")
        if unknown := sorted(set(body) - set(self.hints) - set(ABOUT)):
            raise Invalid(f"unknown key {unknown[0]!r}")
        if missing := sorted(self.required - set(body)):
            raise Invalid(f"key {missing[0]!r} is missing")
        given = {name: decode(self.hints[name], value, name) for name, value in body.items() if name not in ABOUT}
        for name in NAMED:
            if isinstance(text := given.get(name), str) and not is_uuid(text):
                raise Invalid(f"{name}: {text!r} is no uuid")
        return given


class Calls:
    def __init__(self, keys: Keys, log: Log):
        self.keys, self._log, self._calls = keys, log, dict[str, Call]()
        self._slots = {True: threading.BoundedSemaphore(CHANGES), False: threading.BoundedSemaphore(LOOKS)}

    def register(self, name: str, function: Callable[..., Any], keys: Subjects = NOTHING, changes: bool = True) -> None:
        """``function`` takes what the call names, as keywords, and the deadline."""
        hints = {each: kind for each, kind in get_type_hints(function).items() if each not in ("return", "deadline")}
        parameters = inspect.signature(function).parameters
        required = frozenset(name for name in hints if parameters[name].default is inspect.Parameter.empty)
        self._calls[name] = Call(function, keys, changes, hints, required)

    def names(self) -> list[str]:
        return sorted(self._calls)

    def answer(self, name: str, body: Any) -> dict[str, Any]:
        """What goes back to the manager. Nothing is raised."""
        started, subjects = time.monotonic(), list[str]()
        outcome, text = "done", None
        try:
            answer = {"result": plain(self._carry_out(name, body, subjects))}
        except AgentError as error:
            outcome, text = error.kind, str(error)
        except Exception as error:
            outcome, text = "unknown", "the agent failed, see its log"
            self._log.failure("failed", error, call=name)
        call = self._calls.get(name)
        if call is None or call.changes or outcome not in ("done", "busy"):
            taken = round((time.monotonic() - started) * 1000)
            self._log("call", call=name, subjects=subjects, ms=taken, outcome=outcome, text=text)
        return answer if outcome == "done" else {"error": {"kind": outcome, "text": text}}

    def _carry_out(self, name: str, body: Any, subjects: list[str]) -> Any:
        call = self._calls.get(name)
        if call is None:
            raise Invalid(f"there is no call {name!r}")
        arguments, deadline = call.arguments(body), Deadline(_seconds(body))
        if _expires(body) < time.monotonic():
            raise Busy("the call came when nobody waited for it any more")
        subjects += call.keys(**arguments)
        slots = self._slots[call.changes]
        if not slots.acquire(timeout=min(1.0, deadline.left())):
            raise Busy("the host carries out as many calls as it can")
        try:
            deadline.begin()
            if call.changes:
                with self.keys.hold(subjects):
                    return call.function(**arguments, deadline=deadline)
            self.keys.look(subjects)
            return call.function(**arguments, deadline=deadline)
        finally:
            slots.release()


def _seconds(body: dict[str, Any]) -> float:
    seconds = body.get("deadline")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST:
        raise Invalid(f"key 'deadline' must be the number of seconds that the caller waits, up to {LONGEST:.0f}")
    return float(seconds)


def _expires(body: dict[str, Any]) -> float:
    """On our own clock, which hello told: a request that the network held back must not begin after its caller has
    given up and looked.
    """
    at = body.get("expires", math.inf)
    if isinstance(at, bool) or not isinstance(at, int | float):
        raise Invalid("key 'expires' must be a time on the clock of the agent")
    return float(at)


def plain(value: Any) -> Any:
    """As JSON can say it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value
