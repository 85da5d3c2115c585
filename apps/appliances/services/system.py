"""Secondary storage VM and console proxy: one of each in every enabled zone."""

from django.db.models import QuerySet

from apps.accounts.selectors import system_account
from apps.appliances.models import SystemAddress
from apps.appliances.services import machines
from apps.appliances.services.routers import link_local
from apps.core.errors import InsufficientAddresses
from apps.core.retry import atomically
from apps.hypervisors.base import NicSpec
from apps.infrastructure.drivers import WITHOUT_SYSTEM_MACHINES
from apps.infrastructure.models import Allocation, Cluster, Host, Pod, PodAddress, Zone
from apps.machines.models import VirtualMachine
from apps.network.models import IpRange, RangeAddress
from apps.network.services import addressing, ranges

K, S = VirtualMachine.Kind, VirtualMachine.State
KINDS = (K.SECONDARY_STORAGE, K.CONSOLE_PROXY)


def of_zone(zone: Zone) -> list[VirtualMachine]:
    return list(VirtualMachine.all_tenants.filter(zone=zone, kind__in=KINDS).order_by("pk"))


def zones_with_machines() -> QuerySet[Zone]:
    """Enabled ones with hosts on which machines of the system run."""
    places = Cluster.all_tenants.exclude(hypervisor__in=WITHOUT_SYSTEM_MACHINES)
    return Zone.all_tenants.filter(allocation_state=Allocation.ENABLED, pk__in=places.values("zone")).order_by("pk")


def is_unstarted(vm: VirtualMachine) -> bool:
    """It has never run, or is about to: one that an operator stopped stays down."""
    return vm.state == S.STARTING or (vm.state == S.STOPPED and vm.last_host_id is None)


@atomically
def make_missing(zone: Zone) -> None:
    """The rows of what the zone lacks. The update of its row lets one caller at a time look."""
    Zone.all_tenants.filter(pk=zone.pk).update(token=zone.token)
    there = {vm.kind for vm in of_zone(zone)}
    for kind in KINDS:
        if kind not in there:
            _make(zone, kind)


def _make(zone: Zone, kind: str) -> None:
    addresses_of(machines.make(kind=kind, owner=system_account(), zone=zone))


@atomically
def addresses_of(vm: VirtualMachine) -> SystemAddress:
    """Made with the machine; made again for one that has lost its row: it must be able to start."""
    rows = SystemAddress.objects.select_related("private", "public")
    return rows.filter(vm=vm).first() or SystemAddress.objects.create(
        vm=vm,
        private_mac=addressing.new_mac(),
        public=_public(vm.zone, vm),
        public_mac=addressing.new_mac(),
        link_local_ip=link_local(vm),
    )


def _public(zone: Zone, vm: VirtualMachine) -> RangeAddress | None:
    """Of the public ranges; in a Basic zone of the guest ranges; none where there are none yet."""
    rows = IpRange.all_tenants.filter(zone=zone, is_lazy=False, owner=None, domain=None)
    rows = rows.filter(for_virtual_network=True) if zone.network_type == Zone.NetworkType.ADVANCED else rows
    for reserved in (True, False):
        keys = rows.filter(for_system_vms=reserved).order_by("pk").values_list("pk", flat=True)
        if found := ranges.find(keys, vm.lock_key):
            return found
    return None


def bring_up(vm: VirtualMachine) -> None:
    machines.bring_up(vm, prepare)


def prepare(vm: VirtualMachine, host: Host) -> tuple[NicSpec, ...]:
    """Its management address is one of the pod that the host is in."""
    if host.pod is not None:
        _settle_in(vm, host.pod)
    row = addresses_of(vm)
    found = []
    if row.private:
        found.append(NicSpec(machines.card(vm, 0), row.private_mac, "management", "", row.private.ip, 0))
    if row.public:
        found.append(NicSpec(machines.card(vm, 1), row.public_mac, "public", "", row.public.ip, 1))
    return tuple(found)


@atomically
def _settle_in(vm: VirtualMachine, pod: Pod) -> None:
    row = addresses_of(vm)
    if row.private and row.private.pod_id == pod.pk:
        return
    taken = _management_address(pod, vm)
    SystemAddress.objects.filter(pk=row.pk).update(private=taken)
    if row.private:
        PodAddress.objects.filter(pk=row.private.pk, taken_by=vm.lock_key).update(taken_by="")


def _management_address(pod: Pod, vm: VirtualMachine) -> PodAddress:
    free = PodAddress.objects.filter(pod=pod, taken_by="")
    for _ in range(ranges.TRIES):
        keys = list(free.order_by("pk").values_list("pk", flat=True)[:8])
        for key in keys:
            if free.filter(pk=key).update(taken_by=vm.lock_key):
                return PodAddress.objects.get(pk=key)
        if not keys:
            break
    raise InsufficientAddresses(f"pod {pod.name} has no free management address")


def retire(vm: VirtualMachine) -> None:
    """Down and gone, with its addresses."""
    _gone(machines.take_down(vm))


@atomically
def _gone(vm: VirtualMachine) -> None:
    SystemAddress.objects.filter(vm=vm).update(private=None, public=None)
    PodAddress.objects.filter(taken_by=vm.lock_key).update(taken_by="")
    RangeAddress.objects.filter(taken_by=vm.lock_key).update(taken_by="")
    machines.remove(vm)
