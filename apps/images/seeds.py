"""Guest systems, hypervisor capabilities and the templates of a fresh installation."""

from apps.accounts.models import Account
from apps.accounts.selectors import system_account
from apps.core.ownership import admit
from apps.core.retry import atomically
from apps.core.seeds import seed
from apps.images.models import HypervisorCapabilities, OsCategory, OsType, Template

BOTH = ("32-bit", "64-bit")


def _each(name: str, *versions: str, bits: tuple[str, ...] = BOTH) -> list[str]:
    return [f"{name} {version} ({width})" for version in versions for width in bits]


NEW = ("64-bit",)
GUESTS: dict[str, list[str]] = {
    "CentOS": [
        *_each("CentOS", "4.8", "5.3", "5.4", "5.5", "5.6", "6.5"),
        *_each("CentOS", "7", "8", "Stream 9", bits=NEW),
    ],
    "Debian": [*_each("Debian GNU/Linux", "5.0", "6", "7"), *_each("Debian GNU/Linux", "10", "11", "12", bits=NEW)],
    "Oracle": _each("Oracle Linux", "6", "7", "8", "9", bits=NEW),
    "RedHat": [
        *_each("Red Hat Enterprise Linux", "5.6", "6.5"),
        *_each("Red Hat Enterprise Linux", "7", "8", "9", bits=NEW),
    ],
    "SUSE": _each("SUSE Linux Enterprise Server", "11", "12", "15", bits=NEW),
    "Windows": [
        *_each("Windows", "7", "8", "10"),
        *_each("Windows Server 2008", "", bits=BOTH),
        *_each("Windows Server", "2012", "2016", "2019", "2022", bits=NEW),
        "Windows 11 (64-bit)",
    ],
    "Ubuntu": [
        *_each("Ubuntu", "10.04", "12.04", "14.04"),
        *_each("Ubuntu", "16.04 LTS", "18.04 LTS", "20.04 LTS", "22.04 LTS", "24.04 LTS", bits=NEW),
    ],
    "Rocky Linux": _each("Rocky Linux", "8", "9", bits=NEW),
    "AlmaLinux": _each("AlmaLinux", "8", "9", bits=NEW),
    "Unix": _each("FreeBSD", "10", "11", "12", "13"),
    "Other": ["Other Linux (32-bit)", "Other Linux (64-bit)", "Other (32-bit)", "Other (64-bit)", "None"],
}


@seed("images.guests")
@atomically
def guest_systems() -> None:
    categories = set(OsCategory.including_removed.values_list("name", flat=True))
    for name, types in GUESTS.items():
        if name in categories:
            continue
        (category := OsCategory(name=name)).save()
        for text in types:
            OsType(name=" ".join(text.split()), category=category).save()


# guests of a host, data volumes, hosts of a cluster, security groups, storage motion, snapshots of instances
CAPABILITIES: dict[str, tuple[int, int, int | None, bool, bool, bool]] = {
    "Simulator": (50, 6, None, True, True, True),
    "KVM": (100, 64, None, True, True, True),
    "XenServer": (500, 13, None, True, True, True),
    "VMware": (1024, 59, 32, False, True, True),
    "Hyperv": (1024, 64, None, False, False, False),
    "LXC": (50, 6, None, True, False, False),
    "Ovm": (25, 6, None, True, False, False),
    "Ovm3": (25, 6, None, True, False, False),
    "BareMetal": (1, 0, None, False, False, False),
}


@seed("images.capabilities")
@atomically
def capabilities() -> None:
    known = set(HypervisorCapabilities.including_removed.values_list("hypervisor", flat=True))
    names = ("max_guests", "max_data_volumes", "max_hosts_per_cluster")
    flags = ("security_groups", "storage_motion", "vm_snapshots")
    for hypervisor, values in CAPABILITIES.items():
        if hypervisor not in known:
            HypervisorCapabilities(hypervisor=hypervisor, **dict(zip((*names, *flags), values, strict=True))).save()


@seed("images.templates")
@atomically
def templates() -> None:
    """Copies are made where an image store is added."""
    try:
        owner = system_account()
    except Account.DoesNotExist:
        return  # the next run has it
    centos = OsType.all_tenants.filter(name="CentOS 5.6 (64-bit)").first()
    for name, kind, public in (
        ("CentOS 5.6 (64-bit) no GUI (Simulator)", Template.Kind.BUILTIN, True),
        ("SystemVM Template (simulator)", Template.Kind.SYSTEM, False),
    ):
        if not Template.including_removed.filter(unique_name=name).exists():
            admit(
                Template,
                owner,
                name=name,
                display_text=name,
                unique_name=name,
                kind=kind,
                os_type=centos,
                is_public=public,
                is_featured=public,
                is_extractable=public,
                is_cross_zones=True,
                is_counted=False,
            )
