"""Host names: made up if none is given, and unique in each network that the machine is in."""

import uuid

from apps.core.errors import InvalidParameter
from apps.machines.models import Nic
from apps.network.models import Network


def made_up() -> str:
    return f"VM-{uuid.uuid4()}"


def check(name: str, networks: list[Network], besides: int | None = None) -> None:
    """Compared exactly, as the name server of a network does not: "Web" and "web" are two names here."""
    if not networks:
        return
    others = Nic.all_tenants.filter(network__in=networks, vm__name=name, vm__removed=None).exclude(vm=besides)
    if name in others.values_list("vm__name", flat=True):
        raise InvalidParameter(f"name: there is an instance named {name} in one of its networks already")
