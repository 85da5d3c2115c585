"""What keeps infrastructure from going."""

from typing import Any

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
