"""The agent knows nothing of the product, and its parts know each other one way only."""

import ast
import subprocess
import sys
import zipfile
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

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
    assert sorted(name for name in names if not name.endswith(".py")) == sorted(
        f"{name}c" for name in names if name.endswith(".py")
    )
    done = subprocess.run([sys.executable, tmp_path / "a.pyz", "version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1\n")


@pytest.mark.parametrize(("magic", "compiled"), [(MAGIC_NUMBER, True), (b"1234", False)])
def test_a_python_of_another_version_reads_the_sources(tmp_path, magic, compiled):
    with zipfile.ZipFile(build(tmp_path / "a.pyz")) as ours, zipfile.ZipFile(tmp_path / "b.pyz", "w") as other:
        for name in ours.namelist():
            data = ours.read(name)
            other.writestr(name, magic + data[4:] if name.endswith(".pyc") else data)

    words = [sys.executable, "-c", "from agent.strict import uuid; from agent import main; print(main.__doc__ is None)"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": "b.pyz"})

    assert done.stdout == f"{compiled}\n"  # what was compiled has no docstrings


def test_the_same_sources_are_the_same_bytes_in_another_process(tmp_path):
    for seed in ("1", "2"):
        words = [sys.executable, "-m", "agent.build", tmp_path / seed]
        subprocess.run(words, check=True, cwd=ROOT, env={"PYTHONHASHSEED": seed}, capture_output=True)

    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_a_host_that_is_not_enrolled_does_not_serve(tmp_path):
    program = build(tmp_path / "a.pyz")

    words = [sys.executable, program, "--state", tmp_path / "state", "run", "--listen", "127.0.0.1"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert "not enrolled" in done.stderr
