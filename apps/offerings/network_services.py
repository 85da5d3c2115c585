"""What networks can be given: services, who provides which, and what can be said about each. Names are the wire's."""

from collections.abc import Iterable, Mapping, Sequence

from apps.core.errors import InvalidParameter

Services = dict[str, list[str]]
Capabilities = dict[str, dict[str, str]]

SERVICES = (
    "Vpn",
    "Dhcp",
    "Dns",
    "Gateway",
    "Firewall",
    "Lb",
    "UserData",
    "SourceNat",
    "StaticNat",
    "PortForwarding",
    "SecurityGroup",
    "NetworkACL",
    "Connectivity",
)
_NAT = ("Gateway", "Firewall", "SourceNat", "StaticNat", "PortForwarding")
_ROUTER = ("Vpn", "Dhcp", "Dns", "UserData", "Gateway", "Lb", "SourceNat", "StaticNat", "PortForwarding")
PROVIDERS: dict[str, tuple[str, ...]] = {
    "VirtualRouter": (*_ROUTER, "Firewall"),
    "VpcVirtualRouter": (*_ROUTER, "NetworkACL"),
    "InternalLbVm": ("Lb",),
    "SecurityGroupProvider": ("SecurityGroup",),
    "ConfigDrive": ("UserData", "Dhcp", "Dns"),
    "Netscaler": ("Lb", "StaticNat"),
    "F5BigIp": ("Lb",),
    "JuniperSRX": _NAT,
    "Ovs": ("Connectivity", "Lb", "SourceNat", "StaticNat", "PortForwarding"),
}
OF_VPCS = ("VpcVirtualRouter", "InternalLbVm", "Netscaler", "ConfigDrive", "Ovs")
BOOLEAN = ("true", "false")
# By service: the values each capability may have; the first is what holds if nothing is said.
CHOICES: dict[str, dict[str, tuple[str, ...]]] = {
    "SourceNat": {"SupportedSourceNatTypes": ("peraccount", "perzone"), "RedundantRouter": ("false", "true")},
    "StaticNat": {"ElasticIp": ("false", "true"), "AssociatePublicIP": ("false", "true")},
    "Lb": {
        "SupportedLBIsolation": ("dedicated", "shared"),
        "ElasticLb": ("false", "true"),
        "InlineMode": ("false", "true"),
        "LbSchemes": ("public", "internal"),
    },
    "Connectivity": {
        "StretchedL2Subnet": ("false", "true"),
        "RegionLevelVpc": ("false", "true"),
        "DistributedRouter": ("false", "true"),
    },
}


def services_of(
    supported: Sequence[str], records: Iterable[Mapping[str, str]], *, allowed: Sequence[str], default: str = ""
) -> Services:
    """Service -> providers, as the two parameters say; refuses what nobody provides."""
    services: Services = {known("supportedservices", name, SERVICES): [] for name in supported}
    for record in records:
        name = known("serviceproviderlist", record.get("service", ""), SERVICES)
        provider = known("serviceproviderlist", record.get("provider", ""), allowed)
        if name not in services:
            raise InvalidParameter(f"serviceproviderlist: service {name} is not one of supportedservices")
        if name not in PROVIDERS[provider]:
            raise InvalidParameter(f"serviceproviderlist: {provider} does not provide {name}")
        if provider not in services[name]:
            services[name].append(provider)
    for name, providers in services.items():
        if not providers and name in PROVIDERS.get(default, ()):
            providers.append(default)
        if not providers:
            raise InvalidParameter(f"serviceproviderlist: say who provides {name}")
    return services


def capabilities_of(services: Services, records: Iterable[Mapping[str, str]]) -> Capabilities:
    """What holds for each service: what was said, and the defaults of the rest."""
    found = {s: {n: v[0] for n, v in CHOICES[s].items()} for s in services if s in CHOICES}
    for record in records:
        service = known("servicecapabilitylist", record.get("service", ""), SERVICES)
        if service not in services:
            raise InvalidParameter(f"servicecapabilitylist: service {service} is not one of supportedservices")
        choices = CHOICES.get(service, {})
        name = known("servicecapabilitylist", record.get("capabilitytype", ""), tuple(choices))
        found[service][name] = known(f"servicecapabilitylist: {name}", record.get("capabilityvalue", ""), choices[name])
    return found


def known(parameter: str, text: str, names: Sequence[str]) -> str:
    """The spelling of the list."""
    found = next((name for name in names if name.lower() == text.lower()), None)
    if found is None:
        raise InvalidParameter(f"{parameter}: {text or 'nothing'} is none of {', '.join(names) or 'those it may be'}")
    return found
