"""The lab itself: labs stand side by side, and nothing of them stays."""

import subprocess
from pathlib import Path

import pytest

from tests.lab.tools.hosts import CGROUPS, Lab, LabError


def seen(prefix):
    """Whatever on this machine has the prefix in its name."""
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout
    spaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    found = [line.split("@")[0].split()[0] for line in (links + spaces).splitlines()]
    found += [path.name for path in CGROUPS.glob(f"*/{prefix}-*")]
    return sorted({name for name in found if name.startswith(f"{prefix}-")})


@pytest.fixture
def labs(tmp_path):
    labs = [Lab(prefix, tmp_path / prefix) for prefix in ("labx", "laby")]
    yield labs
    for lab in labs:
        lab.down()


def test_two_labs_stand_side_by_side_and_leave_nothing(labs):
    for lab in labs:
        assert lab.up(1) == ["h1"]
    one, other = labs
    assert one.address("h1") != other.address("h1")
    for lab in labs:
        uri = f"qemu+tcp://{lab.address('h1')}/system"
        done = subprocess.run(["virsh", "-c", uri, "hostname"], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "h1"

    one.down()
    assert (seen("labx"), one.directory.exists(), one.is_up("h1")) == ([], False, False)
    assert other.is_up("h1")
    other.down()
    assert seen("laby") == []
    processes = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert [words for words in processes if b"--prefix=labx" in words or b"--prefix=laby" in words] == []


def test_a_host_that_was_powered_off_comes_back_as_itself(labs):
    lab = labs[0]
    lab.up(1)
    before = (lab.directory / "h1" / "uuid").read_text()

    lab.crash("h1")
    assert not lab.is_up("h1")
    lab.start("h1")

    assert lab.exec("h1", "hostname").stdout == "h1\n"
    assert (lab.directory / "h1" / "uuid").read_text() == before


def test_a_cable_is_cut_and_restored(labs):
    lab = labs[0]
    lab.up(1)

    lab.cable("h1", "eth0", "down")
    assert "NO-CARRIER" in lab.exec("h1", "ip", "link", "show", "eth0").stdout
    lab.cable("h1", "eth0", "up")

    assert "NO-CARRIER" not in lab.exec("h1", "ip", "link", "show", "eth0").stdout


@pytest.mark.parametrize("prefix", ["", "with-dash", "toolongtobeused"])
def test_a_prefix_must_fit_into_names(prefix, tmp_path, monkeypatch):
    monkeypatch.delenv("LAB_PREFIX", raising=False)
    if not prefix:
        assert Lab(prefix, tmp_path).prefix == "lab"
        return
    with pytest.raises(LabError):
        Lab(prefix, tmp_path)


def test_a_directory_with_other_files_is_not_touched(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    lab = Lab("labz", tmp_path)

    for verb in (lambda: lab.up(1), lab.down):
        with pytest.raises(LabError):
            verb()

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
