"""Section 11 of wire-protocol.md: listApis, and what clients ask first."""

import json
from pathlib import Path

import pytest

from apps.api import describe
from apps.api.render import VERSION
from apps.configuration.store import STORE
from apps.core.callers import ROOT, USER, Access, Kind
from apps.core.commands import REGISTRY, Command, command
from apps.core.dispatch import call
from apps.core.errors import PermissionDenied, UnsupportedAction
from apps.core.refs import Owner, Ref
from apps.core.wire import Bool, Int, Map, Str
from apps.rbac.services import replace_rules
from tests.test_catalogue import DEVIATIONS

pytestmark = pytest.mark.django_db
CATALOGUE = json.loads((Path(__file__).parent.parent / "reference" / "api-catalog.json").read_text())
COMMANDS = {c["name"]: c for c in CATALOGUE["commands"]}


def apis(caller, **given):
    answer = call(caller, "listApis", **given)
    assert answer.get("count", 0) == len(answer.get("api", []))
    return {each["name"]: each for each in answer.get("api", [])}


@pytest.fixture
def probe():
    def run(self, **given):
        return None

    fields = {
        "id": Ref("storage.Volume", Access.OPERATE, required=True, help_text="the volume"),
        "owner": Owner(),
        "size": Int(help_text="a size", since="4.20"),
        "tags": Map(help_text="tags"),
        "force": Bool(allowed=ROOT, help_text="for administrators"),
        "text": Str(length=4096, help_text="a text"),
    }
    body = {**fields, "run": run, "__doc__": "Probes a volume,\n    on two lines.\n\n    And more.\n    "}
    command("probeVolume", roles=USER, event="VOLUME.UPDATE", response=None)(type("Probe", (Command,), body))
    yield
    del REGISTRY["probeVolume"]
    describe.entry.cache_clear()


def test_each_caller_gets_what_its_role_may_call(make):
    root, alice, dora = make.root(), make.caller(), make.caller("dora", kind=Kind.DOMAIN_ADMIN, type=2)

    assert apis(root).keys() == REGISTRY.keys()
    for caller in (alice, dora):
        assert apis(caller).keys() == {name for name, spec in REGISTRY.items() if spec.roles & caller.kind}
    assert "createZone" in apis(root)
    assert "createZone" not in apis(dora)


def test_rules_of_the_role_count(make):
    alice = make.caller()
    replace_rules(role=alice.role, rules=[("createZone", True), ("list*", True), ("*", False)])

    found = apis(alice)

    assert "createZone" in found
    assert all(name == "createZone" or name.startswith("list") for name in found)


def test_one_by_its_name_and_nothing_for_what_is_unknown_or_refused(make):
    alice = make.caller()

    assert apis(alice, name="listVolumes").keys() == {"listVolumes"}
    for name in ("createZone", "noSuchCommand", "listvolumes"):
        assert call(alice, "listApis", name=name) == {}


def test_an_entry_has_everything_whoever_asks(make, probe):
    found = apis(make.caller(), name="probeVolume")["probeVolume"]

    assert {name: found[name] for name in found if name not in ("params", "response")} == {
        "name": "probeVolume",
        "description": "Probes a volume, on two lines.",
        "isasync": False,
        "httprequesttype": "POST",
    }

    def related(model):
        return ",".join(sorted(n for n, s in REGISTRY.items() if s.response and s.response.model == model))

    one = {"type": "string", "length": 255, "required": False}
    assert found["params"] == [
        {
            "name": "id",
            "description": "the volume",
            "type": "uuid",
            "length": 255,
            "required": True,
            "related": related("storage.Volume"),
        },
        {"name": "account", "description": "owner, with domainid", **one},
        {
            "name": "domainid",
            "description": "domain of the owner",
            **one,
            "type": "uuid",
            "related": related("domains.Domain"),
        },
        {
            "name": "projectid",
            "description": "project that owns",
            **one,
            "type": "uuid",
            "related": related("accounts.Account"),
        },
        {"name": "size", "description": "a size", **one, "type": "integer", "since": "4.20"},
        {"name": "tags", "description": "tags", **one, "type": "map"},
        {"name": "force", "description": "for administrators", **one, "type": "boolean"},
        {"name": "text", "description": "a text", **one, "length": 4096},
    ]
    assert [field["name"] for field in found["response"]] == ["success", "displaytext"]


def test_related_commands_answer_with_the_same(make):
    related = apis(make.root(), name="listVolumes")["listVolumes"]["related"].split(",")

    assert "createVolume" in related
    assert "listVolumes" not in related
    assert "listZones" not in related


def test_fields_have_types_and_nested_lists_their_own_fields(make):
    fields = {each["name"]: each for each in apis(make.root(), name="listVolumes")["listVolumes"]["response"]}

    assert (fields["size"]["type"], fields["created"]["type"], fields["id"]["type"]) == ("long", "date", "string")
    assert fields["tags"]["type"] == "list"
    assert {each["name"] for each in fields["tags"]["response"]} == {
        *("key", "value", "customer", "resourceid", "resourcetype"),
        *("account", "domain", "domainid", "domainpath", "project", "projectid"),
    }
    assert {"jobid", "jobstatus"} <= fields.keys()


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_declared_as_in_the_catalogue(name):
    """Conformance without a server: what the catalogue says, listApis says."""
    entry, theirs = describe.entry(name), COMMANDS[name]

    agreed = "async" in DEVIATIONS[name]
    assert (entry["isasync"] != theirs["isasync"], entry.get("since")) == (agreed, theirs.get("since"))
    params = {each["name"]: each for each in entry["params"]}
    for each in theirs["params"]:
        if each["name"] in params:
            ours = params[each["name"]]
            assert (each["name"], ours.get("since")) == (each["name"], each.get("since"))
    assert {type(each["length"]) for each in entry["params"]} <= {int}
    reading = name.startswith(("get", "list", "query", "find"))
    assert entry["httprequesttype"] == ("GET" if reading or theirs.get("httpmethod") == "GET" else "POST")


def test_entries_are_compiled_once():
    assert describe.entry("listVolumes") is describe.entry("listVolumes")


def test_capabilities_are_one_object(make):
    found = call(make.caller(), "listCapabilities")["capability"]

    assert {name: found[name] for name in ("cloudstackversion", "dynamicrolesenabled", "supportELB")} == {
        "cloudstackversion": VERSION,
        "dynamicrolesenabled": True,
        "supportELB": "false",
    }
    assert (found["customdiskofferingmaxsize"], found["defaultuipagesize"]) == (1024, 20)
    assert not {"apilimitmax", "apilimitinterval"} & found.keys()


def test_capabilities_are_those_of_the_caller_s_account(make):
    alice, bob = make.caller(), make.caller("bob")
    STORE.store("allow.user.expunge.recover.vm", "true", kind="account", row_id=alice.account.pk)

    seen = [call(each, "listCapabilities")["capability"]["allowuserexpungerecovervm"] for each in (alice, bob)]

    assert seen == [True, False]


def test_capabilities_of_a_domain(make):
    root, domain = make.root(), make.domain("a", make.domain())
    STORE.store("allow.user.view.all.domain.accounts", "true", kind="domain", row_id=domain.pk)

    assert call(root, "listCapabilities", domainid=domain.uuid)["capability"]["allowuserviewalldomainaccounts"] is True
    assert call(root, "listCapabilities")["capability"]["allowuserviewalldomainaccounts"] is False
    with pytest.raises(PermissionDenied):
        call(make.caller(), "listCapabilities", domainid=domain.uuid)


def test_limits_of_calls_and_guarded_zones_are_told(make):
    zone = make.zone()
    zone.security_groups_enabled = True
    zone.save(update_fields=["security_groups_enabled"])
    STORE.store("api.throttling.enabled", "true")

    found = call(make.root(), "listCapabilities")["capability"]

    assert (found["securitygroupsenabled"], found["apilimitinterval"], found["apilimitmax"]) == (True, 1, 25)


def test_a_refused_role_sees_neither(make):
    alice = make.caller()
    replace_rules(role=alice.role, rules=[("*", False)])

    for name in ("listApis", "listCapabilities"):
        with pytest.raises(UnsupportedAction):
            call(alice, name)
