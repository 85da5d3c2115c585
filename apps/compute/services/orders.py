"""An order of a machine: everything that was asked for, checked before the first row is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.compute.models import AffinityGroup
from apps.compute.services import affinity, details, keys, names, networking, passwords, security, sizes, userdata
from apps.compute.services.networking import NicOrder
from apps.core.errors import InvalidParameter, PermissionDenied
from apps.images.models import Template
from apps.infrastructure.models import Allocation, Cluster, Host, Pod, Zone
from apps.machines.models import VirtualMachine
from apps.offerings.models import DiskOffering, ServiceOffering
from apps.storage.services import orders as disk_orders
from apps.storage.services import sizes as disk_sizes

UNKNOWN_SIZE = 8 << 30  # of a template that does not say its virtual size


@dataclass(frozen=True)
class DiskOrder:
    size: int
    offering: DiskOffering | None = None


@dataclass(frozen=True)
class Order:
    owner: Any
    zone: Zone
    offering: ServiceOffering
    template: Template
    values: dict[str, Any]  # columns of the machine
    root: DiskOrder
    data: DiskOrder | None
    nics: list[NicOrder]
    details: dict[str, str]
    keys: dict[str, str] = field(default_factory=dict)
    group: str = ""
    affinity: list[AffinityGroup] = field(default_factory=list)
    security: list[Any] = field(default_factory=list)


def checked(
    *,
    owner: Any,
    zone: Zone,
    offering: ServiceOffering,
    template: Template | None = None,
    by_root: bool = False,
    creator: Any = None,
    name: str = "",
    display_name: str = "",
    hypervisor: str = "",
    given_details: Mapping[str, str] | None = None,
    user_data: str = "",
    password: str | None = None,
    key_names: Sequence[str] = (),
    group: str = "",
    keyboard: str = "",
    is_dynamic: bool = False,
    is_displayed: bool = True,
    disk_offering: DiskOffering | None = None,
    disk_size: int | None = None,
    root_size: int | None = None,
    networks: Sequence[Any] = (),
    addresses: Sequence[NicOrder] = (),
    ip: str | None = None,
    mac: str | None = None,
    affinity_groups: Sequence[AffinityGroup] = (),
    affinity_names: Sequence[str] = (),
    security_groups: Sequence[Any] = (),
    security_names: Sequence[str] = (),
) -> Order:
    check_zone(zone, by_root)
    sizes.check_offering(offering, zone)
    image = check_template(template, zone, hypervisor)
    given = dict(given_details or {})
    nics = networking.order(owner, zone, networks, addresses, ip, mac)
    name = name or names.made_up()
    names.check(name, [nic.network for nic in nics])
    extra = details.checked(given, by_root) | ({details.KEYBOARD: keyboard} if keyboard else {})
    disk_orders.check_offering(disk_offering, zone)
    values = sizes.of(offering, given) | {
        "name": name,
        "display_name": display_name or name,
        "hypervisor": check_hypervisor(image, hypervisor),
        "os_type_id": image.os_type_id,
        "iso": image if image.is_iso else None,
        "user_data": userdata.checked(user_data),
        "password": passwords.sealed_for(image, password),
        "ha_enabled": offering.offer_ha,
        "is_dynamically_scalable": is_dynamic and offering.dynamic_scaling and image.is_dynamically_scalable,
        "is_displayed": is_displayed,
        "creator": creator,
    }
    root, data = disks(image, offering, disk_offering, disk_size, root_size)
    return Order(
        owner=owner,
        zone=zone,
        offering=offering,
        template=image,
        values=values,
        root=root,
        data=data,
        nics=nics,
        details=extra,
        keys=keys.details_for(owner, key_names),
        group=group,
        affinity=affinity.chosen(owner, affinity_groups, affinity_names),
        security=security.chosen(owner, zone, [nic.network for nic in nics], security_groups, security_names),
    )


def check_zone(zone: Zone, by_root: bool) -> None:
    if zone.allocation_state != Allocation.ENABLED and not by_root:
        raise PermissionDenied(f"zoneid: zone {zone.name} is disabled")


def check_template(template: Template | None, zone: Zone, hypervisor: str) -> Template:
    if template is None:
        raise InvalidParameter("templateid: say which template or ISO the instance is made from")
    if template.state != Template.State.ACTIVE or template.kind in (Template.Kind.SYSTEM, Template.Kind.ROUTING):
        raise InvalidParameter(f"templateid: {template.name} is not for instances of users")
    if template.is_iso and not template.is_bootable:
        raise InvalidParameter(f"templateid: ISO {template.name} is not bootable")
    copies = dict(template.copies.filter(zone=zone).values_list("state", "percent"))
    if copies and "Ready" not in copies:
        raise InvalidParameter(f"templateid: {template.name} is not ready in zone {zone.name} yet")
    return template


def check_hypervisor(template: Template, wanted: str) -> str:
    if template.is_iso and not wanted:
        raise InvalidParameter("hypervisor: say which hypervisor shall start the ISO")
    if not template.is_iso and wanted and wanted.lower() != template.hypervisor.lower():
        raise InvalidParameter(f"hypervisor: template {template.name} is made for {template.hypervisor}")
    return wanted if template.is_iso else template.hypervisor


def disks(
    template: Template,
    offering: ServiceOffering,
    disk_offering: DiskOffering | None,
    disk_size: int | None,
    root_size: int | None,
) -> tuple[DiskOrder, DiskOrder | None]:
    """The root disk and the data disk. An instance from an ISO has its root disk from the disk offering."""
    if disk_offering is None and disk_size is not None:
        raise InvalidParameter("size: is the size of the disk that diskofferingid orders; see rootdisksize")
    ordered = DiskOrder(disk_sizes.ordered_size(disk_offering, disk_size), disk_offering) if disk_offering else None
    if not template.is_iso:
        return DiskOrder(root_bytes(template, offering, root_size)), ordered
    if ordered is None:
        raise InvalidParameter("diskofferingid: an instance from an ISO needs a disk offering for its root disk")
    if root_size is not None:
        raise InvalidParameter("rootdisksize: the root disk of an instance from an ISO is that of diskofferingid")
    return ordered, None


def root_bytes(template: Template, offering: ServiceOffering, root_size: int | None) -> int:
    least = template.size_bytes
    if offering.root_disk_bytes:
        if root_size is not None:
            raise InvalidParameter(f"rootdisksize: offering {offering.name} has a fixed root disk")
        wanted = offering.root_disk_bytes
    else:
        wanted = disk_sizes.largest(root_size, "rootdisksize") if root_size is not None else least or UNKNOWN_SIZE
    if wanted < least:
        raise InvalidParameter(
            f"rootdisksize: template {template.name} needs {-(-least // disk_sizes.GIB)} GiB or more"
        )
    return wanted


@dataclass(frozen=True)
class Wish:
    """Where an administrator wants the machine."""

    host: Host | None = None
    cluster: Cluster | None = None
    pod: Pod | None = None

    def check(self, vm: VirtualMachine) -> None:
        for name, row in (("hostid", self.host), ("clusterid", self.cluster), ("podid", self.pod)):
            if row is not None and row.zone_id != vm.zone_id:
                raise InvalidParameter(f"{name}: {row.name} is in another zone than the instance")

    def keys(self) -> dict[str, int]:
        rows = {"host": self.host, "cluster": self.cluster, "pod": self.pod}
        return {name: row.pk for name, row in rows.items() if row is not None}
