"""The guest image, built once for each version of what it is made of, and kept outside of the repository."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def cache() -> Path:
    chosen = os.environ.get("LAB_CACHE") or Path(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "cloudportal"
    )
    return Path(chosen) / "lab"


def version() -> str:
    digest = hashlib.sha256()
    for path in sorted([HERE / "build-guest-image", *(HERE / "guest").rglob("*")]):
        if path.is_file():
            digest.update(f"{path.relative_to(HERE)} {path.stat().st_mode & 0o111:o}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def guest_image() -> Path:
    path = cache() / f"tiny-{version()}.qcow2"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        words = [str(HERE / "build-guest-image"), "-o", str(part), "-w", str(cache() / "work")]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the guest image cannot be built: {done.stderr[-2000:]}")
        part.replace(path)
    return path


if __name__ == "__main__":
    print(guest_image())
    sys.exit(0)
