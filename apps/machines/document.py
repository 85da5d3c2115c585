"""The section of a network's document that machines make: who gets which address by DHCP, under which name."""

from typing import Any

from django.db.models import QuerySet

from apps.machines.models import Nic, VirtualMachine


def dhcp(network: int) -> list[dict[str, Any]]:
    rows = Nic.all_tenants.filter(network=network).exclude(ip=None).order_by("pk")
    return [
        {"mac": mac, "ip": ip, "name": name, "default": default}
        for mac, ip, name, default in rows.values_list("mac", "ip", "vm__name", "is_default")
    ]


def busy() -> QuerySet:
    """Keys of networks in which a machine runs, or begins to."""
    return Nic.all_tenants.filter(vm__state__in=("Running", "Starting", "Stopping")).values("network")


def used_by(network: Any, account: int) -> bool:
    return Nic.all_tenants.filter(network=network, vm__owner=account).exists()


def in_use(network: Any) -> str:
    return "instances in it" if Nic.all_tenants.filter(network=network).exists() else ""


def zones_of(account: Any) -> QuerySet:
    return VirtualMachine.all_tenants.filter(VirtualMachine.named, owner=account).values("zone")
