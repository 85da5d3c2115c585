"""Reading JSON strictly: every key is known, every value is checked, every refusal names the key."""

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from typing import Any, TypeVar, overload
from uuid import UUID

from agent.state.errors import Invalid

T = TypeVar("T")
D = TypeVar("D")
REQUIRED = object()
Read = Callable[[Any, str], T]

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
DOMAIN = re.compile(
    r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*"
)
MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


class Reader:
    """Takes the keys of one object; ``end`` refuses those that nobody took."""

    def __init__(self, value: Any, at: str = ""):
        if not isinstance(value, dict):
            raise Invalid(f"{at or 'document'}: must be an object")
        self.rest: dict[str, Any] = dict(value)
        self.at = at

    @overload
    def take(self, key: str, read: Read[T]) -> T: ...
    @overload
    def take(self, key: str, read: Read[T], default: D) -> T | D: ...
    def take(self, key: str, read: Read[Any], default: Any = REQUIRED) -> Any:
        if key in self.rest:
            return read(self.rest.pop(key), self.path(key))
        if default is REQUIRED:
            raise Invalid(f"{self.path(key)}: is missing")
        return default

    def end(self) -> None:
        for key in self.rest:
            raise Invalid(f"{self.path(key)}: unknown key")

    def path(self, key: str) -> str:
        return f"{self.at}.{key}" if self.at else key


def text(value: Any, at: str) -> str:
    """One line."""
    if not isinstance(value, str) or CONTROL.search(value):
        raise Invalid(f"{at}: must be one line of text")
    return value


def boolean(value: Any, at: str) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"{at}: must be true or false")
    return value


def integer(low: int, high: int) -> Read[int]:
    def read(value: Any, at: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Invalid(f"{at}: must be a whole number from {low} to {high}")
        return value

    return read


def one_of(*allowed: str) -> Read[str]:
    def read(value: Any, at: str) -> str:
        if value not in allowed:
            raise Invalid(f"{at}: {value!r} is none of {', '.join(allowed)}")
        return str(value)

    return read


def many(each: Read[T]) -> Read[tuple[T, ...]]:
    def read(value: Any, at: str) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise Invalid(f"{at}: must be a list")
        return tuple(each(one, f"{at}[{number}]") for number, one in enumerate(value))

    return read


def optional(each: Read[T]) -> Read[T | None]:
    """null, or what ``each`` reads."""

    def read(value: Any, at: str) -> T | None:
        return None if value is None else each(value, at)

    return read


def blank(each: Read[T]) -> Read[T | None]:
    """null or "", or what ``each`` reads."""

    def read(value: Any, at: str) -> T | None:
        return None if value in (None, "") else each(value, at)

    return read


def pair(each: Read[T]) -> Read[tuple[T, T]]:
    def read(value: Any, at: str) -> tuple[T, T]:
        if not isinstance(value, list) or len(value) != 2:
            raise Invalid(f"{at}: must be a list of two")
        return each(value[0], f"{at}[0]"), each(value[1], f"{at}[1]")

    return read


def empty(value: Any, at: str) -> None:
    if value not in (None, [], {}, ""):
        raise Invalid(f"{at}: is not served yet and must be empty")


def address(value: Any, at: str) -> IPv4Address:
    try:
        return IPv4Address(_string(value))
    except ValueError:
        raise Invalid(f"{at}: {value!r} is no IPv4 address") from None


def network(value: Any, at: str) -> IPv4Network:
    try:
        return IPv4Network(_string(value))
    except ValueError:
        raise Invalid(f"{at}: {value!r} is no network in the form 10.1.1.0/24") from None


def mac(value: Any, at: str) -> str:
    """In small letters; of one card, not of a group of them."""
    found = _string(value).lower()
    if not MAC.fullmatch(found) or int(found[:2], 16) & 1:
        raise Invalid(f"{at}: {value!r} is no MAC address of a card")
    return found


def uuid(value: Any, at: str) -> str:
    found = _string(value)
    try:
        if str(UUID(found)) == found:
            return found
    except ValueError:
        pass
    raise Invalid(f"{at}: {value!r} is no UUID in small letters")


def host_name(value: Any, at: str) -> str:
    return _matching(HOST, value, at, "host name")


def domain_name(value: Any, at: str) -> str:
    return _matching(DOMAIN, value, at, "domain name")


def _matching(pattern: re.Pattern[str], value: Any, at: str, what: str) -> str:
    if not pattern.fullmatch(_string(value)) or len(value) > 253:
        raise Invalid(f"{at}: {value!r} is no {what}")
    return str(value)


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
