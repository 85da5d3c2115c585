"""Security groups of machines: which ones a machine is in. Their rules are the firewall's."""

from collections.abc import Iterable, Sequence
from typing import Any

from apps.core.errors import InvalidParameter
from apps.core.retry import atomically
from apps.firewall.models import Member, SecurityGroup
from apps.firewall.services import security_groups
from apps.machines.models import VirtualMachine
from apps.network.models import Network

S = VirtualMachine.State


def chosen(owner: Any, groups: Sequence[SecurityGroup], names: Sequence[str]) -> list[SecurityGroup]:
    """By ids or by names, of the machine's owner."""
    if groups and names:
        raise InvalidParameter("securitygroupids and securitygroupnames cannot be given together")
    for group in groups:
        if group.owner_id != owner.pk:
            raise InvalidParameter(f"securitygroupids: group {group.uuid} is of another account than the instance")
    found = list(groups) or [security_groups.find(owner=owner, name=name) for name in names]
    return list(dict.fromkeys(found))


def join(vm: VirtualMachine, groups: Sequence[SecurityGroup], networks: Iterable[Network]) -> None:
    """A machine in a network with security groups is in some: in the default one of its owner if none was said."""
    if not any("SecurityGroup" in network.offering.services for network in networks):
        if groups:
            raise InvalidParameter("securitygroupids: no network of the instance has security groups")
        return
    security_groups.join(vm=vm, groups=groups or [security_groups.default_group(vm.owner)])


@atomically
def replace(vm: VirtualMachine, groups: Sequence[SecurityGroup], names: Sequence[str]) -> None:
    if vm.state != S.STOPPED:
        raise InvalidParameter(f"id: instance {vm.uuid} is {vm.state}: stop it before changing its security groups")
    wanted = chosen(vm.owner, groups, names)
    networks = Network.all_tenants.filter(nics__vm=vm, nics__removed=None).select_related("offering")
    Member.objects.filter(vm=vm).delete()
    join(vm, wanted, networks)
