"""What the wire calls a kind of row: ``resourcetype`` of events and jobs. Our models have the field's words."""

from typing import Any

CALLED = {
    "IpRange": "VlanIpRange",
    "OsCategory": "GuestOsCategory",
    "OsType": "GuestOs",
    "PublicAddress": "IpAddress",
    "RouterMachine": "DomainRouter",
    "Rule": "FirewallRule",
    "ServiceProvider": "PhysicalNetworkServiceProvider",
    "SystemMachine": "SystemVm",
}


def resource_type(model: Any) -> str:
    """Of a row or its class; one that is several kinds at once says ``wire_kind`` itself."""
    name = (model if isinstance(model, type) else type(model)).__name__
    return getattr(model, "wire_kind", "") or CALLED.get(name, name)
