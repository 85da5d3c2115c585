from typing import Any

from apps.accounts.commands.responses import KeyPairResponse, NewKeyPairResponse, RegisteredKeyPairResponse
from apps.accounts.models import Account, SshKeyPair
from apps.accounts.services import key_pairs
from apps.core.callers import USER
from apps.core.commands import Command, command
from apps.core.lists import OwnedListCommand
from apps.core.refs import Owner
from apps.core.wire import Str


@command("createSSHKeyPair", roles=USER, event="REGISTER.SSH.KEYPAIR", response=NewKeyPairResponse)
class CreateSSHKeyPair(Command):
    """Makes a key pair; the private half is in this answer and nowhere else."""

    name = Str(required=True, help_text="name of the pair, unique for its owner")
    owner = Owner()

    def run(self, owner: Account, name: str) -> SshKeyPair:
        row, self.private_key = key_pairs.create(owner=owner, name=name)
        return row

    def secrets(self, row: SshKeyPair) -> dict[str, str]:
        return {"privatekey": self.private_key}


@command("registerSSHKeyPair", roles=USER, event="REGISTER.SSH.KEYPAIR", response=RegisteredKeyPairResponse)
class RegisterSSHKeyPair(Command):
    """Registers the public half of a key pair that the caller has."""

    name = Str(required=True, help_text="name of the pair, unique for its owner")
    publickey = Str(required=True, length=5120, source="public_key", help_text="the public key in OpenSSH form")
    owner = Owner()

    def run(self, owner: Account, name: str, public_key: str) -> SshKeyPair:
        return key_pairs.register(owner=owner, name=name, public_key=public_key)


@command("deleteSSHKeyPair", roles=USER, event="REGISTER.SSH.KEYPAIR", response=None)
class DeleteSSHKeyPair(Command):
    """Deletes a key pair by its name; machines that have the key keep it."""

    name = Str(required=True, help_text="name of the pair")
    owner = Owner()

    def run(self, owner: Account, name: str) -> None:
        key_pairs.delete(owner=owner, name=name)


@command("listSSHKeyPairs", roles=USER, response=KeyPairResponse)
class ListSSHKeyPairs(OwnedListCommand):
    """Lists SSH key pairs."""

    model = "accounts.SshKeyPair"
    keyword_in = ("name", "fingerprint")
    taggable = False
    filters: dict[str, Any] = {"name": "name", "fingerprint": "fingerprint"}
