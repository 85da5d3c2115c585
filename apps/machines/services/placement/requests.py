"""What placement is asked for: plain values, so that a request can be judged without its machine."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.accounts.models import Account
from apps.core.prepared import Prepared, Slot
from apps.infrastructure.models import Allocation
from apps.infrastructure.services.hosts import HYPERVISORS
from apps.machines.models import VirtualMachine
from apps.storage.models import Volume

V = Volume.State
GOING = (V.DESTROY, V.EXPUNGING, V.EXPUNGED)
IN_SERVICE = ("Up", "Disabled")  # a disabled pool gets no new disks, those that are there are used


@dataclass(frozen=True)
class Disk:
    """One that is on no pool yet."""

    volume: int
    size: int
    tags: tuple[str, ...] = ()
    is_local: bool = False


@dataclass(frozen=True)
class Request:
    """Rows are named by their keys. ``wish`` is what an administrator asked for, by "host", "cluster" and "pod"."""

    machine: int
    name: str
    owner: int
    zone: int
    zone_name: str
    hypervisor: str
    cpus: int
    speed_mhz: int
    memory_mib: int
    planner: str = ""
    arch: str = ""
    host_tags: tuple[str, ...] = ()
    disks: tuple[Disk, ...] = ()
    clusters: frozenset[int] = frozenset()  # that the storage of its other disks binds it to
    hosts: frozenset[int] = frozenset()  # the same for local storage
    is_storage_up: bool = True
    is_zone_open: bool = True
    wish: Mapping[str, int] = field(default_factory=dict)
    avoid: frozenset[int] = frozenset()
    together: frozenset[int] | None = None
    apart: frozenset[int] = frozenset()
    last_host: int | None = None

    @property
    def cpu_mhz(self) -> int:
        return self.cpus * self.speed_mhz

    @property
    def is_bound(self) -> bool:
        """To a handful of hosts, whatever the size of the zone."""
        return bool(self.clusters or self.hosts or self.together is not None or self.wish.keys() & {"host", "cluster"})


def of(
    vm: VirtualMachine,
    *,
    wish: Mapping[str, Any] | None = None,
    avoid: Collection[int] = (),
    together: Collection[int] | None = None,
    apart: Collection[int] = (),
) -> Request:
    """Templates name one tag of hosts, offerings any number. Roots may try a zone before they open it. A wish may also
    name the "planner".
    """
    template, offering = vm.template, vm.offering
    places = dict(wish or {})
    is_open = vm.zone.allocation_state == Allocation.ENABLED or vm.owner.type == Account.Type.ROOT
    return Request(
        machine=vm.pk,
        name=str(vm.uuid),
        owner=vm.owner_id,
        zone=vm.zone_id,
        zone_name=vm.zone.name,
        hypervisor=spelled(vm.hypervisor),
        cpus=vm.cpus,
        speed_mhz=vm.speed_mhz,
        memory_mib=vm.memory_mib,
        planner=str(places.pop("planner", offering.planner)),
        arch=template.arch if template else "",
        host_tags=words(offering.host_tags, template.tag if template else ""),
        is_zone_open=is_open,
        wish=places,
        avoid=frozenset(avoid),
        together=None if together is None else frozenset(together),
        apart=frozenset(apart),
        last_host=vm.last_host_id,
        **_storage(vm),
    )


def spelled(hypervisor: str) -> str:
    """As hosts have it: whoever boots from an ISO may have typed it otherwise."""
    return next((name for name in HYPERVISORS if name.lower() == hypervisor.lower()), hypervisor)


def words(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for text in texts for word in text.split(",") if word.strip()))


DISKS = Prepared(lambda: _disks(Slot("vm")).order_by("attachment__device_id").select_related("pool", "offering"))


def _disks(vm: Any) -> Any:
    return Volume.all_tenants.filter(attachment__vm=vm).exclude(state__in=GOING)


def _storage(vm: VirtualMachine) -> dict[str, Any]:
    """What the disks say. A root disk without an offering of its own goes by that of the machine."""
    found = DISKS(vm=vm.pk)
    pools = [volume.pool for volume in found if volume.pool]
    return {
        "disks": tuple(disk_of(volume, vm) for volume in found if volume.pool is None),
        "clusters": frozenset(pool.cluster_id for pool in pools if pool.cluster_id and not pool.host_id),
        "hosts": frozenset(pool.host_id for pool in pools if pool.host_id),
        "is_storage_up": all(pool.state in IN_SERVICE for pool in pools),
    }


def disk_of(volume: Volume, vm: VirtualMachine) -> Disk:
    order = volume.offering or vm.offering
    return Disk(volume.pk, volume.size, words(order.storage_tags), order.storage_type == "local")
