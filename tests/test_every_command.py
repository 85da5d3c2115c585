"""Rules that hold for every command of the registry, present and future."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework import serializers

from apps.accounts.ports import teardown
from apps.configuration import store
from apps.core import prepared, wire
from apps.core.callers import ROOT, USER, Kind
from apps.core.commands import NO_EVENT, REGISTRY, AsyncCommand, Command, CreateCommand, command
from apps.core.errors import CloudError, NotAuthenticated, UnsupportedAction
from apps.core.lists import ListCommand
from apps.core.ownership import owned_models
from apps.core.ports import Port, check
from apps.core.reach import Owned
from apps.core.refs import ByLabel, Ref, wire_names
from apps.core.responses import View
from apps.events.models import Event
from apps.infrastructure.models import Region
from apps.infrastructure.states import HOST
from apps.machines.states import VM
from apps.network.states import NETWORK
from apps.rbac.services import replace_rules
from apps.storage.commands.responses import VolumeResponse
from apps.storage.models import Volume
from apps.storage.states import VOLUME
from tests.conftest import unknown

ALL = pytest.mark.parametrize("spec", REGISTRY.values(), ids=lambda s: s.name)
LISTS = pytest.mark.parametrize(
    "spec",
    [s for s in REGISTRY.values() if issubclass(s.cls, ListCommand) and s.cls.model],
    ids=lambda s: s.name,
)
TENANTS = pytest.mark.parametrize("spec", [s for s in REGISTRY.values() if s.roles & Kind.TENANT], ids=lambda s: s.name)
REFERENCE = Path(__file__).parent / "reference"
EVENTS = set(re.findall(r"^\| ([A-Z0-9_.-]+) \|", (REFERENCE / "events-alerts.md").read_text(), re.MULTILINE))
# Where a machine runs and its disks lie is the operator's business; zones are everybody's.
INFRASTRUCTURE = re.compile(r"^(host|pod|cluster|storage|pool|physicalnetwork)(id|name|tags)?$|^instancename$")


@ALL
def test_nobody_is_401_and_a_refused_role_is_432(api, make, spec):
    with pytest.raises(NotAuthenticated):
        api(None, spec.name)
    caller = make.caller()
    replace_rules(role=caller.role, rules=[(spec.name, False)])
    with pytest.raises(UnsupportedAction) as error:
        api(caller, spec.name)

    assert error.value.code == 432
    with pytest.raises(UnsupportedAction) as other:
        api(caller, "noSuchCommand")
    assert str(other.value).replace("noSuchCommand", spec.name) == str(error.value)


def plausible(make, owner, field):
    """A value that parses, so that the parameter under test is the only one that is wrong."""
    if isinstance(field, ByLabel):
        return make.row(field.to, owner).uuid
    if isinstance(field, wire.Int):
        return max(field.min_value or 1, 1)
    if isinstance(field, wire.Bool):
        return "true"
    if isinstance(field, wire.Date):
        return "2026-01-01"
    if isinstance(field, wire.Uuid):
        return unknown()
    if isinstance(field, wire.Map):
        return [dict.fromkeys(field.keys or ("key", "value"), "x")]
    return (getattr(field, "choices", None) or ["x"])[0]


def required(make, owner, spec, but):
    return {n: plausible(make, owner, f) for n, f in spec.fields.items() if f.required and n != but}


@TENANTS
def test_foreign_rows_are_531_and_unknown_ones_431(api, make, spec):
    mine, other = make.caller("mine"), make.account("other", make.domain("far", make.domain()))
    for name, field in spec.fields.items():
        if not isinstance(field, Ref) or mine.kind not in field.allowed:
            continue
        given = required(make, mine.account, spec, but=name)
        answers = {unknown(): 431}
        if isinstance(field.model.reach, Owned):
            answers[make.row(field.to, other).uuid] = 531
        before = counts()
        for value, code in answers.items():
            with pytest.raises(CloudError) as error:
                api(mine, spec.name, **given, **{name: value})
            assert (name, error.value.code) == (name, code), str(error.value)
        assert counts() == before


def counts():
    return {model._meta.label: model._base_manager.count() for model in apps.get_models()}


@LISTS
def test_a_list_costs_the_same_queries_for_3_and_for_60_rows(api, make, spec, monkeypatch):
    monkeypatch.setattr(store.STORE._kept, "seconds", 0.0)  # or a slow machine reads them again in one of the two
    caller = make.root()
    label = spec.cls.model
    costs = []
    for more in (3, 57):
        for _ in range(more):
            make.row(label, caller.account)
        cache.clear()
        given = required(make, caller.account, spec, but="")
        api(caller, spec.name, **given)  # what is kept between calls (rules, settings) is warm
        with CaptureQueriesContext(connection) as queries:
            api(caller, spec.name, **given)
        costs.append(len(queries))

    assert costs[0] == costs[1], [q["sql"][:200] for q in queries]


@LISTS
def test_a_list_makes_its_prepared_statements_once(api, make, spec, monkeypatch):
    caller, made = make.root(), []
    make.row(spec.cls.model, caller.account)
    given = required(make, caller.account, spec, but="")
    api(caller, spec.name, **given)
    make_one = prepared._Statement.__init__
    monkeypatch.setattr(prepared._Statement, "__init__", lambda *rest: made.append(rest) or make_one(*rest))

    api(caller, spec.name, **given)

    assert made == []


@TENANTS
def test_tenants_see_no_infrastructure(spec):
    if spec.response is None:
        return
    shown = {n for n, part in spec.response.declared().items() if View.RESTRICTED in part.view}

    assert {name for name in shown if INFRASTRUCTURE.match(name)} == set()


@ALL
def test_its_event_is_one_that_cloudstack_knows(spec):
    assert spec.event in {None, NO_EVENT, *EVENTS}


def test_a_change_that_has_no_name_writes_no_event(api, make):
    assert REGISTRY["addRegion"].event == NO_EVENT

    api(make.root(), "addRegion", id=7, name="far", endpoint="http://far")

    assert Region.objects.filter(pk=7).exists()
    assert not Event.all_tenants.exists()


@ALL
def test_every_parameter_says_what_it_is(spec):
    assert [n for name, f in spec.fields.items() for n, part in wire_names(name, f) if not part.help_text] == []


@ALL
def test_openapi_sees_an_ordinary_serializer(spec):
    names = {n: f for name, field in spec.fields.items() for n, f in wire_names(name, field)}
    bound = type("Parameters", (serializers.Serializer,), dict(names))().fields

    assert {n: (f.required, f.help_text) for n, f in bound.items()} == {
        n: (f.required, f.help_text) for n, f in names.items()
    }


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"page": 1}, 431),
        ({"pagesize": 10}, 431),
        ({"page": 1, "pagesize": 501}, 431),
        ({"page": 1, "pagesize": -1}, 431),
        ({"pagesize": -1}, 4),
        ({"page": 0, "pagesize": 3}, 3),
        ({"page": 2, "pagesize": 3}, 1),
        ({"page": "", "pagesize": 3}, 3),
        ({"page": ""}, 431),
    ],
)
def test_paging(api, make, params, code):
    caller = make.caller()
    for _ in range(4):
        make.volume(caller.account)
    try:
        answer = api(caller, "listVolumes", **params)
        got = len(answer["volume"])
        assert answer["count"] == 4
    except CloudError as error:
        got = error.code
    assert got == code


BROKEN = {
    "a docstring": {"doc": ""},
    "needs roles": {"roles": Kind(0)},
    "needs a response": {"response": None},
    "needs an event": {"event": None},
    "can tell no event": {"in_batches": True},
    "has no run": {"base": type("Base", (Command,), {}), "run": Command.run},
    "explicit": {"base": AsyncCommand},
    "needs create": {"base": CreateCommand, "locks": ()},
    "which is no parameter": {"base": AsyncCommand, "locks": ("vm",)},
    "only the kernel's wire types": {"x": serializers.CharField()},
    "must be lower case": {"xY": wire.Str()},
    "looks secret": {"newpassword": wire.Str()},
    "declared twice": {"name": "listVolumes"},
}


@pytest.mark.parametrize("problem", BROKEN)
def test_an_incomplete_declaration_does_not_import(problem):
    given = {
        "doc": "Does.",
        "roles": USER,
        "event": "E",
        "run": lambda self, **kw: None,
        "base": Command,
        **BROKEN[problem],
    }
    how = {n: given.pop(n) for n in ("roles", "event", "locks") if n in given}
    if "response" not in given:
        how["response"] = VolumeResponse
    given.pop("response", None)
    doc, base, name = given.pop("doc"), given.pop("base"), given.pop("name", "doThing")

    with pytest.raises(TypeError, match=problem):
        command(name, **how)(type("Broken", (base,), {**given, "__doc__": doc}))


def test_a_reference_has_no_default_access():
    with pytest.raises(TypeError):
        Ref("storage.Volume")


@pytest.mark.parametrize(("section", "machine"), [("1.1", VM), ("1.2", VOLUME), ("1.3", NETWORK), ("1.10", HOST)])
def test_no_state_is_invented(section, machine):
    text = (REFERENCE / "state-machines.md").read_text().split(f"### {section} ")[1].split("\n### ")[0]
    real = {tuple(c.strip() for c in line.split("|")[1:4]) for line in text.splitlines() if line.startswith("| ")}

    assert {(t.source, t.event, t.target) for t in machine.table.values()} - real == set()


def test_every_owned_model_is_taken_down_with_its_account():
    named = {label for answer in teardown.all() for label in answer.models}

    assert named == {model._meta.label for model in owned_models()}


def test_a_port_of_one_takes_one_answer_and_none_is_missing():
    port: Port[int] = Port("test.port")
    with pytest.raises(RuntimeError, match="nobody answers the ports test.port"):
        check()
    port.answer(1)
    check()
    with pytest.raises(RuntimeError, match="answered twice"):
        port.answer(2)


def test_roles_are_ordered_rules_over_the_declaration(api, make):
    caller = make.caller()
    replace_rules(role=caller.role, rules=[("listVolumes", True), ("list*", False)])

    assert api(caller, "listVolumes") == {}
    with pytest.raises(UnsupportedAction):
        api(caller, "listVirtualMachines")
    with pytest.raises(UnsupportedAction):
        api(caller, "deleteAccount", id=caller.account.uuid)  # no rule: the declaration says ROOT and domain admins
    assert (ROOT, Volume.all_tenants.count()) == (Kind.ROOT, 0)
