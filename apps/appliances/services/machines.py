"""Machines of the system: made, brought up, taken down and removed. What is here *ensures* and is called from steps of
flows: it may run twice, and it may have been killed half-way the time before.
"""

import secrets
from typing import Any

from apps.core.errors import ResourceInUse, ResourceUnavailable
from apps.core.ownership import admit, release
from apps.core.retry import atomically
from apps.hypervisors.base import MachineSpec, NicSpec
from apps.hypervisors.errors import Busy, Refused
from apps.images.models import Template
from apps.infrastructure.drivers import DEADLINE, driver_for
from apps.infrastructure.models import Cluster, Host, Zone
from apps.machines.models import VirtualMachine
from apps.machines.services import placement
from apps.machines.states import VM
from apps.offerings.models import ServiceOffering

S = VirtualMachine.State
LETTERS = {"DomainRouter": "r", "SecondaryStorageVm": "s", "ConsoleProxy": "v"}
OFFERINGS = {"DomainRouter": "domainrouter", "SecondaryStorageVm": "secondarystoragevm", "ConsoleProxy": "consoleproxy"}


def hypervisor_of(zone: Zone) -> str:
    found = Cluster.all_tenants.filter(zone=zone, allocation_state="Enabled").order_by("pk")
    name = found.values_list("hypervisor", flat=True).first()
    if name is None:
        raise ResourceUnavailable(f"zone {zone.name} has no cluster for system machines")
    return name


@atomically
def make(*, kind: str, owner: Any, zone: Zone, offering: ServiceOffering | None = None) -> VirtualMachine:
    """The row; its name has its number: r-7-VM."""
    hypervisor = hypervisor_of(zone)
    size = offering or ServiceOffering.all_tenants.filter(is_system=True, system_vm_type=OFFERINGS[kind])[0]
    template = Template.all_tenants.filter(kind=Template.Kind.SYSTEM, hypervisor=hypervisor).order_by("pk").first()
    vm = admit(
        VirtualMachine,
        owner,
        is_counted=False,
        kind=kind,
        name=f"new-{secrets.token_hex(8)}",
        zone=zone,
        offering=size,
        template=template,
        hypervisor=hypervisor,
        cpus=size.cpus or 1,
        speed_mhz=size.speed_mhz or 500,
        memory_mib=size.memory_mib or 256,
    )
    vm.name = vm.instance_name = f"{LETTERS[kind]}-{vm.pk}-VM"
    vm.save(update_fields=["name", "instance_name"])
    return vm


def read(key: int) -> VirtualMachine:
    rows = VirtualMachine.including_removed.select_related("host", "zone", "owner__domain", "offering")
    return rows.get(pk=key)


def bring_up(vm: VirtualMachine, nics: tuple[NicSpec, ...] = ()) -> VirtualMachine:
    """It runs: on the host where it has a place, or on the best one there is now."""
    vm = read(vm.pk)
    if vm.state == S.RUNNING:
        return vm
    _fire(vm, "StartRequested", S.STOPPED)
    host = placement.reserve(vm)
    spec = MachineSpec(str(vm.uuid), vm.cpus, vm.memory_mib, name=vm.instance_name, speed_mhz=vm.speed_mhz, nics=nics)
    try:
        driver_for(host).power.start(spec, within=DEADLINE)
    except Refused as error:
        placement.unreserve(vm)  # the next try finds another place, or this one again
        raise Busy(f"host {host.name} refused {vm.instance_name}") from error
    _fire(vm, "OperationSucceeded", S.STARTING, host=host, last_host=host, pod=host.pod)
    return vm


def _fire(vm: VirtualMachine, event: str, source: str, **values: Any) -> None:
    """Another worker may be at the same: then it is tried again, and finds what that one did."""
    if vm.state != source:
        return
    try:
        VM.fire(vm, event, **values)
    except ResourceInUse as error:
        raise Busy(f"{vm.instance_name} is being worked on") from error


def take_down(vm: VirtualMachine) -> VirtualMachine:
    """It does not run, and holds no place."""
    vm = read(vm.pk)
    if vm.state == S.RUNNING:
        _fire(vm, "StopRequested", S.RUNNING)
    if vm.state in (S.STARTING, S.STOPPING):
        if host := vm.host or _place(vm):
            driver_for(host).power.stop(str(vm.uuid), within=DEADLINE, force=True)
        _stopped(vm)
    return vm


def _place(vm: VirtualMachine) -> Host | None:
    held = placement.Reservation.objects.filter(vm=vm).select_related("host").first()
    return held.host if held else None


@atomically
def _stopped(vm: VirtualMachine) -> None:
    VM.fire(vm, "OperationFailed" if vm.state == S.STARTING else "OperationSucceeded")
    placement.unreserve(vm)


@atomically
def remove(vm: VirtualMachine) -> None:
    """The row goes for good. ``vm`` is down."""
    if vm.removed:
        return
    if vm.state == S.STOPPED:
        VM.fire(vm, "DestroyRequested")
    if vm.state in (S.DESTROYED, S.ERROR):
        VM.fire(vm, "ExpungeOperation")
    release(vm)


def reboot(vm: VirtualMachine) -> VirtualMachine:
    vm = read(vm.pk)
    if vm.state != S.RUNNING or vm.host is None:
        raise ResourceInUse(f"{vm.instance_name} is {vm.state}: only a running machine is rebooted")
    try:
        driver_for(vm.host).power.reboot(str(vm.uuid), within=DEADLINE)
    except Refused as error:
        raise ResourceUnavailable(f"{vm.instance_name} cannot be rebooted") from error
    return vm
