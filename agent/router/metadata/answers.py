"""What a guest is answered. Paths and words are those of CloudStack's virtual router and of EC2.

Here and in ``server`` nothing is imported without need: it would cost memory on every host.
"""

from collections.abc import Iterable
from typing import Any

VERSIONS = ("1.0", "2009-04-04", "latest")
OK, BAD_REQUEST, NOT_FOUND, NOT_ALLOWED, UNABLE = 200, 400, 404, 405, 500
WORDS = {
    OK: "OK",
    BAD_REQUEST: "Bad Request",
    NOT_FOUND: "Not Found",
    NOT_ALLOWED: "Method Not Allowed",
    UNABLE: "Error",
}
USER_DATA = None  # as an answer: the guest's file
SEND, SAVED = "send_my_password", "saved_password"
NO_PASSWORD = b"saved_password"

# What a machine's file holds: "meta" (name: text), "keys", "password" and its "password_id", "uuid".
Machine = dict[str, Any]


def parse(request: bytes) -> tuple[str, str, dict[str, str]] | None:
    """Method, path and headers by small name; None if it is no request."""
    lines = request.decode("latin-1").splitlines()
    words = lines[0].split(" ") if lines else []
    if len(words) not in (2, 3):
        return None
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return words[0], words[1].partition("?")[0], headers


def metadata(path: str, machine: Machine | None, has_user_data: bool) -> tuple[int, bytes | None]:
    parts = [part for part in path.split("/") if part]
    if machine is None or (parts and not _is_version(parts[0])):
        return NOT_FOUND, b""
    if not parts:
        return OK, _lines(VERSIONS)
    return _of_version(parts[1:], path.endswith("/"), machine, has_user_data)


def _is_version(word: str) -> bool:
    digits = word.replace("-", "")
    return word in VERSIONS or (len(word) == 10 and word[4] == word[7] == "-" and len(digits) == 8 and digits.isdigit())


def _of_version(parts: list[str], is_folder: bool, machine: Machine, has_user_data: bool) -> tuple[int, bytes | None]:
    if not parts:
        return OK, _lines(["meta-data/", *(["user-data"] if has_user_data else [])])
    if parts == ["user-data"]:
        return (OK, USER_DATA) if has_user_data else (NOT_FOUND, b"")
    if parts[0] == "meta-data":
        parts = parts[1:]
    if not parts:
        return OK, _lines(_listing(machine))
    if parts[0] == "public-keys":
        return _keys(parts[1:], is_folder, machine["keys"])
    if parts[0] == "placement" and len(parts) == 1:
        return OK, _lines(["availability-zone"])
    value = machine["meta"].get("/".join(parts).removeprefix("placement/"))
    return (NOT_FOUND, b"") if value is None else (OK, value.encode())


def _listing(machine: Machine) -> list[str]:
    return sorted([*machine["meta"], "placement/", *(["public-keys"] if machine["keys"] else [])])


def _keys(parts: list[str], is_folder: bool, keys: list[str]) -> tuple[int, bytes | None]:
    """All of them as CloudStack gives them; as a folder, one by one, as EC2 does."""
    if not keys:
        return NOT_FOUND, b""
    if not parts:
        return OK, _lines(f"{number}=key-{number}" for number in range(len(keys))) if is_folder else _lines(keys)
    if not (parts[0].isdecimal() and parts[0].isascii() and int(parts[0]) < len(keys)):
        return NOT_FOUND, b""
    if parts[1:] == ["openssh-key"]:
        return OK, _lines([keys[int(parts[0])]])
    return (OK, _lines(["openssh-key"])) if len(parts) == 1 else (NOT_FOUND, b"")


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def head(status: int, length: int, kind: str) -> bytes:
    return (
        f"HTTP/1.0 {status} {WORDS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n"
        "Connection: close\r\n\r\n"
    ).encode()
