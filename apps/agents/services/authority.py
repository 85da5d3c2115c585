"""The product's own authority: it signs for the manager and for hosts, for nobody else, and takes back."""

from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.utils import timezone

from apps.agents.models import Authority, Certificate
from apps.core import secret
from apps.core.errors import InvalidParameter
from apps.core.retry import atomically
from apps.core.settings import Setting

VALIDITY = Setting(
    "ca.framework.cert.validity.period", 365, help_text="Days for which a certificate of a host is good.", minimum=1
)
LIFE = timedelta(days=3650)  # of the authority
SKEW = timedelta(hours=1)  # by which the clock of a host may be behind
RENEW_AFTER = 2 / 3  # of the life of a certificate, as hosts do
MANAGER = "manager"
R = Certificate.Role


def current() -> Authority:
    """The one that signs; made when it is asked for first."""
    found = Authority.objects.order_by("-number").first()
    if found is None:
        Authority.objects.bulk_create([_new()], ignore_conflicts=True)  # of two at once the first one's counts
        found = Authority.objects.order_by("-number")[0]
    return found


def bundle() -> str:
    """The certificates that are believed, the signing one first."""
    current()
    return "".join(Authority.objects.order_by("-number").values_list("certificate", flat=True))


def fingerprint() -> str:
    return x509.load_pem_x509_certificate(current().certificate.encode()).fingerprint(hashes.SHA256()).hex()


def _new() -> Authority:
    key, now = ec.generate_private_key(ec.SECP256R1()), timezone.now()
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    certificate = (
        _builder(key.public_key(), _name("cloudportal"), _name("cloudportal"), now + LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(number=1, certificate=_pem(certificate), key=secret.seal(_key_pem(key)))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(public_key: Any, subject: x509.Name, issuer: x509.Name, until: datetime) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(timezone.now() - SKEW).not_valid_after(until)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain).decode()


def sign(*, public_key: Any, role: str, bearer: str, key: str = "") -> Certificate:
    """The names are ours, whatever a request says. ``key`` is the sealed one, if it is ours too."""
    authority, until = current(), timezone.now() + timedelta(days=VALIDITY.value())
    signing: Any = serialization.load_pem_private_key(secret.unseal(authority.key).encode(), None)
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    names = [x509.DNSName(bearer), x509.UniformResourceIdentifier(f"urn:cloudportal:{role}")]
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
    made = (
        _builder(public_key, _name(bearer), issuer.subject, min(until, issuer.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(by, critical=False)
        .sign(signing, hashes.SHA256())
    )
    return Certificate.objects.create(
        serial=f"{made.serial_number:X}",
        role=role,
        bearer=bearer,
        certificate=_pem(made),
        key=key,
        expires=made.not_valid_after_utc,
    )


def sign_request(csr: str, host: str) -> Certificate:
    """For the key of a request, which must have been made by who has that key."""
    try:
        request = x509.load_pem_x509_csr(csr.encode())
    except ValueError as error:
        raise InvalidParameter("csr: this is no request for a certificate") from error
    if not request.is_signature_valid:
        raise InvalidParameter("csr: the request is not signed by its key")
    return sign(public_key=request.public_key(), role=R.HOST, bearer=host)


@atomically
def ensure_own() -> Certificate:
    """The manager's own, all managers' of this database; another one when two thirds of its life are over."""
    rows = Certificate.objects.filter(role=R.MANAGER, revoked=None, expires__gt=timezone.now())
    found = rows.order_by("-expires", "-pk").first()
    if found and timezone.now() < found.created + (found.expires - found.created) * RENEW_AFTER:
        return found
    key = ec.generate_private_key(ec.SECP256R1())
    return sign(public_key=key.public_key(), role=R.MANAGER, bearer=MANAGER, key=secret.seal(_key_pem(key)))


def revoked() -> frozenset[str]:
    """Serial numbers of what was taken back and would be good otherwise."""
    rows = Certificate.objects.filter(revoked__isnull=False, expires__gt=timezone.now())
    return frozenset(rows.values_list("serial", flat=True))


@atomically
def revoke(**which: Any) -> int:
    return Certificate.objects.filter(revoked=None, **which).update(revoked=timezone.now())
