"""A certificate authority as the product will have one, as small as tests need it."""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

MANAGER, HOST = "urn:cloudportal:manager", "urn:cloudportal:host"
DAY = datetime.timedelta(days=1)


def now():
    return datetime.datetime.now(datetime.UTC)


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key):
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, plain).decode()


class Authority:
    def __init__(self, title="cloudportal"):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = name(title)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self.certificate = (
            self._builder(self.name, self.key.public_key(), now() - DAY, now() + 3650 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        self.pem = pem(self.certificate)

    def _builder(self, subject, public_key, begin, end):
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
        )

    def sign(self, public_key, bearer, role, begin=None, end=None):
        """The names are the authority's, whatever a request says."""
        names = [x509.DNSName(bearer), x509.UniformResourceIdentifier(role)]
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            self._builder(name(bearer), public_key, begin or now() - DAY, end or now() + 30 * DAY)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(authority, critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def sign_request(self, csr, bearer, role=HOST, **validity):
        request = x509.load_pem_x509_csr(csr.encode())
        assert request.is_signature_valid
        return pem(self.sign(request.public_key(), bearer, role, **validity))

    def pair(self, bearer, role, **validity):
        """A new key and its certificate, as one text; and the serial number as ``ssl`` says it."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.sign(key.public_key(), bearer, role, **validity)
        return key_pem(key) + pem(certificate), f"{certificate.serial_number:X}"

    def write_pair(self, path, bearer, role, **validity):
        text, serial = self.pair(bearer, role, **validity)
        Path(path).write_text(text)
        return serial
