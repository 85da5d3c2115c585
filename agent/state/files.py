"""Files that are whole or not there, whenever the power goes."""

import os
from pathlib import Path


def replace(path: Path, content: bytes, *, mode: int = 0o644, group: int = -1, durable: bool = True) -> None:
    """Readers see the old file or the new one. What can be rendered again need not be durable."""
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        os.fchown(file.fileno(), -1, group)
        os.fchmod(file.fileno(), mode)
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(scratch, path)
    if durable:
        _settle(path.parent)


def update(path: Path, content: bytes, *, mode: int = 0o644, group: int = -1) -> bool:
    """Replace a rendered file if it differs; whether it did."""
    if read(path) == content:
        return False
    replace(path, content, mode=mode, group=group, durable=False)
    return True


def read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def folder(path: Path, *, mode: int = 0o755, group: int = -1) -> Path:
    """The folder, with this mode whatever the umask and whoever made it."""
    path.mkdir(parents=True, exist_ok=True)
    if path.stat().st_mode & 0o7777 != mode:
        path.chmod(mode)
    if group != -1 and path.stat().st_gid != group:
        os.chown(path, -1, group)
    return path


def _settle(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
