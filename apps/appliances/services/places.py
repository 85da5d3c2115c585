"""What keeps infrastructure from going."""

from typing import Any

from django.db.models import F

from apps.infrastructure.models import Host, Zone
from apps.machines.models import VirtualMachine


def in_use(row: Any) -> str:
    if isinstance(row, Host):
        return "machines on it" if VirtualMachine.all_tenants.filter(host=row).exists() else ""
    if isinstance(row, Zone):
        return "machines" if VirtualMachine.all_tenants.filter(zone=row).exists() else ""
    return ""


def stays(host: Host) -> str:
    """Machines of users: nothing moves a running one yet."""
    users = VirtualMachine.all_tenants.filter(host=host, kind=VirtualMachine.Kind.USER)
    return "instances of users" if users.exists() else ""


def has_room_elsewhere(vm: VirtualMachine) -> bool:
    """Before a machine is taken down to be moved: placement decides when it comes up again."""
    hosts = Host.all_tenants.filter(zone=vm.zone_id, hypervisor=vm.hypervisor, status="Up", resource_state="Enabled")
    room = hosts.filter(
        memory_mib_used__lte=F("memory_mib_capacity") - vm.memory_mib,
        cpu_mhz_used__lte=F("cpu_mhz_capacity") - vm.cpus * vm.speed_mhz,
        guests__lt=F("max_guests"),
    )
    return room.exclude(pk=vm.host_id).exists()
