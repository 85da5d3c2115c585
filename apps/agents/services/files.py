"""Keys and certificates as files: what TLS libraries read. The database has them; each server writes its own copies.

AGENT_FILES   the directory, readable by nobody else; without it one for this user where temporary files are
"""

import os
import tempfile
import threading
import time
from pathlib import Path

from apps.agents.services import authority
from apps.core import secret
from apps.hypervisors.agent_client import Credentials

KEPT_FOR = 30.0  # seconds between looks into the database
REVOKED_FOR = 5.0


class Files:
    """Of one process; may be used by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until, self._revoked_until = 0.0, 0.0
        self._revoked = frozenset[str]()

    def credentials(self) -> Credentials:
        folder = self._folder()
        ca, pair = folder / "ca.pem", folder / "manager.pem"
        with self._lock:
            if time.monotonic() > self._until or not pair.exists():
                own = authority.ensure_own()
                _update(ca, authority.bundle())
                _update(pair, secret.unseal(own.key) + own.certificate)
                self._until = time.monotonic() + KEPT_FOR
        return Credentials(ca, pair, self.revoked)

    def revoked(self) -> frozenset[str]:
        with self._lock:
            if time.monotonic() > self._revoked_until:
                self._revoked = authority.revoked()
                self._revoked_until = time.monotonic() + REVOKED_FOR
            return self._revoked

    def forget(self) -> None:
        self._until = self._revoked_until = 0.0

    @property
    def known_hosts(self) -> Path:
        return self._folder() / "known_hosts"

    @staticmethod
    def _folder() -> Path:
        default = Path(tempfile.gettempdir()) / f"cloudportal-{os.getuid()}-agents"
        folder = Path(os.environ.get("AGENT_FILES") or default)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o077:
            raise PermissionError(f"{folder} can be read by somebody else")
        return folder


FILES = Files()


def _update(path: Path, text: str) -> None:
    """Whole or not at all; untouched if it says the same, for connections are new when it changes."""
    if path.exists() and path.read_text() == text:
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    part.replace(path)
