"""An order of a machine: everything that was asked for, checked before the first row is written."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.compute.models import AffinityGroup
from apps.compute.services import (
    affinity,
    details,
    keys,
    names,
    networking,
    passwords,
    security,
    sizes,
    slots,
    userdata,
)
from apps.compute.services.networking import NicOrder
from apps.compute.services.slots import DiskOrder
from apps.core import ports
from apps.core.errors import InvalidParameter, PermissionDenied
from apps.images.models import Template
from apps.infrastructure import drivers
from apps.infrastructure.models import Allocation, Cluster, Host, Pod, Zone
from apps.machines.models import VirtualMachine
from apps.offerings.models import DiskOffering, ServiceOffering
from apps.offerings.selectors import is_offered_in
from apps.storage.services import orders as disk_orders
from apps.storage.services import sizes as disk_sizes

UNKNOWN_SIZE = 8 << 30  # of a template that does not say its virtual size


@dataclass(frozen=True)
class Order:
    owner: Any
    zone: Zone
    offering: ServiceOffering
    template: Template
    values: dict[str, Any]  # columns of the machine
    root: DiskOrder
    data: list[DiskOrder]
    nics: list[NicOrder]
    details: dict[str, str]
    keys: dict[str, str] = field(default_factory=dict)
    group: str = ""
    affinity: list[AffinityGroup] = field(default_factory=list)
    security: list[Any] = field(default_factory=list)
    copies_tags: bool = False


def checked(
    *,
    owner: Any,
    zone: Zone,
    offering: ServiceOffering,
    template: Template | None = None,
    by_root: bool = False,
    is_for_another: bool = False,
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
    is_dynamic: bool = True,
    is_displayed: bool = True,
    disk_offering: DiskOffering | None = None,
    disk_size: int | None = None,
    root_size: int | None = None,
    data_disks: Sequence[DiskOrder] = (),
    networks: Sequence[Any] = (),
    addresses: Sequence[NicOrder] = (),
    ip: str | None = None,
    mac: str | None = None,
    affinity_groups: Sequence[AffinityGroup] = (),
    affinity_names: Sequence[str] = (),
    security_groups: Sequence[Any] = (),
    security_names: Sequence[str] = (),
    copies_tags: bool = False,
) -> Order:
    """``is_for_another``: the caller acts for another account, which must be allowed to use all this itself."""
    check_zone(zone, by_root)
    sizes.check_offering(offering, zone)
    image = check_template(template, zone)
    extra_disks = [disk.offering for disk in data_disks]
    for held in (disk_offering, *extra_disks):
        check_disk_offering(held, zone)
    if is_for_another:
        check_reach(
            owner, serviceofferingid=[offering], templateid=[image], diskofferingid=[disk_offering, *extra_disks]
        )
    given, key = dict(given_details or {}), uuid.uuid4()
    kind = check_hypervisor(image, hypervisor)
    values = sizes.of(offering, given) | {
        "uuid": key,
        "name": name or names.made_up(key),
        "display_name": display_name or name or names.made_up(key),
        "hypervisor": kind,
        "os_type_id": image.os_type_id,
        "iso": image if image.is_iso else None,
        "user_data": userdata.checked(user_data),
        "password": passwords.sealed_for(image, password),
        "ha_enabled": offering.offer_ha,
        "is_dynamically_scalable": is_dynamic and offering.dynamic_scaling and image.is_dynamically_scalable,
        "is_displayed": is_displayed,
        "creator": creator,
    }
    root, first = disks(image, offering, disk_offering, disk_size, root_size)
    return Order(
        owner=owner,
        zone=zone,
        offering=offering,
        template=image,
        values=values,
        root=root,
        data=slots.assigned([*([first] if first else []), *data_disks], kind),
        nics=networking.order(owner, zone, networks, addresses, ip, mac),
        details=details.checked(given, by_root) | ({details.KEYBOARD: keyboard} if keyboard else {}),
        keys=keys.details_for(owner, key_names),
        group=group,
        affinity=affinity.chosen(owner, affinity_groups, affinity_names),
        security=security.chosen(owner, security_groups, security_names),
        copies_tags=copies_tags,
    )


def check_zone(zone: Zone, by_root: bool) -> None:
    if zone.allocation_state != Allocation.ENABLED and not by_root:
        raise PermissionDenied(f"zoneid: zone {zone.name} is disabled")


def check_disk_offering(offering: DiskOffering | None, zone: Zone) -> None:
    disk_orders.check_offering(offering, zone)
    if offering is not None and not is_offered_in(offering, zone):
        raise InvalidParameter(f"diskofferingid: disk offering {offering.name} is not offered in zone {zone.name}")


def check_reach(owner: Any, **rows: Iterable[Any]) -> None:
    """That the owner may use these itself: an administrator reaches more than the account that he acts for."""
    caller = ports.tenants.one().caller(None, owner.pk)
    for parameter, each in rows.items():
        for row in each:
            if row is not None and not type(row).objects.usable_by(caller).filter(pk=row.pk).exists():
                raise PermissionDenied(f"{parameter}: {row.name} is not for account {owner.name}")


def check_template(template: Template | None, zone: Zone) -> Template:
    if template is None:
        raise InvalidParameter("templateid: say which template or ISO the instance is made from")
    if template.removed:
        raise InvalidParameter(f"templateid: {template.name} was deleted; name another template")
    if template.state != Template.State.ACTIVE or template.kind in (Template.Kind.SYSTEM, Template.Kind.ROUTING):
        raise InvalidParameter(f"templateid: {template.name} is not for instances of users")
    if template.is_iso and not template.is_bootable:
        raise InvalidParameter(f"templateid: ISO {template.name} is not bootable")
    states = set(template.copies.filter(zone=zone, removed=None).values_list("state", flat=True))
    if not states:
        raise InvalidParameter(f"templateid: {template.name} is not in zone {zone.name}")
    if "Ready" not in states:
        raise InvalidParameter(f"templateid: {template.name} is not ready in zone {zone.name} yet")
    return template


def check_hypervisor(template: Template, wanted: str) -> str:
    """As it is spelled. An ISO is for any; a template is made for one."""
    if not template.is_iso:
        if wanted and wanted.lower() != template.hypervisor.lower():
            raise InvalidParameter(f"hypervisor: template {template.name} is made for {template.hypervisor}")
        return template.hypervisor
    if not wanted:
        raise InvalidParameter("hypervisor: say which hypervisor shall start the ISO")
    found = next((name for name in drivers.DRIVERS if name.lower() == wanted.lower()), None)
    if found is None:
        raise InvalidParameter(f"hypervisor: {wanted} is none of {', '.join(sorted(drivers.DRIVERS))}")
    return found


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
    least = -(-template.size_bytes // disk_sizes.GIB)
    if offering.root_disk_bytes:
        if root_size is not None:
            raise InvalidParameter(f"rootdisksize: offering {offering.name} has a fixed root disk")
        if offering.root_disk_bytes < template.size_bytes:
            raise InvalidParameter(
                f"serviceofferingid: its root disk is too small, template {template.name} needs {least} GiB"
            )
        return offering.root_disk_bytes
    if root_size is None:
        return template.size_bytes or UNKNOWN_SIZE
    wanted = disk_sizes.largest(root_size, "rootdisksize")
    if wanted < template.size_bytes:
        raise InvalidParameter(f"rootdisksize: template {template.name} needs {least} GiB or more")
    return wanted


@dataclass(frozen=True)
class Wish:
    """Where an administrator wants the machine, and how its place is looked for."""

    host: Host | None = None
    cluster: Cluster | None = None
    pod: Pod | None = None
    planner: str = ""

    def check(self, vm: VirtualMachine) -> None:
        for name, row in (("hostid", self.host), ("clusterid", self.cluster), ("podid", self.pod)):
            if row is not None and row.zone_id != vm.zone_id:
                text = "is in another zone than the instance"
                raise InvalidParameter(f"{name}: {row.name} {text}", tenant=f"{name}: it {text}")

    def keys(self) -> dict[str, Any]:
        rows = {"host": self.host, "cluster": self.cluster, "pod": self.pod}
        planner = {"planner": self.planner} if self.planner else {}
        return {name: row.pk for name, row in rows.items() if row is not None} | planner
