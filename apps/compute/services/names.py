"""Host names: made up if none is given, and unique in each network that the machine is in."""

from collections.abc import Iterable
from typing import Any

from apps.core.errors import InvalidParameter
from apps.machines.models import Nic
from apps.network.models import Network


def made_up(uuid: Any) -> str:
    return f"VM-{uuid}"


def check(name: str, networks: Iterable[Network], besides: int) -> None:
    """Compared without case, as name servers do. Whoever calls this has changed the rows of the networks in the same
    transaction, so that of two machines with one name the second sees the first.
    """
    others = Nic.all_tenants.filter(network__in=list(networks), vm__name__iexact=name).exclude(vm=besides)
    if others.exists():
        raise InvalidParameter(f"name: there is an instance named {name} in one of its networks already")
