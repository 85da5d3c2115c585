"""What a live CloudStack answered, asked of us: wire-protocol.md section 16.

All samples are played once, in their order, against the endpoint as a client reaches it; each is a test of its own.
"""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from urllib.parse import quote, urlencode

import orjson
import pytest
from django.db import transaction
from django.test import Client

from apps.configuration.store import STORE
from apps.core.seeds import sow
from apps.hypervisors import fake
from apps.infrastructure import drivers
from apps.jobs import runner
from tests.wire.compare import SAMPLES, Comparison, filled
from tests.wire.world import SECRET, World

pytestmark = pytest.mark.django_db
EXCHANGES = [sample for sample in SAMPLES if "answers" not in sample]
SCOPES = [sample for sample in SAMPLES if "answers" in sample]
# They are about what a session leaves behind: they go on with the one of the sample before.
# The text of job-failed is a service's and loose; these show the same job.
for shown in SAMPLES:
    if shown["id"] in ("job-failed-xml", "job-of-own-domain"):
        shown["loose"] = ["errortext"]
SAME_BROWSER = ("logout-without-session", "session-after-logout")


class Player:
    """Plays samples as the clients of the recording did."""

    def __init__(self, world):
        self.world, self.names, self.browser = world, world.names, Client()

    def play(self, sample):
        if sample["id"] != "job-pending":
            runner.drain()
        client = self._client(sample)
        for name, minutes in (("time+10min", 10), ("time-10min", -10)):
            moment = datetime.now(UTC) + timedelta(minutes=minutes)
            self.names[name] = moment.strftime("%Y-%m-%dT%H:%M:%S+0000")
        with self.world.around(sample):
            return self._send(client, sample["method"], self._params(sample))

    def _client(self, sample):
        if not sample["auth"].startswith("session"):
            return Client()
        if sample["id"] not in SAME_BROWSER:
            self._log_in(sample["caller"])
        if "without" in sample["auth"]:
            del self.browser.cookies["sessionkey"]
        return self.browser

    def _log_in(self, name):
        self.browser, user = Client(), self.world.users[name]
        path = user.account.domain.wire_path.removeprefix("ROOT")
        given = {"username": user.username, "password": self.names["password"], "domain": path}
        answer = self._send(self.browser, "POST", {"command": "login", "response": "json", **given})
        self.names["sessionkey"] = orjson.loads(answer.content)["loginresponse"]["sessionkey"]

    def _params(self, sample):
        params, auth = filled(sample["params"], self.names), sample["auth"]
        if auth in ("none", "session") or auth.startswith("session"):
            return params
        user = self.world.users[sample["caller"]]
        params["apiKey"] = "no-such-key" if auth == "unknown key" else user.api_key
        if auth == "no signature":
            return params
        return params | {"signature": self._signature(params, sample) if auth != "wrong signature" else "wrong"}

    def _signature(self, params, sample):
        text = "&".join(f"{n}={quote(params[n], safe='*-._').replace('~', '%7E')}" for n in sorted(params)).lower()
        key = SECRET.format(sample["caller"]).encode()
        return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha1).digest()).decode()

    def _send(self, client, method, params):
        text = urlencode(params, quote_via=quote)
        if method == "GET":
            return client.generic("GET", "/client/api", QUERY_STRING=text)
        return client.generic("POST", "/client/api", data=text, content_type="application/x-www-form-urlencoded")


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    """One database for all samples, taken back in the end."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch, transaction.atomic():
        transaction.get_connection().atomic_blocks[-1]._from_testcase = True
        patch.setitem(drivers.DRIVERS, "Fake", fake.connect)
        patch.setattr(fake, "CLOUD", fake.Cloud())
        STORE.forget()
        sow()
        yield World()
        transaction.set_rollback(True)
    STORE.forget()


@pytest.fixture(scope="module")
def played(world):
    """What each sample found wrong: all are played, because later ones build on what earlier ones did."""
    player, found = Player(world), {}
    for sample in EXCHANGES:
        answer = player.play(sample)
        cookies = SimpleCookie() if answer.cookies is None else answer.cookies
        names = {name: value for name, value in player.names.items() if not name.startswith("uuid")}
        found[sample["id"]] = Comparison(sample, names).answer(
            answer.status_code, answer.headers, cookies, answer.content
        )
        player.names |= {name: value for name, value in names.items() if name.startswith(("job.", "vol.", "vm."))}
    return found


@pytest.mark.parametrize("sample", EXCHANGES, ids=lambda sample: sample["id"])
def test_answers_as_recorded(played, sample):
    assert played[sample["id"]] == []


@pytest.mark.parametrize("sample", SCOPES, ids=lambda sample: sample["id"])
def test_scope_as_recorded(played, world, django_db_blocker, sample):
    player, found = Player(world), {}
    with django_db_blocker.unblock():
        for caller in sample["answers"]:
            answer = player.play({**sample, "caller": caller, "auth": "key", "method": "GET"})
            rows = orjson.loads(answer.content).get("listsshkeypairsresponse", {}).get("sshkeypair", [])
            found[caller] = sorted(row["name"] for row in rows) if answer.status_code == 200 else answer.status_code

    assert found == sample["answers"]
