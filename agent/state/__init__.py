"""The desired state of this host, on disk: small JSON documents with a generation, there again after any crash."""

import json
import os
import re
import time
from pathlib import Path
from typing import Any

from agent.state.files import folder, read, replace

__all__ = ["Store"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Store:
    """Documents by kind and key. Who writes has the lock of the key (``agent.state.locks``)."""

    def __init__(self, root: Path):
        self.root = root

    def put(self, kind: str, key: str, document: dict[str, Any]) -> None:
        """Kept before it is acted on, so that a crash in between is made good. A newer generation stays."""
        held = self.get(kind, key)
        if held is not None and held.get("generation", 0) > document.get("generation", 0):
            return
        if held != document:
            folder(self._folder(kind), mode=0o700)
            replace(self._path(kind, key), json.dumps(document).encode(), mode=0o600)

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        content = read(self._path(kind, key))
        try:
            found = json.loads(content) if content is not None else None
        except ValueError:  # not ours any more: as good as none, the manager has it
            return None
        return found if isinstance(found, dict) else None

    def delete(self, kind: str, key: str) -> None:
        self._path(kind, key).unlink(missing_ok=True)

    def touch(self, kind: str, key: str) -> None:
        """As if it had been put there just now."""
        os.utime(self._path(kind, key))

    def age(self, kind: str, key: str) -> float:
        """Seconds since it was put there; 0 if it is not there."""
        try:
            return max(0.0, time.time() - self._path(kind, key).stat().st_mtime)
        except FileNotFoundError:
            return 0.0

    def keys(self, kind: str) -> list[str]:
        return sorted(path.stem for path in self._folder(kind).glob("*.json"))

    def _folder(self, kind: str) -> Path:
        return self.root / _checked(kind)

    def _path(self, kind: str, key: str) -> Path:
        return self._folder(kind) / f"{_checked(key)}.json"


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a document")
    return name
