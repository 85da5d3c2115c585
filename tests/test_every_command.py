"""Rules that hold for every command of the registry, present and future."""

import re
from pathlib import Path

import pytest
from rest_framework import serializers

from apps.accounts.ports import teardown
from apps.compute.commands.responses import InstanceResponse
from apps.core import wire
from apps.core.callers import ROOT, USER, Kind
from apps.core.commands import REGISTRY, AsyncCommand, Command, CreateCommand, command
from apps.core.errors import CloudError, NotAuthenticated, UnsupportedAction
from apps.core.lists import ListCommand
from apps.core.ownership import owned_models
from apps.core.ports import Port, check
from apps.core.refs import Ref, wire_names
from apps.core.responses import FULL, View, encode, projection
from apps.machines.states import VM
from apps.rbac.services import replace_rules
from apps.storage.commands.responses import VolumeResponse
from apps.storage.models import Volume
from apps.storage.states import VOLUME
from tests.conftest import unknown

ALL = pytest.mark.parametrize("spec", REGISTRY.values(), ids=lambda s: s.name)
LISTS = pytest.mark.parametrize(
    "spec", [s for s in REGISTRY.values() if issubclass(s.cls, ListCommand)], ids=lambda s: s.name
)
REFERENCE = Path(__file__).parent / "reference"
INFRASTRUCTURE = re.compile(r"host|pod|cluster|storage$|pool")


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


@ALL
def test_foreign_rows_are_531_and_unknown_ones_431(api, make, spec):
    mine, other = make.caller("mine"), make.account("other", make.domain("far", make.domain()))
    rows = {"storage.Volume": make.volume, "machines.VirtualMachine": make.vm, "images.Template": make.template}
    for name, field in spec.fields.items():
        if isinstance(field, Ref) and field.to in rows:
            given = {n: f for n, f in spec.fields.items() if isinstance(f, Ref) and f.required and n != name}
            own = {n: rows[f.to](mine.account).uuid if f.to in rows else row_of(make, f.to) for n, f in given.items()}
            for value, code in ((rows[field.to](other).uuid, 531), (unknown(), 431)):
                with pytest.raises(CloudError) as error:
                    api(mine, spec.name, **own, **{name: value})
                assert error.value.code == code, name


def row_of(make, label):
    return {"infrastructure.Zone": make.zone, "offerings.ServiceOffering": make.offering}[label]().uuid


@LISTS
def test_an_empty_list_is_empty_and_a_page_beyond_the_end_has_a_count(api, make, spec):
    caller = make.caller()
    assert api(caller, spec.name) == {}
    for _ in range(2):
        make.vm(caller.account), make.volume(caller.account)
    assert api(caller, spec.name, page=5, pagesize=2) == {"count": 2}


@LISTS
def test_rows_that_are_removed_or_foreign_find_nothing_and_unknown_ones_are_431(api, make, spec):
    caller, model = make.caller(), projection(spec.response, View.FULL, None).model
    own, foreign = (getattr(make, spec.response.wire_name[-6:].replace("achine", "vm")) for _ in range(2))
    gone, far = own(caller.account), foreign(make.account("bob"))
    gone.mark_removed()
    for row in (gone, far):
        assert api(caller, spec.name, id=row.uuid) == {}
    with pytest.raises(CloudError) as error:
        api(caller, spec.name, id=unknown())
    assert (error.value.code, model.all_tenants.count()) == (431, 1)


@LISTS
def test_a_list_costs_three_queries_for_3_and_for_60_rows(api, make, spec, django_assert_num_queries):
    caller = make.caller()
    api(caller, spec.name)  # the role's rules are cached from here on
    for rows in (3, 57):
        for _ in range(rows):
            volume, vm = make.volume(caller.account), make.vm(caller.account)
            vm.attachments.create(volume=volume, device_id=1)
        with django_assert_num_queries(3):  # keys, rows, tags; no count, the page is whole
            answer = api(caller, spec.name)
    assert (answer["count"], len(answer[spec.response.wire_name])) == (60, 60)


@LISTS
def test_tenants_see_no_infrastructure(spec):
    shown = projection(spec.response, View.RESTRICTED, None)
    sources = " ".join(shown.sources)

    assert not re.search(r"\bhost|__host|pool|pod__|cluster", sources)
    assert any(f.view == FULL for f in spec.response.declared().values())


def test_details_prune_the_query_too(api, make):
    caller = make.caller()
    make.vm(caller.account)

    whole, pruned = (api(caller, "listVirtualMachines", details=d)["virtualmachine"][0] for d in ("all", "min,tmpl"))

    assert whole.keys() - pruned.keys() == {"serviceofferingid", "serviceofferingname", "cpunumber", "memory"}
    least = projection(InstanceResponse, View.RESTRICTED, frozenset())
    assert not any(source.startswith(("offering", "template")) for source in least.sources)
    assert encode("listvolumesresponse", {}) == b'{"listvolumesresponse":{}}'


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


@pytest.mark.parametrize(("section", "machine"), [("1.1", VM), ("1.2", VOLUME)])
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
