import datetime
import stat
import subprocess

import pytest

from agent.http import enrol as enrolment
from agent.http.enrol import enrol, renew
from agent.http.errors import Busy, Invalid, Refused
from agent.http.identity import Identity
from tests.agent.authority import DAY, Authority, now
from tests.agent.manager import FakeManager


@pytest.fixture
def fresh(tmp_path):
    return Identity(tmp_path / "state")


def said(identity, *what):
    words = ("openssl", "x509", "-in", str(identity.pair), "-noout", *what)
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_a_host_gets_its_certificate_for_a_token(fresh, manager):
    host = enrol(fresh, manager.url, manager.token("11111111-2222-3333-4444-555555555555"), {})

    assert host == "11111111-2222-3333-4444-555555555555"
    assert fresh.enrolled == {"host": host, "manager": manager.url}
    assert f"DNS:{host}" in said(fresh, "-ext", "subjectAltName")
    assert {path.name for path in fresh.state.iterdir()} == {"host.pem", "ca.pem", "enrolled.json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in fresh.state.iterdir()} == {0o600}


def test_a_token_is_good_once(fresh, manager, tmp_path):
    token = manager.token()
    enrol(fresh, manager.url, token, {})

    with pytest.raises(Refused, match="403"):
        enrol(Identity(tmp_path / "other"), manager.url, token, {})

    assert not (tmp_path / "other" / "host.pem").exists()


def test_an_answer_that_was_lost_is_given_again(fresh, manager, monkeypatch):
    token, real = manager.token(), enrolment.client.trusting

    def lost(*args):
        real(*args)
        raise ConnectionResetError("cut")

    monkeypatch.setattr(enrolment.client, "trusting", lost)
    with pytest.raises(Busy):
        enrol(fresh, manager.url, token, {})
    monkeypatch.undo()

    enrol(fresh, manager.url, token, {})

    assert fresh.pair.exists()


def test_somebody_else_in_the_managers_place_gets_no_token(fresh, manager, tmp_path):
    with FakeManager(tmp_path / "other", authority=Authority()).serving() as other:
        token = manager.token()

        with pytest.raises(Refused, match="not our manager"):
            enrol(fresh, other.url, token, {})

        assert not other.issued
        assert not fresh.pair.exists()


def test_what_is_no_token_is_said_so(fresh, manager):
    with pytest.raises(Invalid, match=r"FINGERPRINT\.SECRET"):
        enrol(fresh, manager.url, "secret", {})


def test_a_certificate_is_renewed_when_two_thirds_of_its_life_are_over(fresh, manager):
    enrol(fresh, manager.url, manager.token(begin=now() - 20 * DAY, end=now() + 9 * DAY), {})
    before = said(fresh, "-serial"), fresh.pair.read_text()

    assert fresh.must_renew()
    renew(fresh)

    assert not fresh.must_renew()
    assert (said(fresh, "-serial"), fresh.pair.read_text()) != before
    assert fresh.must_renew((now() + datetime.timedelta(days=25)).timestamp())


def test_a_manager_that_is_away_is_no_refusal(fresh, manager, tmp_path):
    enrol(fresh, manager.url, manager.token(), {})
    before = fresh.pair.read_text()
    fresh.save_enrolment("h", "https://127.0.0.1:1")

    with pytest.raises(Busy):
        renew(fresh)

    assert fresh.pair.read_text() == before
