"""Section 2 of wire-protocol.md."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from apps.accounts.models import Account, User
from apps.accounts.services import sign_on
from apps.api import signing
from apps.configuration.store import STORE
from apps.core.errors import LoginRefused
from tests.api.client import canonical, said, signed

pytestmark = pytest.mark.django_db
KEY, SECRET = "Vector-API-key_01", "vector-secret-0123456789"  # noqa: S105 - published test vectors
UNSIGNED = "unable to verify user credentials and/or request signature"

VECTORS = [
    ({"command": "listUsers", "response": "json"}, "ngnzyg36BnYhANyVEeC/I4STczU="),
    (
        {
            "command": "createTags",
            "response": "json",
            "resourceids": "a,b",
            "resourcetype": "UserVm",
            "tags[0].key": "Name",
            "tags[0].value": "a b*c~d+e/f=g&h",
        },
        "rNaD9TNSWKYcBYtYioBeKa8T5pM=",
    ),
    (
        {
            "command": "updateVirtualMachine",
            "displayName": "Zürich 北京 (x)!'",
            "id": "11111111-2222-3333-4444-555555555555",
        },
        "ZEVtxoeNpXujPtuu4slIMjgIzTY=",
    ),
    (
        {
            "command": "listZones",
            "response": "json",
            "signatureVersion": "3",
            "expires": "2031-10-10T12:00:00+0000",
        },
        "fGkh1L1euSVkwY5qsYK6G0q4ToM=",
    ),
    (
        {"command": "listVirtualMachines", "response": "json", "Zebra": "1", "apple": "2"},
        "aRFKnmEaJdyS/gm4w+dxw7tvFOE=",
    ),
]


@pytest.mark.parametrize(("params", "signature"), VECTORS)
def test_the_published_vectors(params, signature):
    given = {**params, "apiKey": KEY}

    assert signing.canonical(given) == canonical(given)
    assert signing.is_signed(given | {"signature": signature}, SECRET, signature)
    assert not signing.is_signed(given | {"x": "1"}, SECRET, signature)
    assert not signing.is_signed(given, SECRET + "x", signature)


PARAMS = {
    "command": "listX",
    "response": "json",
    "apiKey": "k",
    "Zebra": "a~b*c[d] e",
    "apple": "ü+/",
    "tags[0].key": "x",
}
CLIENTS = {
    "the server of the original": lambda p: canonical(p),
    "marvin": lambda p: "&".join(f"{n.lower()}={quote(p[n], safe='*-._~')}" for n in sorted(p, key=str.lower)).lower(),
    "CloudMonkey 5": lambda p: "&".join(
        f"{n.lower()}={quote(p[n], safe='*-._').replace('~', '%7E')}" for n in sorted(p, key=str.lower)
    ).lower(),
    "cs": lambda p: "&".join(f"{n}={quote(p[n], safe='*-._~')}" for n in sorted(p)).lower(),
    "libcloud": lambda p: "&".join(
        f"{quote(n, safe='[].~')}={quote(p[n], safe='-._~[]')}" for n in sorted(p, key=str.lower)
    ).lower(),
    "Go SDK": lambda p: "&".join(f"{n}={quote(p[n], safe='*-._~')}" for n in sorted(p)).lower(),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_the_ways_of_released_clients(client):
    signature = signed(PARAMS, SECRET, CLIENTS[client](PARAMS))["signature"]

    assert signing.is_signed(PARAMS | {"signature": signature}, SECRET, signature)
    for other in ({"Zebra": "a~b*c[d] f"}, {"apple": "ü+"}, {"more": ""}):
        assert not signing.is_signed(PARAMS | other, SECRET, signature)


@pytest.mark.parametrize("signature", ["", "x", "AAAA", "====", "ngnzyg36BnYhANyVEeC/I4STczU"])
def test_what_is_no_signature(signature):
    assert not signing.is_signed(PARAMS, SECRET, signature)


def refused(answer, name="listeventtypesresponse"):
    assert (answer.status_code, answer.has_header("X-Description")) == (401, False)
    assert answer.json() == {name: {"uuidList": [], "errorcode": 401, "errortext": UNSIGNED}}


def test_nobody_without_key_or_signature(alice, wire):
    refused(wire.get("listEventTypes"))
    refused(wire.get("listEventTypes", apiKey=alice.user.api_key))
    refused(wire.get("listEventTypes", signature="x"))
    refused(wire.get("listEventTypes", apiKey="no-such-key", signature="x"))
    refused(wire.get("listEventTypes", apiKey=alice.user.api_key, signature="AAAA"))


def test_an_unknown_command_looks_like_a_bad_signature(alice):
    refused(alice.get("noSuchCommand"), "errorresponse")
    refused(alice.get("listeventtypes"), "errorresponse")


def test_without_a_command_the_root_is_null(wire):
    answer = wire.raw("GET", "response=json")
    assert answer.json() == {"null": {"uuidList": [], "errorcode": 401, "errortext": UNSIGNED}}
    answer = wire.raw("GET")
    assert (
        answer.content
        == (
            f'<?xml version="1.0" encoding="UTF-8"?><errorresponse><errorcode>401</errorcode><errortext>{UNSIGNED}'
            "</errortext></errorresponse>"
        ).encode()
    )


@pytest.mark.parametrize("state", ["disabled", "locked"])
def test_a_user_or_account_that_is_not_enabled(alice, state):
    User.all_tenants.filter(pk=alice.user.pk).kernel_update(state=state)
    refused(alice.get("listEventTypes"))
    User.all_tenants.filter(pk=alice.user.pk).kernel_update(state="enabled")
    Account.all_tenants.filter(pk=alice.user.account_id).kernel_update(state=state)
    refused(alice.get("listEventTypes"))


def test_a_key_of_a_removed_user(alice):
    alice.user.mark_removed()

    refused(alice.get("listEventTypes"))


def ahead(**by):
    return (datetime.now(UTC) + timedelta(**by)).replace(tzinfo=None, microsecond=0).isoformat()


@pytest.mark.parametrize("form", ["+0000", "+00:00", "Z", ".000000+0000", "Z+0000"])
@pytest.mark.parametrize("far", [{"minutes": 10}, {"days": 365}])
def test_forms_of_expires(alice, form, far):
    assert alice.get("listEventTypes", signatureVersion=3, expires=ahead(**far) + form).status_code == 200
    refused(alice.get("listEventTypes", signatureVersion=3, expires=ahead(minutes=-1) + form))


def test_an_offset_of_expires_counts(alice):
    assert alice.get("listEventTypes", signatureVersion=3, expires=ahead(minutes=70) + "+0100").status_code == 200
    refused(alice.get("listEventTypes", signatureVersion=3, expires=ahead(minutes=50) + "+0100"))


@pytest.mark.parametrize("expires", [None, "", "soon", "2031-10-10", "2031-10-10T12:00:00", "2031-13-10T12:00:00+0000"])
def test_version_3_needs_an_expires_that_can_be_read(alice, expires):
    refused(alice.get("listEventTypes", signatureVersion=3, expires=expires))


def test_without_version_3_expires_is_not_looked_at(alice):
    assert alice.get("listEventTypes", expires="soon").status_code == 200
    assert alice.get("listEventTypes", expires="2001-01-01T00:00:00+0000", signatureVersion=2).status_code == 200


@pytest.fixture
def enforced():
    STORE.store("enforce.post.requests.and.timestamps", "true")


def test_where_timestamps_are_enforced_version_3_is_compulsory(alice, enforced):
    assert alice.get("listEventTypes", signatureVersion=3, expires=ahead(minutes=14) + "Z").status_code == 200
    refused(alice.get("listEventTypes"))
    refused(alice.get("listEventTypes", signatureVersion=3, expires=ahead(minutes=16) + "Z"))


def test_and_changes_are_made_by_post(alice, enforced):
    given = {"signatureVersion": 3, "expires": ahead(minutes=10) + "Z", "name": "k"}

    answer = alice.get("createSSHKeyPair", **given)

    text = "State changing command createSSHKeyPair needs to be sent using POST request"
    assert (answer.status_code, said(answer)) == (400, {"uuidList": [], "errorcode": 400, "errortext": text})
    assert said(alice.get("listSSHKeyPairs", **given)) == {}
    assert alice.post("createSSHKeyPair", **given).status_code == 200


def test_and_in_a_session_too(session, enforced):
    assert session.get("createSSHKeyPair", sessionkey=session.key, name="k").status_code == 400
    assert session.post("createSSHKeyPair", sessionkey=session.key, name="k").status_code == 200
    assert session.get("logout").status_code == 200


def test_keys_of_a_user_who_was_locked_out_are_refused(alice):
    for _ in range(5):
        with pytest.raises(LoginRefused):
            sign_on.authenticate("alice", "wrong", "/a")

    refused(alice.get("listEventTypes"))
