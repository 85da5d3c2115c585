"""The offerings of a fresh installation. Names and texts are those that clients' scripts look for."""

from typing import Any

from apps.core.retry import atomically
from apps.core.seeds import seed
from apps.offerings.models import DiskOffering, NetworkOffering, Offering, ServiceOffering, VpcOffering
from apps.offerings.network_services import CHOICES, PROVIDERS

GIB = 1 << 30
SYSTEM = (
    ("domainrouter", "System Offering For Software Router", 500, 256),
    ("secondarystoragevm", "System Offering For Secondary Storage VM", 500, 512),
    ("consoleproxy", "System Offering For Console Proxy", 500, 1024),
    ("internalloadbalancervm", "System Offering For Internal LB VM", 256, 256),
)


def once(model: type[Offering], unique: str, **values: Any) -> None:
    """What was withdrawn stays withdrawn."""
    if not model.including_removed.filter(unique_name=unique).exists():
        values.setdefault("display_text", values["name"])
        model(unique_name=unique, **values).save()


@seed("offerings.service")
@atomically
def service_offerings() -> None:
    for name, mhz, mib in (("Small Instance", 500, 512), ("Medium Instance", 1000, 1024)):
        once(ServiceOffering, name, name=name, cpus=1, speed_mhz=mhz, memory_mib=mib)
    for kind, name, mhz, mib in SYSTEM:
        once(
            ServiceOffering,
            f"system-{kind}",
            name=name,
            cpus=1,
            speed_mhz=mhz,
            memory_mib=mib,
            is_system=True,
            system_vm_type=kind,
            is_default_use=True,
            offer_ha=True,
        )


@seed("offerings.disk")
@atomically
def disk_offerings() -> None:
    for name, size in (("Small", 5), ("Medium", 20), ("Large", 100)):
        once(DiskOffering, name, name=name, display_text=f"{name} Disk, {size} GB", size_bytes=size * GIB)
    once(DiskOffering, "Custom", name="Custom", display_text="Custom Disk", size_bytes=None, customized=True)


ROUTER, VPC_ROUTER = "VirtualRouter", "VpcVirtualRouter"
_GUEST = ("Dhcp", "Dns", "UserData")
_WHOLE = (*_GUEST, "Firewall", "Gateway", "Lb", "PortForwarding", "SourceNat", "StaticNat", "Vpn")
_TIER = (*_GUEST, "Gateway", "Lb", "NetworkACL", "PortForwarding", "SourceNat", "StaticNat", "Vpn")


def by(provider: str, names: tuple[str, ...], **others: str) -> dict[str, list[str]]:
    return {name: [provider] for name in names} | {name: [other] for name, other in others.items()}


ISOLATED = {"guest_ip_type": "Isolated"}
TIER = ISOLATED | {"for_vpc": True, "conserve_mode": False}
SHARED = {"guest_ip_type": "Shared", "specify_vlan": True, "specify_ip_ranges": True}
LAYER2 = {"guest_ip_type": "L2"}
OF_VPC = "DefaultIsolatedNetworkOfferingForVpcNetworks"
EIP = {"Lb": {"ElasticLb": "true"}, "StaticNat": {"ElasticIp": "true", "AssociatePublicIP": "true"}}
CONFIG_DRIVE = {"UserData": ["ConfigDrive"]}

NETWORKS: tuple[tuple[str, str, dict[str, list[str]], dict[str, Any]], ...] = (
    (
        "DefaultIsolatedNetworkOfferingWithSourceNatService",
        "Offering for Isolated networks with Source Nat service enabled",
        by(ROUTER, _WHOLE),
        ISOLATED | {"availability": "Required"},
    ),
    (
        "DefaultIsolatedNetworkOffering",
        "Offering for Isolated networks with no Source Nat service",
        by(ROUTER, _GUEST),
        ISOLATED | {"specify_vlan": True, "specify_ip_ranges": True},
    ),
    (OF_VPC, "Offering for Isolated Vpc networks with Source Nat service enabled", by(VPC_ROUTER, _TIER), TIER),
    (
        f"{OF_VPC}NoLB",
        "Offering for Isolated Vpc networks with Source Nat service enabled and LB service disabled",
        by(VPC_ROUTER, tuple(name for name in _TIER if name != "Lb")),
        TIER,
    ),
    (
        f"{OF_VPC}WithInternalLB",
        "Offering for Isolated Vpc networks with Internal Lb support",
        by(VPC_ROUTER, tuple(name for name in _TIER if name not in ("Lb", "StaticNat", "Vpn")), Lb="InternalLbVm"),
        TIER | {"capabilities": {"Lb": {"LbSchemes": "internal"}}},
    ),
    ("DefaultSharedNetworkOffering", "Offering for Shared networks", by(ROUTER, _GUEST), SHARED),
    (
        "DefaultSharedNetworkOfferingWithSGService",
        "Offering for Shared Security group enabled networks",
        by(ROUTER, _GUEST, SecurityGroup="SecurityGroupProvider"),
        SHARED,
    ),
    (
        "DefaultSharedNetscalerEIPandELBNetworkOffering",
        "Offering for Shared networks with Elastic IP and Elastic LB capabilities",
        by(ROUTER, _GUEST, SecurityGroup="SecurityGroupProvider", Lb="Netscaler", StaticNat="Netscaler"),
        SHARED | {"capabilities": EIP},
    ),
    ("DefaultL2NetworkOffering", "Offering for L2 networks", {}, LAYER2),
    ("DefaultL2NetworkOfferingVlan", "Offering for L2 networks VLAN", {}, LAYER2 | {"specify_vlan": True}),
    (
        "DefaultL2NetworkOfferingConfigDrive",
        "Offering for L2 networks with config drive user data",
        CONFIG_DRIVE,
        LAYER2,
    ),
    (
        "DefaultL2NetworkOfferingConfigDriveVlan",
        "Offering for L2 networks with config drive user data VLAN",
        CONFIG_DRIVE,
        LAYER2 | {"specify_vlan": True},
    ),
    ("QuickCloudNoServices", "Offering for QuickCloud with no services", {}, SHARED | {"specify_vlan": False}),
)


def capabilities_of(services: dict[str, list[str]], said: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    defaults = {s: {n: values[0] for n, values in CHOICES[s].items()} for s in services if s in CHOICES}
    return {service: values | said.get(service, {}) for service, values in defaults.items()}


@seed("offerings.network")
@atomically
def network_offerings() -> None:
    for name, text, services, more in NETWORKS:
        values = more | {"capabilities": capabilities_of(services, more.get("capabilities", {}))}
        once(
            NetworkOffering,
            name,
            name=name,
            display_text=text,
            services=services,
            state="Enabled",
            is_default=True,
            **values,
        )


@seed("offerings.vpc")
@atomically
def vpc_offerings() -> None:
    whole = by(VPC_ROUTER, PROVIDERS[VPC_ROUTER])
    netscaler = by(VPC_ROUTER, tuple(n for n in PROVIDERS[VPC_ROUTER] if n != "Lb"), Lb="Netscaler")
    inner = {**whole, "Lb": [VPC_ROUTER, "InternalLbVm"]}
    for name, services, more in (
        ("Default VPC offering", inner, {"is_default": True}),
        ("Default VPC  offering with Netscaler", {**netscaler, "Lb": ["Netscaler", "InternalLbVm"]}, {}),
        ("Redundant VPC offering", inner, {"is_default": True, "redundant": True}),
    ):
        said = {"SourceNat": {"RedundantRouter": "true"}} if more.get("redundant") else {}
        capabilities = capabilities_of(services, said)
        once(VpcOffering, name, name=name, services=services, capabilities=capabilities, state="Enabled", **more)
