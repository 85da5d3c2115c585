"""``qemu-img``, always told which format a file has: guessing is how a tenant's bytes become instructions."""

import json
import re
from typing import Any

from agent.storage.process import COPY, SMALL, Child, run
from agent.storage.sources import Source, spelled
from agent.storage.tasks import Task

PERCENT = re.compile(rb"\((\d+\.\d+)/100%\)")


def create(target: Source, size: int, backing: Source | None = None) -> None:
    """A new qcow2 file, empty or on top of another."""
    base = ("-u", "-F", backing.format, "-b", backing.name()) if backing else ()
    run(["qemu-img", "create", "-q", "-f", "qcow2", *base, target.url(), str(size)], SMALL)


def info(source: Source) -> dict[str, Any]:
    return dict(json.loads(run(["qemu-img", "info", "--output=json", spelled(source)], SMALL)))


def resize(source: Source, size: int) -> None:
    run(["qemu-img", "resize", "-q", spelled(source), str(size)], SMALL)


def convert(source: Source, target: Source, size: int, task: Task, password: str = "") -> None:
    """Copy what a machine sees of ``source``: into a new qcow2 file, or into a raw unit that is there and large enough.
    ``size`` is what is reported as the whole.
    """
    task.begin("copying", size)
    secret = ("--object", "secret,id=chap,file=/dev/fd/SECRET") if password else ()
    made = target.format == "qcow2"
    into = ("-O", "qcow2", target.url()) if made else ("-n", "-O", "raw", spelled(target))
    words = ["qemu-img", "convert", "-p", *secret, *into[:-1], spelled(source), into[-1]]
    child = Child(password, (task.lock,), task.calls_off, lambda data: _progress(task, data))
    run(words, COPY, child)
    task.progress(size)


def empty(source: Source, size: int, password: str = "") -> None:
    """Nothing but zeros in a raw unit."""
    secret = ("--object", "secret,id=chap,file=/dev/fd/SECRET") if password else ()
    zeros = json.dumps({"driver": "raw", "file": {"driver": "null-co", "size": size, "read-zeroes": True}})
    run(["qemu-img", "convert", *secret, "-n", "-O", "raw", f"json:{zeros}", spelled(source)], COPY, Child(password))


def _progress(task: Task, data: bytes) -> None:
    if found := PERCENT.findall(data):
        task.progress(int(task.total * float(found[-1]) / 100))
