"""How a host becomes ours: it makes its key, and gets a certificate for a token that is good once. The token carries
the fingerprint of the authority, so that nobody between can pretend to be the manager.
"""

import json
import ssl
import threading
import time
from pathlib import Path
from typing import Any

from agent.http import client
from agent.http.errors import AgentError, Busy, Invalid, Refused
from agent.http.identity import Identity, new_key, request_for, write_private
from agent.http.log import Log

CHECK_EVERY = 3600.0


def fingerprint(authority: str) -> str:
    """Of the first certificate in the text."""
    import hashlib  # for this once

    first = authority.partition("-----END CERTIFICATE-----")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert((first[0] + first[1]).strip())).hexdigest()


def enrol(identity: Identity, manager: str, token: str, facts: dict[str, Any]) -> str:
    """Ensure this host has a certificate; returns its uuid. ``token`` is FINGERPRINT.SECRET."""
    expected, dot, secret = token.strip().partition(".")
    if not dot or len(expected) != 64:
        raise Invalid("the token is not one of an enrolment: FINGERPRINT.SECRET")
    identity.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    key, csr = _pending(identity.state)
    try:
        authority = _text(client.unverified(manager, "/agent/v1/ca"), "ca")
        if fingerprint(authority) != expected:
            raise Refused(f"{manager} has another authority than the token says: this is not our manager")
        body = {"token": secret, "csr": csr, "facts": facts}
        answer = client.trusting(manager, authority, "/agent/v1/enrol", body)
    except OSError as error:
        raise Busy(f"the manager at {manager} cannot be reached: {error}") from error
    identity.save(key=key, certificate=_text(answer, "certificate"), authority=_text(answer, "ca"))
    identity.save_enrolment(_text(answer, "host"), manager)
    (identity.state / "new.json").unlink(missing_ok=True)
    return _text(answer, "host")


def _pending(state: Path) -> tuple[str, str]:
    """Key and request, the same again after an answer that was lost: by that the manager knows who asks again."""
    path = state / "new.json"
    if not path.exists():
        key = new_key()
        write_private(path, json.dumps({"key": key, "csr": request_for(key, "host")}))
    said = json.loads(path.read_text())
    return said["key"], said["csr"]


def _text(answer: Any, name: str) -> str:
    if not isinstance(answer, dict) or not isinstance(answer.get(name), str):
        raise Refused(f"the answer of the manager has no {name}")
    return str(answer[name])


def renew(identity: Identity) -> None:
    """A new key and certificate, asked for with the old one."""
    said = identity.enrolled
    key = new_key()
    answer = client.post(identity, said["manager"], "/agent/v1/renew", {"csr": request_for(key, said["host"])})
    identity.save(key=key, certificate=_text(answer, "certificate"), authority=_text(answer, "ca"))


def keep_renewed(identity: Identity, log: Log, stop: threading.Event) -> None:
    """A thread of its own."""
    while not stop.is_set():
        try:
            if identity.must_renew():
                renew(identity)
                log("certificate renewed", until=time.strftime("%Y-%m-%d", time.gmtime(identity.expires()[1])))
        except AgentError as error:
            log("certificate not renewed", error=str(error))
        stop.wait(CHECK_EVERY)
