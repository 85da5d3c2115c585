"""What is served agrees with the API catalogue; what does not is in ``deviations.json``, with a reason, or fails here.

An entry is a command or a response type -> {"reason": why, "accept": ["params.x", "required.x", "fields.x", "async"]}.
Entries that nothing needs any more fail too.
"""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from apps.core.commands import REGISTRY, CreateCommand
from apps.core.refs import wire_names
from apps.core.responses import Batch, Plain

HERE = Path(__file__).parent
CATALOGUE = json.loads((HERE / "reference" / "api-catalog.json").read_text())
COMMANDS = {c["name"]: c for c in CATALOGUE["commands"]}
EVERY = pytest.mark.parametrize("spec", REGISTRY.values(), ids=lambda s: s.name)


def _deviations():
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(HERE.glob("**/deviations.json")):
        for name, entry in json.loads(path.read_text()).items():
            assert entry["reason"], f"{name} in {path} has no reason"
            assert name in COMMANDS or name in CATALOGUE["responses"], f"{name} in {path} is no name of the catalogue"
            found[name] |= set(entry["accept"])
    return found


DEVIATIONS = _deviations()


def differences(spec):
    """(whose, what) pairs: of the command, and of the response type it answers with."""
    entry = COMMANDS[spec.name]
    found = set()
    if spec.is_async != entry["isasync"]:
        found.add((spec.name, "async"))
    if issubclass(spec.cls, CreateCommand) != entry.get("asynccreate", False):
        found.add((spec.name, "asynccreate"))
    ours = {n: f for name, field in spec.fields.items() for n, f in wire_names(name, field)}
    theirs = {p["name"].lower(): p for p in entry["params"]}
    if entry["isasync"]:
        ours.pop("customjobid", None)
        theirs.pop("customjobid", None)
    found |= {(spec.name, f"params.{n}") for n in ours.keys() ^ theirs.keys()}
    for name in ours.keys() & theirs.keys():
        if ours[name].required != theirs[name].get("required", False):
            found.add((spec.name, f"required.{name}"))
    return found | _response_differences(spec, entry)


def _response_differences(spec, entry):
    if spec.response is None or not isinstance(entry.get("resp"), str):
        return set()
    theirs = {f["name"] for f in CATALOGUE["responses"][entry["resp"]]}
    # Every row of the original can say its pending job, whether the catalogue lists that for it or not.
    return {(entry["resp"], f"fields.{name}") for name in (fields_of(spec.response) ^ theirs) - {"jobid", "jobstatus"}}


def fields_of(response):
    if issubclass(response, Plain):
        return set(response.fields)
    names = set()
    for name, part in response.declared().items():
        names |= set(part.fields) if isinstance(part, Batch) else {name}
    return names


@EVERY
def test_agrees_with_the_catalogue(spec):
    left = {(whose, what) for whose, what in differences(spec) if what not in DEVIATIONS[whose]}

    assert sorted(left) == []
    entry = COMMANDS[spec.name]
    assert spec.response_name == entry["response"]
    if spec.response and isinstance(entry.get("key"), str):
        assert spec.response.wire_name == entry["key"]
    assert spec.fields.keys() == {name.lower() for name in spec.fields}


def test_no_deviation_is_stale():
    needed: dict[str, set[str]] = defaultdict(set)
    for spec in REGISTRY.values():
        for whose, what in differences(spec):
            needed[whose].add(what)
    stale = {(name, what) for name, accepted in DEVIATIONS.items() for what in accepted - needed[name]}

    assert sorted(stale) == []
