"""Secondary storage VM and console proxy: one of each in every enabled zone, none in others."""

from apps.accounts.selectors import system_account
from apps.appliances.models import SystemAddress
from apps.appliances.services import machines
from apps.core.errors import InsufficientAddresses
from apps.core.retry import atomically
from apps.infrastructure.models import PodAddress, Zone
from apps.machines.models import VirtualMachine
from apps.network.models import IpRange, RangeAddress
from apps.network.services import addressing, ranges

K, S = VirtualMachine.Kind, VirtualMachine.State
KINDS = (K.SECONDARY_STORAGE, K.CONSOLE_PROXY)


def of_zone(zone: Zone) -> list[VirtualMachine]:
    return list(VirtualMachine.all_tenants.filter(zone=zone, kind__in=KINDS).order_by("pk"))


def ensure(zone: Zone) -> None:
    """All that an enabled zone needs exist and run; those that an operator stopped stay down."""
    there = of_zone(zone)
    for kind in KINDS:
        vm = next((row for row in there if row.kind == kind), None)
        if vm is None:
            machines.bring_up(_made(zone, kind))
        elif vm.state == S.STARTING:
            machines.bring_up(vm)


@atomically
def _made(zone: Zone, kind: str) -> VirtualMachine:
    vm = machines.make(kind=kind, owner=system_account(), zone=zone)
    private = _private(zone, vm)
    public = _public(zone, vm)
    SystemAddress.objects.create(
        vm=vm,
        private_ip=private,
        private_mac=addressing.new_mac(),
        public_ip=public.ip if public else None,
        public_mac=addressing.new_mac(),
        gateway=public.range.gateway if public else None,
        link_local_ip=f"169.254.{vm.pk // 250 % 254}.{vm.pk % 250 + 2}",
    )
    return vm


def _private(zone: Zone, vm: VirtualMachine) -> str:
    free = PodAddress.objects.filter(pod__zone=zone, pod__removed=None, taken_by="").order_by("pk")
    for key, ip in free.values_list("pk", "ip")[:8]:
        if PodAddress.objects.filter(pk=key, taken_by="").update(taken_by=vm.lock_key):
            return ip
    raise InsufficientAddresses(f"the pods of zone {zone.name} have no free management address")


def _public(zone: Zone, vm: VirtualMachine) -> RangeAddress | None:
    """Of the public ranges; in a Basic zone of the guest ranges; none where there are none yet."""
    rows = IpRange.all_tenants.filter(zone=zone, is_lazy=False, owner=None, domain=None).order_by(
        "-for_system_vms", "pk"
    )
    if zone.network_type == Zone.NetworkType.ADVANCED:
        rows = rows.filter(for_virtual_network=True)
    try:
        return ranges.take(rows.values_list("pk", flat=True), vm.lock_key)
    except InsufficientAddresses:
        return None


def remove(vm: VirtualMachine) -> None:
    """Down and gone, with its addresses."""
    _gone(machines.take_down(vm))


@atomically
def _gone(vm: VirtualMachine) -> None:
    PodAddress.objects.filter(taken_by=vm.lock_key).update(taken_by="")
    RangeAddress.objects.filter(taken_by=vm.lock_key).update(taken_by="")
    machines.remove(vm)
