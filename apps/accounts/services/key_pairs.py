"""SSH key pairs: the public halves that machines trust."""

import base64
import binascii
import hashlib
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.db import IntegrityError, transaction

from apps.accounts.models import Account, SshKeyPair
from apps.core.errors import InvalidParameter
from apps.core.ownership import admit, release
from apps.core.retry import atomically

KINDS = ("ssh-rsa", "ssh-dss", "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
BITS = 2048


def create(*, owner: Account, name: str) -> tuple[SshKeyPair, str]:
    """A new pair and, this once, its private half in PEM."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    ssh = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    row = register(owner=owner, name=name, public_key=private.public_key().public_bytes(*ssh).decode())
    return row, private.private_bytes(*pem).decode()


@atomically
def register(*, owner: Account, name: str, public_key: str) -> SshKeyPair:
    values = {"name": name, "public_key": public_key.strip(), "fingerprint": fingerprint(public_key)}
    if SshKeyPair.objects.owned_by(owner).filter(fingerprint=values["fingerprint"]).exists():
        raise InvalidParameter("publickey: a key pair with this key already exists")
    try:
        with transaction.atomic():
            return admit(SshKeyPair, owner, **values)
    except IntegrityError:
        raise InvalidParameter(f"A key pair with name '{name}' already exists.") from None


def fingerprint(public_key: str) -> str:
    """MD5 of the key blob in the colon form of OpenSSH; refuses what is no public key (RFC 4253, section 6.6)."""
    words = public_key.split()
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error):
        raise InvalidParameter("publickey: not a public key in OpenSSH form") from None
    length = int.from_bytes(blob[:4], "big")
    if words[0] not in KINDS or blob[4 : 4 + length] != words[0].encode():
        raise InvalidParameter("publickey: not a public key in OpenSSH form")
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[i : i + 2] for i in range(0, 32, 2))


@atomically
def delete(*, owner: Account, name: str) -> None:
    release(find(owner=owner, name=name))


def find(*, owner: Account, name: str) -> Any:
    """By name among the owner's: another's is as unknown as none."""
    row = SshKeyPair.objects.owned_by(owner).filter(name=name).first()
    if row is None:
        raise InvalidParameter(
            f"A key pair with name '{name}' does not exist for account {owner.name} in specified domain id",
            uuids={"domainId": owner.domain.uuid},
        )
    return row
