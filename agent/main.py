"""The program: its verbs, and how its parts are put together."""

import argparse
import json
import os
import sys
from pathlib import Path

from agent import VERSION
from agent.http.errors import AgentError
from agent.pace import Pace

STATE = Path("/var/lib/cloudportal-agent")
PORT = 8250
SHORTEST, LONGEST = 10.0, 86400.0  # seconds that may be said
PROGRAMS = ("openssl", "qemu-img", "qemu-system-x86_64", "libvirtd", "setpriv", "prlimit", "ip")
SPARE = {"MALLOC_ARENA_MAX": "1", "PYTHONNODEBUGRANGES": "1"}  # of memory: no heap of its own for each thread


def main(words: list[str]) -> int:
    if words[:1] == ["fetch"]:
        from agent.storage import fetch  # a program of its own, which loads little

        return fetch.main()
    parser = argparse.ArgumentParser(prog="agent", description="The agent of cloudportal on a host.")
    parser.add_argument("--state", type=Path, default=STATE, help=f"directory of all that is kept ({STATE})")
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="serve the manager until a signal comes")
    run.add_argument("--listen", required=True, metavar="ADDRESS", help="of the host, for the manager and for screens")
    run.add_argument("--port", type=int, default=PORT)
    run.add_argument("--libvirt", default="qemu:///system", help="URI of libvirt")
    for name, default, what in (
        ("--keep", Pace.keep, "that a bridge stays with nothing plugged into it"),
        ("--look", Pace.look, "between looks at all networks"),
    ):
        run.add_argument(name, type=seconds, metavar="SECONDS", default=default, help=f"{what} ({default:.0f})")
    join = verbs.add_parser("enrol", help="become a host of a manager; the token comes on standard input")
    join.add_argument("manager", help="https://cloud.example.com:8251")
    verbs.add_parser("check", help="what is missing on this machine")
    verbs.add_parser("version")
    given = parser.parse_args(words)
    try:
        return {"run": serve, "enrol": enrol, "check": check, "version": version}[given.verb](given)
    except AgentError as error:
        print(f"agent: {error}", file=sys.stderr)  # noqa: T201
        return 1


def seconds(text: str) -> float:
    value = float(text)
    if not SHORTEST <= value <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text} is not between {SHORTEST:.0f} and {LONGEST:.0f}")
    return value


def say(text: str) -> None:
    print(text)  # noqa: T201


def version(given: argparse.Namespace) -> int:
    say(VERSION)
    return 0


def check(given: argparse.Namespace) -> int:
    """One JSON object; the status is 1 if something is missing."""
    from shutil import which

    missing = [name for name in PROGRAMS if which(name) is None]
    try:
        import libvirt  # type: ignore[import-not-found, unused-ignore]  # noqa: F401
    except ImportError:
        missing.append("python3-libvirt")
    say(json.dumps({"version": VERSION, "python": sys.version.split()[0], "missing": missing}))
    return 1 if missing else 0


def enrol(given: argparse.Namespace) -> int:
    from agent.http import enrol as enrolment
    from agent.http.identity import Identity

    token = sys.stdin.readline()
    facts = {"name": os.uname().nodename, "version": VERSION}
    say(enrolment.enrol(Identity(given.state), given.manager, token, facts))
    return 0


def serve(given: argparse.Namespace) -> int:
    """A new program in this one's place, without what was needed to come so far."""
    words = [sys.executable, "-m", "agent.serve", str(given.state), given.listen, str(given.port), given.libvirt]
    words += [str(given.keep), str(given.look)]
    here = {"PYTHONPATH": str(Path(__file__).parent.parent)}
    os.execve(sys.executable, words, os.environ | SPARE | here)  # noqa: S606 - ourselves
