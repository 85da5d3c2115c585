"""What agents ask of the manager: ``docs/agent.md``. Who is not one of our hosts is turned away and written down."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apps.agents.models import Certificate
from apps.agents.services import authority, enrolment, reports
from apps.core.errors import CloudError
from apps.infrastructure.models import Host

log = logging.getLogger(__name__)
ROLE = "urn:cloudportal:host"
MOST = 8 << 20  # bytes of a request
Answer = tuple[int, dict[str, Any]]


class Stranger(Exception):
    """Why somebody is not believed."""


@dataclass(frozen=True)
class Asked:
    path: str
    peer: dict[str, Any]  # the certificate, checked by TLS; empty if there is none
    body: dict[str, Any]
    source: str  # address


def answer(asked: Asked) -> Answer:
    work = PATHS.get(asked.path)
    if work is None:
        return 404, {"error": "there is nothing here"}
    try:
        return 200, work(asked)
    except Stranger as error:
        log.warning("refused: %s from %s: %s", asked.path, asked.source, error)
        return 403, {"error": str(error)}
    except CloudError as error:
        log.warning("refused: %s from %s: %s", asked.path, asked.source, error)
        return 400, {"error": str(error)}


def _authority(asked: Asked) -> dict[str, Any]:
    return {"ca": authority.bundle()}


def _enrol(asked: Asked) -> dict[str, Any]:
    host, certificate = enrolment.enrol(_text(asked, "token"), _text(asked, "csr"))
    log.info("host %s enrolled from %s", host, asked.source)
    return {"host": host, "certificate": certificate, "ca": authority.bundle()}


def _renew(asked: Asked) -> dict[str, Any]:
    host = _host(asked)
    signed = authority.sign_request(_text(asked, "csr"), str(host.uuid))
    return {"certificate": signed.certificate, "ca": authority.bundle()}


def _report(asked: Asked) -> dict[str, Any]:
    host = _host(asked)
    if asked.body.get("host") != str(host.uuid):
        raise Stranger(f"host {host.uuid} reports as {str(asked.body.get('host'))[:64]}")
    reports.take(host, asked.body)
    return {"revoked": sorted(authority.revoked())}


def _host(asked: Asked) -> Host:
    """The one whose certificate this is: signed by us, not taken back, of a host that we have."""
    names = asked.peer.get("subjectAltName", ())
    bearer = dict(names).get("DNS", "")
    if ("URI", ROLE) not in names:
        raise Stranger(f"the certificate of {bearer or 'nobody'} is not one of a host")
    serial = str(asked.peer.get("serialNumber", "")).upper().lstrip("0")
    known = Certificate.objects.filter(serial=serial, role=Certificate.Role.HOST, bearer=bearer).first()
    if known is None or known.revoked:
        raise Stranger(f"certificate {serial} of host {bearer} {'was revoked' if known else 'is not known'}")
    host = Host.all_tenants.select_related("zone").filter(uuid=bearer).first()
    if host is None:
        raise Stranger(f"host {bearer} is none of ours, or was not added yet")
    return host


def _text(asked: Asked, name: str) -> str:
    found = asked.body.get(name)
    if not isinstance(found, str):
        raise Stranger(f"the request has no {name}")
    return found


PATHS: dict[str, Callable[[Asked], dict[str, Any]]] = {
    "/agent/v1/ca": _authority,
    "/agent/v1/enrol": _enrol,
    "/agent/v1/renew": _renew,
    "/agent/v1/report": _report,
}
