"""Where the disks of a machine are: slot 0 is the root disk's, 3 the drive's, the others are for data disks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from apps.core.errors import InvalidParameter, ResourceInUse
from apps.images.models import HypervisorCapabilities
from apps.machines.models import Attachment, VirtualMachine
from apps.offerings.models import DiskOffering

DRIVE = 3
MOST = 6  # data disks, of a hypervisor that says nothing


@dataclass(frozen=True)
class DiskOrder:
    size: int
    offering: DiskOffering | None = None
    device_id: int | None = None  # of a data disk: the first free slot if None


def most(hypervisor: str) -> int:
    rows = HypervisorCapabilities.all_tenants.filter(hypervisor=hypervisor).order_by("pk")
    found = rows.values_list("max_data_volumes", flat=True).first()
    return MOST if found is None else found


def free(hypervisor: str, taken: Iterable[int], wanted: int | None) -> int:
    """The slot that is wanted, if it is one and free, or the first free one."""
    held, limit = set(taken), most(hypervisor)
    if len(held) >= limit:
        raise InvalidParameter(f"virtualmachineid: an instance on {hypervisor} has {limit} data disks at most")
    slots = [slot for slot in range(1, limit + 2) if slot != DRIVE]
    if wanted is None:
        return next(slot for slot in slots if slot not in held)
    if wanted not in slots:
        raise InvalidParameter(f"deviceid: a data disk is in slot {', '.join(map(str, slots))}, not {wanted}")
    if wanted in held:
        raise ResourceInUse(f"deviceid: there is a data disk in slot {wanted} already")
    return wanted


def free_of(vm: VirtualMachine, wanted: int | None = None) -> int:
    held = Attachment.objects.filter(vm=vm).exclude(device_id=Attachment.ROOT_DEVICE)
    return free(vm.hypervisor, held.values_list("device_id", flat=True), wanted)


def assigned(disks: Sequence[DiskOrder], hypervisor: str) -> list[DiskOrder]:
    """Each with a slot: those that say theirs get it first."""
    found: dict[int, DiskOrder] = {}
    for place in sorted(range(len(disks)), key=lambda place: disks[place].device_id is None):
        slot = free(hypervisor, [disk.device_id for disk in found.values() if disk.device_id], disks[place].device_id)
        found[place] = replace(disks[place], device_id=slot)
    return [found[place] for place in range(len(disks))]
