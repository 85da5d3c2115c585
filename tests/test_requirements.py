"""What is in `.venv` is what `requirements/` names: a package that somebody installed by hand would let tests pass here
and nowhere else."""

import re
from importlib.metadata import distributions
from pathlib import Path

REQUIREMENTS = Path(__file__).parent.parent / "requirements"
OF_EVERY_VENV = {"pip", "setuptools", "wheel"}


def canonical(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_nothing_is_installed_that_is_not_named():
    named = {
        canonical(line.split("==")[0])
        for path in REQUIREMENTS.glob("*.txt")
        for line in path.read_text().splitlines()
        if "==" in line and not line.startswith("#")
    }
    installed = {canonical(found.metadata["Name"]) for found in distributions()}
    assert sorted(installed - named - OF_EVERY_VENV) == []
