"""Passwords of machines whose template takes one: made up, sealed, told once."""

import secrets
import string
from base64 import b64encode
from contextlib import suppress

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from apps.compute.services import details
from apps.core import secret
from apps.core.errors import InvalidParameter
from apps.core.models import Detail
from apps.core.retry import atomically
from apps.core.settings import Setting
from apps.images.models import Template
from apps.machines.models import VirtualMachine

LENGTH = Setting("vm.password.length", 6, help_text="Characters of a password that is made up.", minimum=6, maximum=255)
EASY = "".join(set(string.ascii_letters + string.digits) - set("0O1lI"))


def sealed_for(template: Template, chosen: str | None = None) -> str:
    """The sealed password for a machine of this template; "" if it takes none."""
    if not template.password_enabled:
        if chosen:
            raise InvalidParameter(f"password: template {template.name} does not take passwords")
        return ""
    return secret.seal(chosen or made_up())


def made_up() -> str:
    return "".join(secrets.choice(EASY) for _ in range(LENGTH.value()))


def told(vm: VirtualMachine) -> dict[str, str]:
    """For the one answer that tells it."""
    return {"password": secret.unseal(vm.password)} if vm.password else {}


@atomically
def fetched(vm: VirtualMachine) -> None:
    """The machine has it: nobody needs it any more, but who has its key may still ask."""
    with suppress(InvalidParameter):
        details.put(vm, details.PASSWORD, encrypted(vm), display=False)
    VirtualMachine.all_tenants.filter(pk=vm.pk, password=vm.password).update(password="")


def encrypted(vm: VirtualMachine) -> str:
    """For the holder of the machine's SSH key only: RSA keys encrypt, others cannot."""
    kept = Detail.objects.filter(kind=details.KIND, row_id=vm.pk, name=details.PASSWORD).values_list("value", flat=True)
    if not vm.password and kept:
        return kept[0]
    keys = Detail.objects.filter(kind=details.KIND, row_id=vm.pk, name=details.PUBLIC_KEY).values_list(
        "value", flat=True
    )
    if not vm.password or not keys:
        raise InvalidParameter(f"id: instance {vm.uuid} has no password, or no SSH key to encrypt it with")
    try:
        public = load_ssh_public_key(keys[0].splitlines()[0].encode())
    except (UnsupportedAlgorithm, ValueError):
        public = None
    if not isinstance(public, RSAPublicKey):
        raise InvalidParameter(f"id: the SSH key of instance {vm.uuid} is no RSA key and encrypts nothing")
    return b64encode(public.encrypt(secret.unseal(vm.password).encode(), PKCS1v15())).decode()
