"""`./portal test [NAME...]`: every suite, a table, and how it ended. A test that is skipped has failed."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests import mariadb

HERE = Path(__file__).resolve().parent.parent
LOGS = HERE / "build" / "test"
SHORT = 60  # lines of the log of a suite that failed
AGAIN = 5  # tests of the lab that are run once more; more of them are no accident
TYPED = ("agent", "apps/core", "apps/jobs", "apps/hypervisors", "cloudportal", *sorted(HERE.glob("apps/*/services*")))
# They start processes of their own, or are for the servers of their own suite.
APART = ("tests/shell", "tests/wire", "tests/fuzz", "tests/chaos", "tests/lab", "tests/browser")
# What stands or falls with the database: kernel, jobs, locks, crashes, races, audits, lists, rules for all commands.
ON_MARIADB = (
    *("tests/core", "tests/accounts", "tests/limits", "tests/tags", "tests/events", "tests/agents", "tests/consoles"),
    *(str(path.relative_to(HERE)) for path in sorted(HERE.glob("tests/test_*.py")) if path.stem != "test_catalogue"),
    *(
        str(path.relative_to(HERE))
        for name in (
            "races",
            "crashes",
            "volume_crashes",
            "audits",
            "lists",
            "taking",
            "choosing",
            "pools",
            "addresses",
            "teardown",
        )
        for path in sorted(HERE.glob(f"tests/*/test_{name}.py"))
        if path.parent.name not in ("core", "accounts", "limits", "tags", "events", "agents", "portal", "browser")
    ),
)


@dataclass
class Result:
    passed: int = 0
    failed: int = 0
    seconds: float = 0.0


class Run:
    """What the suites share: a place for their logs, a database server when the first of them asks."""

    def __init__(self, stack: ExitStack):
        self.stack = stack
        self.server: mariadb.MariaDB | None = None
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portal-test-", dir=quick_disk())))
        self.folder.chmod(0o1777)  # as /tmp: a database server runs as its own user and keeps what it needs there

    def database(self) -> str:
        if self.server is None:
            self.server = self.stack.enter_context(mariadb.running())
        return self.server.url()

    def command(self, name: str, *words: object, **environment: str) -> int:
        with (LOGS / f"{name}.log").open("ab") as log:
            return subprocess.run(
                [str(word) for word in words],
                cwd=HERE,
                env=os.environ | {"TMPDIR": str(self.folder), "PYTHONPATH": str(HERE)} | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            ).returncode

    def commands(self, name: str, *each: tuple[object, ...]) -> Result:
        """Each counts as one test."""
        codes = [self.command(name, *words) for words in each]
        return Result(passed=codes.count(0), failed=len(codes) - codes.count(0))

    def pytest(self, name: str, *words: object, **environment: str) -> Result:
        report = LOGS / f"{name}.xml"
        code = self.command(
            name, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--junit-xml", report, *words, **environment
        )
        result = counted(report) if report.exists() else Result()
        if code and not result.failed:
            result.failed = 1  # it did not come to run them
        return result


def counted(report: Path) -> Result:
    suites = ElementTree.parse(report).getroot().iter("testsuite")  # noqa: S314 - our own file
    result = Result()
    for suite in suites:
        wrong = sum(int(suite.get(kind, 0)) for kind in ("failures", "errors", "skipped"))
        result.failed += wrong
        result.passed += int(suite.get("tests", 0)) - wrong
    return result


def wrong_in(report: Path) -> list[str]:
    """The names of tests that did not pass, as pytest takes them."""
    cases = ElementTree.parse(report).getroot().iter("testcase") if report.exists() else ()  # noqa: S314 - our own file
    wrong = [case for case in cases if any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))]
    return [f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}" for case in wrong]


def quick_disk() -> str | None:
    """Memory, for databases that nobody keeps; where there is enough of it."""
    shm = Path("/dev/shm")  # noqa: S108
    roomy = shm.is_dir() and os.access(shm, os.W_OK) and shutil.disk_usage(shm).free > 1 << 30
    return str(shm) if roomy else None


def tool(name: str) -> Path:
    return Path(sys.executable).parent / name


def lint(run: Run) -> Result:
    return run.commands("lint", (tool("ruff"), "check", "."), (tool("ruff"), "format", "--check", "."))


def types(run: Run) -> Result:
    return run.commands("types", (tool("mypy"), *TYPED))


def imports(run: Run) -> Result:
    code = run.command("imports", tool("lint-imports"), "--no-cache")
    found = re.findall(r"Contracts: (\d+) kept, (\d+) broken", (LOGS / "imports.log").read_text())
    kept, broken = map(int, found[-1]) if found else (0, 1)
    return Result(kept, broken or int(code != 0))


def migrations(run: Run) -> Result:
    return run.commands("migrations", (sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"))


def tools(run: Run) -> Result:
    """The conformance program's own tests, so that what it says can be believed."""
    return run.commands("tools", (sys.executable, "tests/tools/api-conformance", "--self-test"))


def unit(run: Run) -> Result:
    return run.pytest("unit", *apart(), "-n2", "tests")


def on_mariadb(run: Run) -> Result:
    return run.pytest("mariadb", "-n2", *ON_MARIADB, DATABASE_URL=run.database())


def apart() -> list[str]:
    return [f"--ignore={path}" for path in APART]


def folder_suite(name: str) -> Callable[[Run], Result]:
    return lambda run: run.pytest(name, f"tests/{name}")


def fuzz(run: Run) -> Result:
    return run.pytest("fuzz", "-n2", "tests/fuzz")


def browser(run: Run) -> Result:
    """Each half has a cloud and a Chromium of its own."""
    return run.pytest("browser", "-n2", "--dist", "loadfile", "tests/browser")


def lab(run: Run) -> Result:
    """Each half has hosts and guests of its own; what takes the time stands at the end of its log.

    Guests are emulated in software, and two of them on two processors can be too slow for what waits: a few tests that
    fail are run once more by themselves, and that is said.
    """
    result = run.pytest("lab", "-n2", "--dist", "loadscope", "--durations=40", "tests/lab")
    names = wrong_in(LOGS / "lab.xml")
    if not 0 < len(names) == result.failed <= AGAIN:
        return result
    second = run.pytest("lab-again", *names)
    told = f"{second.passed} passed, {second.failed} failed"
    print(f"  once more, by themselves: {told} of {', '.join(names)}", flush=True)
    return Result(result.passed + second.passed, second.failed)


def conformance(run: Run) -> Result:
    """Every served command behaves as the catalogue says; what differs stands in a deviations file."""
    return run.commands("conformance", (sys.executable, "-m", "tests.conformance"))


def chaos(run: Run) -> Result:
    rounds = os.environ.get("CHAOS_ROUNDS", "20")
    program = (sys.executable, "-m", "tests.chaos.run", "--rounds", rounds, "--database")
    return run.commands("chaos", (*program, "sqlite"), (*program, "mariadb"))


SUITES: dict[str, Callable[[Run], Result]] = {
    "lint": lint,
    "types": types,
    "imports": imports,
    "migrations": migrations,
    "tools": tools,
    "unit": unit,
    "mariadb": on_mariadb,
    "shell": folder_suite("shell"),
    "wire": folder_suite("wire"),
    "fuzz": fuzz,
    "browser": browser,
    "lab": lab,
    "conformance": conformance,
    "chaos": chaos,
}


def main(names: list[str]) -> int:
    if names == ["--list"]:
        print("\n".join(SUITES))
        return 0
    if unknown := [name for name in names if name not in SUITES]:
        print(f"portal test: no suite {', '.join(unknown)}; there are {', '.join(SUITES)}", file=sys.stderr)
        return 2
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    with ExitStack() as stack:
        run = Run(stack)
        results = {name: carried_out(name, run) for name in names or SUITES}
    return table(results)


def carried_out(name: str, run: Run) -> Result:
    print(f"{name} ...", flush=True)
    (LOGS / f"{name}.log").touch()
    started = time.monotonic()
    try:
        result = SUITES[name](run)
    except Exception as error:  # the other suites still have something to say
        (LOGS / f"{name}.log").write_text(f"{type(error).__name__}: {error}\n")
        result = Result(failed=1)
    if not result.passed and not result.failed:
        result.failed = 1  # a suite without a test proves nothing
    result.seconds = time.monotonic() - started
    if result.failed:
        print("\n".join((LOGS / f"{name}.log").read_text(errors="replace").splitlines()[-SHORT:]), flush=True)
    return result


def table(results: dict[str, Result]) -> int:
    print(f"\n{'suite':14}{'passed':>8}{'failed':>8}{'seconds':>9}")
    for name, each in results.items():
        print(f"{name:14}{each.passed:8}{each.failed:8}{each.seconds:9.1f}")
    passed, failed = (sum(getattr(each, what) for each in results.values()) for what in ("passed", "failed"))
    print(f"\nlogs are in {LOGS.relative_to(HERE)}/\n{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
