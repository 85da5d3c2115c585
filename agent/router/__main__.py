"""A host's routers by hand, or of a system VM.

    python3 -m agent.router --root FOLDER --layout FILE [--prefix cp] apply < DOCUMENT
    ... plan < DOCUMENT | remove NETWORK | status NETWORK | heal | watch | bridges

Answers JSON. Exit status: 0 done, 2 the question was wrong, 3 busy, 4 failed.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from agent.net.layout import Layout
from agent.router.routers import Routers
from agent.state.errors import Busy, Failed, Invalid

STATUS = {Invalid: 2, Busy: 3, Failed: 4}


def main(words: list[str]) -> int:
    given = _arguments().parse_args(words)
    began = time.monotonic()
    try:
        routers = Routers(given.root, Layout.read(json.loads(given.layout.read_text())), prefix=given.prefix)
        result, status = _carry_out(routers, given), 0
    except (Invalid, Busy, Failed) as error:
        result, status = {"error": {"kind": error.kind, "text": str(error)}}, STATUS[type(error)]
    sys.stdout.write(json.dumps({**result, "seconds": round(time.monotonic() - began, 4)}) + "\n")
    return status


def _carry_out(routers: Routers, given: argparse.Namespace) -> dict[str, Any]:
    if given.verb == "apply":
        return {"result": routers.apply(_document())}
    if given.verb == "plan":
        return {"result": routers.would_change(_document()).words()}
    if given.verb == "remove":
        routers.remove(given.network)
        return {"result": None}
    if given.verb == "status":
        return {"result": routers.status(given.network)}
    if given.verb in ("heal", "watch"):
        healed = routers.heal(thorough=given.verb == "heal")
        return {"result": healed.failed, "done": healed.done}
    done = routers.bridges.ensure(routers.segments())
    return {"result": {"done": [*done.links, *done.flood], "kept": list(done.kept)}}


def _document() -> Any:
    try:
        return json.load(sys.stdin)
    except ValueError as error:
        raise Invalid(f"document: is no JSON: {error}") from None


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agent.router", description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--layout", type=Path, required=True)
    parser.add_argument("--prefix", default="cp")
    parser.add_argument("verb", choices=("apply", "plan", "remove", "status", "heal", "watch", "bridges"))
    parser.add_argument("network", nargs="?", default="")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
