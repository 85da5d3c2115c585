"""Sections 5 and 6 of wire-protocol.md: XML, errors; and what of 8 to 13 shows at the endpoint."""

import pytest
from defusedxml import ElementTree

from apps.api import render
from apps.api.render import VERSION
from apps.configuration.store import STORE
from apps.core.commands import REGISTRY
from apps.core.errors import (
    InsufficientCapacity,
    InvalidParameter,
    LimitExceeded,
    PermissionDenied,
    ResourceInUse,
    ResourceUnavailable,
    RuleConflict,
    ServiceUnavailable,
)
from tests.api.client import said

pytestmark = pytest.mark.django_db
HEAD = '<?xml version="1.0" encoding="UTF-8"?>'


def xml(answer):
    return answer.content.decode()


def test_a_list_in_xml(alice):
    alice.get("createSSHKeyPair", name="k")

    root = ElementTree.fromstring(xml(alice.get("listSSHKeyPairs", response=None)))

    assert (root.tag, root.attrib) == ("listsshkeypairsresponse", {"cloud-stack-version": VERSION})
    assert [child.tag for child in root] == ["count", "sshkeypair"]
    assert (root[0].text, root[1].find("name").text) == ("1", "k")


def test_an_empty_list_in_xml_is_an_empty_root(alice):
    assert xml(alice.get("listSSHKeyPairs", response=None)) == (
        f'{HEAD}<listsshkeypairsresponse cloud-stack-version="{VERSION}"></listsshkeypairsresponse>'
    )


def test_a_page_beyond_the_end_in_xml_is_the_count_alone(alice):
    alice.get("createSSHKeyPair", name="k")

    assert xml(alice.get("listSSHKeyPairs", response=None, page=9, pagesize=1)) == (
        f'{HEAD}<listsshkeypairsresponse cloud-stack-version="{VERSION}"><count>1</count></listsshkeypairsresponse>'
    )


def test_success_in_xml(alice):
    alice.get("createSSHKeyPair", name="k")

    assert xml(alice.get("deleteSSHKeyPair", response=None, name="k")) == (
        f'{HEAD}<deletesshkeypairresponse cloud-stack-version="{VERSION}"><success>true</success>'
        "</deletesshkeypairresponse>"
    )


def test_the_version_is_left_out_where_a_setting_says_so(alice):
    STORE.store("expose.cloudstack.version.api.xml.response", "false")

    assert xml(alice.get("listSSHKeyPairs", response=None)) == (
        f"{HEAD}<listsshkeypairsresponse></listsshkeypairsresponse>"
    )


def test_errors_in_xml_have_the_version_but_those_of_the_entrance_and_432(alice, wire, session):
    answer = xml(alice.get("listSSHKeyPairs", response=None, page=1))
    assert answer == (
        f'{HEAD}<listsshkeypairsresponse cloud-stack-version="{VERSION}"><errorcode>431</errorcode>'
        "<cserrorcode>9999</cserrorcode><errortext>&quot;pagesize&quot; parameter is required when &quot;page&quot; is "
        "specified</errortext></listsshkeypairsresponse>"
    )
    assert "cloud-stack-version" not in xml(wire.get("listSSHKeyPairs", response=None))
    refused = xml(session.get("createZone", response=None, sessionkey=session.key))
    assert refused.startswith(f"{HEAD}<errorresponse><errorcode>432</errorcode><cserrorcode>9999</cserrorcode>")
    assert "cloud-stack-version" not in xml(session.get("logout", response=None))


def test_ids_of_an_error_in_both_formats(alice):
    domain = str(alice.user.account.domain.uuid)

    assert said(alice.get("deleteSSHKeyPair", name="x"))["uuidList"] == [{"uuid": domain, "description": "domainId"}]
    assert (
        f"<uuidList><uuid>{domain}</uuid><uuidProperty>domainId</uuidProperty></uuidList><errorcode>431</errorcode>"
        in xml(alice.get("deleteSSHKeyPair", response=None, name="x"))
    )


def test_the_five_characters_and_those_that_no_document_may_hold():
    body = render.body("x", {"a": "<&>\"'\x00\x1f\ud800ü"}, as_json=False, versioned=False).decode()

    assert body == f"{HEAD}<x><a>&lt;&amp;&gt;&quot;&apos;ü</a></x>"


def test_nested_collections_repeat_their_name_and_empty_ones_are_absent():
    answer = {"vm": {"nic": [{"id": 1}, {"id": 2}], "tags": [], "up": True, "speed": 1.5}}

    assert "".join(render.elements(answer)) == (
        "<vm><nic><id>1</id></nic><nic><id>2</id></nic><up>true</up><speed>1.5</speed></vm>"
    )


def test_names_that_people_made_up_are_made_names_of_elements():
    answer = {"details": {"a b": "1", "<x>": "2", "1st": "3", "cpu.overcommit": "4", "": "5"}}

    found = ElementTree.fromstring("".join(render.elements(answer)))

    assert [(child.tag, child.text) for child in found] == [
        ("a_b", "1"),
        ("_x_", "2"),
        ("_1st", "3"),
        ("cpu.overcommit", "4"),
        ("_", "5"),
    ]


ERRORS = [
    (InvalidParameter, 431, 4350),
    (ServiceUnavailable, 503, 9999),
    (PermissionDenied, 531, 4365),
    (InsufficientCapacity, 533, 4325),
    (ResourceUnavailable, 534, 4380),
    (LimitExceeded, 535, 4370),
    (ResourceInUse, 536, 4375),
    (RuleConflict, 537, 4360),
]


@pytest.mark.parametrize(("kind", "status", "number"), ERRORS)
def test_each_error_has_its_status_line_and_number(root, monkeypatch, kind, status, number):
    def fail(self, **given):
        raise kind("first line\nsecond ü")

    monkeypatch.setattr(REGISTRY["listEventTypes"].cls, "entries", fail)

    answer = root.get("listEventTypes")

    assert (answer.status_code, answer.reason_phrase != "") == (status, True)
    assert said(answer) == {
        "uuidList": [],
        "errorcode": status,
        "cserrorcode": number,
        "errortext": "first line\nsecond ü",
    }
    assert "\n" not in answer["X-Description"]


@pytest.mark.parametrize("kind", [InsufficientCapacity, ResourceUnavailable])
def test_nobody_but_root_reads_of_the_infrastructure(alice, monkeypatch, kind):
    def fail(self, **given):
        raise kind("host h17 of pod p3 is full")

    monkeypatch.setattr(REGISTRY["listEventTypes"].cls, "entries", fail)

    answer = alice.get("listEventTypes")

    assert "h17" not in answer.content.decode() + answer["X-Description"]


def test_a_broken_map_is_430(alice):
    answer = alice.get("listSSHKeyPairs", **{"tags[a].key": "x"})

    text = (
        "Unable to decode parameter tags[a].key; if specifying an object array, please use parameter[index].field=XXX, "
        "e.g. userGroupList[0].group=httpGroup"
    )
    assert (answer.status_code, said(answer)["errortext"], said(answer)["cserrorcode"]) == (430, text, 9999)


@pytest.mark.parametrize(
    ("given", "text", "number"),
    [
        ({"page": "1"}, '"pagesize" parameter is required when "page" is specified', 9999),
        ({"pagesize": "1"}, '"page" parameter is required when "pagesize" is specified', 9999),
        ({"page": "1", "pagesize": "501"}, "Page size can't exceed max allowed page size value: 500", 4350),
        ({"page": "1", "pagesize": "-1"}, "Can't specify page parameter when pagesize is -1 (Unlimited)", 4350),
        ({"page": "x"}, "Unable to execute API command listevents due to invalid value x for parameter page", 9999),
        (
            {"startdate": "x"},
            "Unable to parse date x for command listevents, please pass dates in the format mentioned in the api "
            "documentation",
            9999,
        ),
        (
            {"id": "x"},
            "Unable to execute API command listevents due to invalid value. Invalid parameter id value=x due to "
            "incorrect long value format, or entity does not exist or due to incorrect parameter annotation for the "
            "field in api cmd class.",
            9999,
        ),
        ({"account": "bob"}, "could not find account bob in domain a", 4350),
    ],
)
def test_texts_of_the_parser(alice, given, text, number):
    answer = alice.get("listEvents", **given)

    inner = said(answer)
    assert inner["cserrorcode"] == number
    assert answer["X-Description"] == inner["errortext"]
    assert inner["errortext"] == text


def test_a_page_of_a_size_of_zero_is_as_if_none_was_asked_for(alice):
    alice.get("createSSHKeyPair", name="k")

    assert said(alice.get("listSSHKeyPairs", pagesize=0))["count"] == 1


def test_a_project_that_one_is_not_in_is_432(alice, make):
    project = make.project(make.account("bob"))

    answer = alice.get("listSSHKeyPairs", projectid=project.uuid)

    assert (answer.status_code, list(answer.json())) == (432, ["errorresponse"])
    assert said(answer)["errortext"] == (
        "The API [listSSHKeyPairs] does not exist or is not available for this account/user in project "
        f"[{project.uuid}]."
    )


def test_too_many_calls_are_429_by_key_and_in_a_session(alice, session):
    for name, value in (("enabled", "true"), ("interval", "60"), ("max", "2")):
        STORE.store(f"api.throttling.{name}", value)
    alice.get("listEvents")
    session.get("listEvents", sessionkey=session.key)

    answer = session.get("listEvents", sessionkey=session.key)

    assert (answer.status_code, said(answer)["errorcode"], said(answer)["cserrorcode"]) == (429, 429, 4545)
    assert answer["X-Description"].startswith(
        "The given user has reached his/her account api limit, please retry after "
    )
    assert alice.get("listEvents").status_code == 429


def test_a_switched_off_command_is_432(alice):
    answer = alice.get("getApiLimit")

    assert (answer.status_code, list(answer.json()), answer["X-Description"]) == (
        432,
        ["errorresponse"],
        "This api is only available when api.throttling.enabled = true.",
    )


def test_secrets_of_keys_are_told_by_those_commands_only(alice, root):
    listed = root.get("listUsers", listall="true").content.decode()

    assert alice.secret not in listed
    assert alice.user.api_key in listed
    keys = said(alice.get("getUserKeys", id=alice.user.uuid))["userkeys"]
    assert keys["secretkey"] == alice.secret
