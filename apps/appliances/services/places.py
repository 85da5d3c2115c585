"""What keeps infrastructure from going, and how hosts are emptied of machines of the system."""

from typing import Any

from apps.appliances.services import machines
from apps.infrastructure.models import Host, Zone
from apps.machines.models import VirtualMachine

K = VirtualMachine.Kind


def in_use(row: Any) -> str:
    if isinstance(row, Host):
        return "machines on it" if VirtualMachine.all_tenants.filter(host=row).exists() else ""
    if isinstance(row, Zone):
        return "machines" if VirtualMachine.all_tenants.filter(zone=row).exists() else ""
    return ""


def evacuate(host: Host) -> bool:
    """Machines of the system are taken down; they come up elsewhere when they are needed or looked after next."""
    for vm in VirtualMachine.all_tenants.filter(host=host).exclude(kind=K.USER):
        machines.take_down(vm)
        if vm.kind == K.ROUTER:
            machines.bring_up(vm)
    return not VirtualMachine.all_tenants.filter(host=host).exists()
