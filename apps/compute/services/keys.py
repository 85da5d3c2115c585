"""SSH key pairs of machines: by name, of the machine's owner. The machine keeps the public keys, not the pairs."""

from collections.abc import Sequence
from typing import Any

from django.apps import apps

from apps.compute.services import details
from apps.core.errors import InvalidParameter
from apps.core.retry import atomically
from apps.machines.models import VirtualMachine

PAIRS = "accounts.SshKeyPair"


def details_for(owner: Any, names: Sequence[str]) -> dict[str, str]:
    """The details that a machine with these key pairs has."""
    wanted = list(dict.fromkeys(name for name in names if name))
    if not wanted:
        return {}
    pairs = apps.get_model(PAIRS).all_tenants.filter(owner=owner, name__in=wanted)
    found = dict(pairs.values_list("name", "public_key"))
    if missing := [name for name in wanted if name not in found]:
        raise InvalidParameter(f"keypairs: there is no key pair {', '.join(missing)}")
    return {details.KEYS: ",".join(wanted), details.PUBLIC_KEY: "\n".join(found[name].strip() for name in wanted)}


@atomically
def replace(vm: VirtualMachine, names: Sequence[str], owner: Any) -> None:
    values = details_for(owner, names)
    details.drop(vm, details.KEYS, details.PUBLIC_KEY, details.PASSWORD)
    details.store(vm, values, display=False)
