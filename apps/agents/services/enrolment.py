"""How a host gets its certificate: for a secret that is good once. The secret says which host it is, and comes with the
fingerprint of the authority, so that nobody between can pretend to be the manager.
"""

import hashlib
import secrets
import uuid
from datetime import timedelta

from django.utils import timezone

from apps.agents.models import Enrolment
from apps.agents.services import authority
from apps.core.errors import PermissionDenied
from apps.core.retry import atomically
from apps.infrastructure.models import Host

GOOD_FOR = timedelta(hours=24)


def invite(host: str = "", good_for: timedelta = GOOD_FOR) -> tuple[str, str]:
    """The uuid that the host will have, and its token: FINGERPRINT.SECRET."""
    host, word = host or str(uuid.uuid4()), secrets.token_urlsafe(32)
    fingerprint = authority.fingerprint()
    Enrolment.objects.create(secret=_digest(word), host=host, expires=timezone.now() + good_for)
    return host, f"{fingerprint}.{word}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@atomically
def enrol(word: str, csr: str) -> tuple[str, str]:
    """Uuid and certificate of the host. The same request with the same secret again gets the same answer: the first
    one may have been lost.
    """
    row = Enrolment.objects.select_for_update().filter(secret=_digest(word), expires__gt=timezone.now()).first()
    if row is None or (row.request and row.request != _digest(csr)):
        raise PermissionDenied("this token is not good, was used, or has expired")
    if row.certificate is None:
        row.certificate = authority.sign_request(csr, str(row.host))
        row.request = _digest(csr)
        row.save(update_fields=["certificate", "request"])
    return str(row.host), row.certificate.certificate


def of_token(token: str) -> Enrolment | None:
    """Of a host that has enrolled with this token and was not added yet."""
    rows = Enrolment.objects.filter(secret=_digest(token.strip().partition(".")[2]), expires__gt=timezone.now())
    found = rows.exclude(certificate=None).first()
    return None if found and Host.including_removed.filter(uuid=found.host).exists() else found


@atomically
def give_up(host: str) -> None:
    """It is no host of ours, and will not be one."""
    Enrolment.objects.filter(host=host).delete()
    authority.revoke(role=authority.R.HOST, bearer=host)
