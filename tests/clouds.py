"""A `portal up` started for tests, and what can be seen of its processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

CODE = Path(__file__).resolve().parent.parent
OURS = ("DATABASE_URL", "BROKER_URL", "CACHE_URL", "SECRET_KEY", "SECRET_FIELD_KEYS", "LOG_DIR", "ALLOWED_HOSTS")


class Cloud:
    """A `portal up` of its own, with its own port and directory."""

    def __init__(self, folder):
        self.folder, self.port, self.process, self.said = folder, free_port(), None, ""
        self.environment = {}  # beside what `portal up` sets itself

    @property
    def endpoint(self):
        return self.folder / "endpoint.json"

    def up(self, *words, port=None, patience=90):
        """Start it and wait until it is ready or has ended; returns itself."""
        self.launch(*words, port=port)
        until(lambda: self.endpoint.exists() or self.process.poll() is not None, patience)
        return self

    def launch(self, *words, port=None):
        command = [sys.executable, "-m", "cloudportal.up", "--port", str(port or self.port), "--data", str(self.folder)]
        environment = {n: v for n, v in os.environ.items() if n not in OURS} | {"PYTHONPATH": str(CODE)}
        environment |= self.environment
        self.process = subprocess.Popen(
            [*command, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def told(self):
        return json.loads(self.endpoint.read_text())

    def down(self, number=signal.SIGINT, patience=20):
        """Returns its exit status; what it printed is in ``said``."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.said, _ = self.process.communicate(timeout=patience)
        return self.process.returncode

    def ended(self, patience=20):
        """Of itself: its exit status."""
        self.said, _ = self.process.communicate(timeout=patience)
        return self.process.returncode

    def tree(self):
        """Every living process below it, by what it is: {"web": {pid}, ...}; children of a worker are "job"."""
        log = (self.folder / "log" / "supervisor.log").read_text().splitlines()
        names = {}
        for line in map(json.loads, log):
            if " is process " in line["text"]:
                name, _, pid = line["text"].partition(" is process ")
                names[int(pid)] = name
        found = {}
        for pid in descendants(self.process.pid):
            found.setdefault(names.get(pid, "job"), set()).add(pid)
        return found


def descendants(pid):
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            parents.setdefault(int(parent), set()).add(int(entry.name))
    found, left = set(), [pid]
    while left:
        below = parents.get(left.pop(), set())
        found |= below
        left += below
    return found


def alive(pid):
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(true, patience=20):
    end = time.monotonic() + patience
    while not true():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
