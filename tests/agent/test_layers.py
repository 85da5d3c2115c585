"""The agent knows nothing of the product, and its parts know each other one way only."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

from agent.build import build

ROOT = Path(__file__).parent.parent.parent
ORDER = ["http", "storage", "host"]  # each may know those before it
OURS_AT_RUN_TIME = ("agent", "libvirt")


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def test_only_the_standard_library_and_libvirt_are_needed():
    found = {name.split(".")[0] for path in (ROOT / "agent").rglob("*.py") for name in imports(path)}

    assert found - set(sys.stdlib_module_names) - set(OURS_AT_RUN_TIME) == set()


def test_parts_know_those_below_them():
    wrong = []
    for number, part in enumerate(ORDER):
        for path in (ROOT / "agent" / part).glob("*.py"):
            known = {name.split(".")[1] for name in imports(path) if name.startswith("agent.")}
            wrong += [(path.name, each) for each in known & set(ORDER[number + 1 :])]

    assert wrong == []


def test_networks_and_machines_do_not_know_each_other():
    wrong = []
    for part in ("net", "router", "state"):
        for path in (ROOT / "agent" / part).rglob("*.py"):
            known = {name.split(".")[1] for name in imports(path) if name.startswith("agent.")}
            wrong += [(path.name, each) for each in known & {"http", "storage", "host"}]

    assert wrong == []


def test_the_product_does_not_import_the_agent():
    names = [(path, name) for path in (ROOT / "apps").rglob("*.py") for name in imports(path) if name]

    assert [str(path) for path, name in names if name.split(".")[0] == "agent"] == []


def test_the_program_is_one_file_and_always_the_same(tmp_path):
    first, second = (build(tmp_path / name).read_bytes() for name in ("a.pyz", "b.pyz"))

    assert first == second
    assert first.startswith(b"#!/usr/bin/python3\n")
    names = zipfile.ZipFile(tmp_path / "a.pyz").namelist()
    assert {"__main__.py", "agent/main.py", "agent/http/server.py"} <= set(names)
    assert [name for name in names if not name.endswith(".py")] == []
    done = subprocess.run([sys.executable, tmp_path / "a.pyz", "version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1\n")


def test_a_host_that_is_not_enrolled_does_not_serve(tmp_path):
    program = build(tmp_path / "a.pyz")

    words = [sys.executable, program, "--state", tmp_path / "state", "run", "--listen", "127.0.0.1"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert "not enrolled" in done.stderr
