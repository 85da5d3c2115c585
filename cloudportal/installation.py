"""The data directory of an embedded cloud: its keys, its database, its sockets, its logs. Standard library only."""

import base64
import fcntl
import hashlib
import os
import secrets
import shutil
import sqlite3
import tempfile
from pathlib import Path

CODE = Path(__file__).resolve().parent.parent
SOCKET_LENGTH = 100  # the kernel takes 107 bytes


class Taken(Exception):
    """Another `portal up` runs on this directory."""


class Installation:
    def __init__(self, folder: Path | str | None = None):
        self.folder = Path(folder or CODE / ".cloud").resolve()

    @property
    def database(self) -> Path:
        return self.folder / "cloud.sqlite3"

    @property
    def endpoint(self) -> Path:
        return self.folder / "endpoint.json"

    @property
    def logs(self) -> Path:
        return self.folder / "log"

    @property
    def socket(self) -> Path:
        """In the directory; where that is too deep for a socket's address, in a short one of the same user."""
        socket = self.folder / "valkey.sock"
        if len(str(socket)) <= SOCKET_LENGTH:
            return socket
        name = hashlib.sha256(str(self.folder).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"cloudportal-{os.getuid()}-{name}" / "valkey.sock"

    def prepare(self) -> None:
        for folder in (self.folder, self.logs, self.socket.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.socket.parent.stat().st_uid != os.getuid():
            raise PermissionError(f"{self.socket.parent} belongs to somebody else")

    def fresh(self, name: str) -> Path:
        """A folder for what one run keeps, without what an earlier one left."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return folder

    def lock(self) -> int:
        """Held until this process ends; the file says who has it."""
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Taken(os.read(handle, 32).decode().strip()) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        return handle

    def keys(self) -> dict[str, str]:
        """Made at the first start. Without them nothing that is encrypted in the database can be read again."""
        path = self.folder / "keys"
        if not path.exists():
            field_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
            write_private(path, f"SECRET_KEY={secrets.token_urlsafe(48)}\nSECRET_FIELD_KEYS={field_key}\n")
        return dict(line.split("=", 1) for line in path.read_text().splitlines() if line)

    def environment(self) -> dict[str, str]:
        """What the settings read, for whatever the operator has not set himself."""
        ours = self.keys() | {
            "DATABASE_URL": f"sqlite://{self.database}",
            "BROKER_URL": f"redis+socket://{self.socket}?virtual_host=0",
            "CACHE_URL": f"unix://{self.socket}?db=1",
            "LOG_DIR": str(self.logs),
            "AGENT_FILES": str(self.folder / "agents"),
        }
        return {name: os.environ.get(name) or value for name, value in ours.items()}

    @property
    def embedded_broker(self) -> bool:
        return str(self.socket) in self.environment()["BROKER_URL"]

    def is_current(self) -> bool:
        """Whether the database was prepared by this very code."""
        stamp = self.folder / "prepared"
        return self._has_database() and stamp.exists() and stamp.read_text() == schema(self.environment())

    def made_current(self) -> None:
        write_private(self.folder / "prepared", schema(self.environment()))

    def _has_database(self) -> bool:
        if self.environment()["DATABASE_URL"] != f"sqlite://{self.database}":
            return True
        if not self.database.exists():
            return False
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as database:
            return bool(database.execute("select 1 from sqlite_master where name = 'django_migrations'").fetchone())


def schema(environment: dict[str, str]) -> str:
    """Changes with anything that `migrate` and `seed` go by."""
    code = hashlib.sha256(environment["DATABASE_URL"].encode())
    for pattern in ("migrations/*.py", "models.py", "models/*.py", "seeds.py", "data/*"):
        for path in sorted(CODE.glob(f"apps/*/{pattern}")):
            code.update(path.read_bytes())
    return code.hexdigest()


def write_private(path: Path, text: str) -> None:
    """Whole or not at all, and for the owner only."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
