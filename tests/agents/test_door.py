"""The manager's door, with the program that knocks there: enrolment, renewal, reports, and who is turned away."""

import logging
import ssl
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from agent.http import client, enrol
from agent.http.errors import AgentError
from apps.agents.models import Certificate, Enrolment
from apps.agents.services import authority, enrolment
from apps.agents.services.files import FILES
from apps.core import secret
from apps.infrastructure.models import Host
from tests.agent.authority import HOST, Authority
from tests.clouds import until

FACTS = {"name": "h1", "version": "1"}
REPORT = {"boot": "b", "sequence": 1, "machines": [], "busy": [], "networks": {}}


def enrolled(identity, door, host):
    _, token = enrolment.invite(str(host.uuid))
    enrol.enrol(identity, door, token, FACTS)
    return Certificate.objects.get(role="host", bearer=str(host.uuid))


def test_a_host_enrols_once_with_its_token_and_reports(door, identity, kvm):
    host, token = enrolment.invite(str(kvm.uuid))

    assert enrol.enrol(identity, door, token, FACTS) == host
    said = client.post(identity, door, "/agent/v1/report", {**REPORT, "host": host})

    assert said == {"revoked": []}
    assert Host.all_tenants.get(pk=kvm.pk).last_pinged > timezone.now() - timedelta(minutes=1)
    other = type(identity)(identity.state.with_name("other"))
    with pytest.raises(AgentError, match="not good, was used, or has expired"):
        enrol.enrol(other, door, token, FACTS)
    assert Certificate.objects.filter(role="host").count() == 1


def test_the_answer_to_an_enrolment_that_was_lost_is_given_again(db, kvm):
    _, token = enrolment.invite(str(kvm.uuid))
    word, csr = token.partition(".")[2], enrol.request_for(enrol.new_key(), "host")

    first = enrolment.enrol(word, csr)

    assert enrolment.enrol(word, csr) == first
    assert Certificate.objects.filter(role="host").count() == 1


def test_a_token_of_another_authority_is_believed_by_no_host(door, identity, kvm):
    _, token = enrolment.invite(str(kvm.uuid))

    with pytest.raises(AgentError, match="another authority than the token says"):
        enrol.enrol(identity, door, "0" * 64 + token[64:], FACTS)

    assert Enrolment.objects.get().request == ""


def test_an_expired_token_is_refused(door, identity, kvm):
    _, token = enrolment.invite(str(kvm.uuid), good_for=timedelta(seconds=-1))

    with pytest.raises(AgentError, match="has expired"):
        enrol.enrol(identity, door, token, FACTS)

    assert not Certificate.objects.filter(role="host").exists()


def test_a_certificate_is_renewed_with_the_old_one(door, identity, kvm):
    old = enrolled(identity, door, kvm)

    enrol.renew(identity)

    new = Certificate.objects.filter(role="host").exclude(pk=old.pk).get()
    assert (new.bearer, old.serial in identity.pair.read_text()) == (str(kvm.uuid), False)
    client.post(identity, door, "/agent/v1/report", {**REPORT, "host": str(kvm.uuid)})


def test_who_has_no_certificate_may_not_report(ask, caplog):
    status, said = ask("/agent/v1/report", REPORT)

    assert (status, said) == (403, {"error": "the certificate of nobody is not one of a host"})
    assert "refused: /agent/v1/report from 127.0.0.1" in caplog.text


@pytest.mark.parametrize("how", ["revoked", "of a host that was removed", "speaks for another", "of the manager"])
def test_a_certificate_that_is_not_that_of_the_host_is_refused_and_logged(how, ask, door, identity, kvm, caplog):
    row, host, pair = enrolled(identity, door, kvm), str(kvm.uuid), identity.pair
    if how == "revoked":
        authority.revoke(serial=row.serial)
    elif how == "of a host that was removed":
        kvm.mark_removed()
    elif how == "speaks for another":
        host = str(uuid.uuid4())
    else:
        pair = FILES.credentials().pair

    status, said = ask("/agent/v1/report", {**REPORT, "host": host}, pair=pair)

    why = {
        "revoked": f"certificate {row.serial} of host {host} was revoked",
        "of a host that was removed": f"host {host} is none of ours, or was not added yet",
        "speaks for another": f"host {kvm.uuid} reports as {host}",
        "of the manager": "the certificate of manager is not one of a host",
    }[how]
    assert (status, said) == (403, {"error": why})
    assert f"refused: /agent/v1/report from 127.0.0.1: {why}" in caplog.text


@pytest.mark.parametrize("how", ["of another authority", "expired"])
def test_a_certificate_that_tls_does_not_believe_is_refused_and_logged(how, ask, door, tmp_path, kvm, caplog):
    pair = tmp_path / "stranger.pem"
    if how == "expired":
        own = authority.current()
        stranger = Authority()
        stranger.key = authority.serialization.load_pem_private_key(secret.unseal(own.key).encode(), None)
        stranger.certificate = authority.x509.load_pem_x509_certificate(own.certificate.encode())
        stranger.name = stranger.certificate.subject
        end = timezone.now() - timedelta(minutes=1)
        stranger.write_pair(pair, str(kvm.uuid), HOST, begin=end - timedelta(days=1), end=end)
    else:
        Authority().write_pair(pair, str(kvm.uuid), HOST)

    with caplog.at_level(logging.WARNING), pytest.raises((ssl.SSLError, ConnectionError, ValueError, IndexError)):
        ask("/agent/v1/report", {**REPORT, "host": str(kvm.uuid)}, pair=pair)

    why = {"expired": "certificate has expired", "of another authority": ""}[how]
    until(lambda: f"refused: a connection from 127.0.0.1: {why}" in caplog.text)
    assert Host.all_tenants.get(pk=kvm.pk).last_pinged is None


def test_the_key_of_the_authority_lies_sealed_in_the_database_and_readable_by_nobody_else_on_disk(db):
    held = FILES.credentials()

    assert "PRIVATE KEY" not in authority.current().key
    assert "PRIVATE KEY" not in Certificate.objects.get(role="manager").key
    assert held.pair.stat().st_mode & 0o777 == 0o600
    assert held.pair.parent.stat().st_mode & 0o777 == 0o700


def test_the_managers_certificate_is_made_anew_when_two_thirds_of_its_life_are_over(db):
    first = authority.ensure_own()
    assert authority.ensure_own() == first
    old = timezone.now() - timedelta(days=731)  # of 1096
    Certificate.objects.filter(pk=first.pk).update(created=old)

    second = authority.ensure_own()

    assert second.pk != first.pk
    FILES.forget()
    assert second.certificate in FILES.credentials().pair.read_text()


def test_there_is_one_authority_however_many_ask_first(db):
    assert authority.current() == authority.current()
    assert authority.bundle().count("BEGIN CERTIFICATE") == 1
