"""Machines of the system: made, brought up, taken down and removed. What is here *ensures* and is called from steps of
flows that hold the lock of the machine or of its network: it may have been killed half-way the time before.
"""

import secrets
from collections.abc import Callable
from typing import Any
from uuid import uuid5

from apps.core.errors import (
    InsufficientAddresses,
    InsufficientCapacity,
    InvalidParameter,
    ResourceInUse,
    ResourceUnavailable,
)
from apps.core.ownership import admit, release
from apps.core.retry import atomically
from apps.hypervisors.base import MachineSpec, NicSpec
from apps.hypervisors.errors import Busy, Refused
from apps.images.models import Template
from apps.infrastructure.drivers import DEADLINE, WITHOUT_SYSTEM_MACHINES, driver_for
from apps.infrastructure.models import Cluster, Host, Zone
from apps.machines.models import Reservation, VirtualMachine
from apps.machines.services import placement
from apps.machines.states import VM
from apps.offerings.models import ServiceOffering

S = VirtualMachine.State
LETTERS = {"DomainRouter": "r", "SecondaryStorageVm": "s", "ConsoleProxy": "v"}
OFFERINGS = {"DomainRouter": "domainrouter", "SecondaryStorageVm": "secondarystoragevm", "ConsoleProxy": "consoleproxy"}
HOSTS = 3  # that are asked in one step: their deadlines together stay below the lease
Prepare = Callable[[VirtualMachine, Host], tuple[NicSpec, ...]]


def hypervisor_of(zone: Zone, kind: str) -> str:
    """Where hosts make routers themselves there are no other machines of the system."""
    found = Cluster.all_tenants.filter(zone=zone, allocation_state="Enabled").order_by("pk")
    if kind != VirtualMachine.Kind.ROUTER:
        found = found.exclude(hypervisor__in=WITHOUT_SYSTEM_MACHINES)
    name = found.values_list("hypervisor", flat=True).first()
    if name is None:
        raise ResourceUnavailable(f"zone {zone.name} has no cluster for system machines")
    return name


@atomically
def make(*, kind: str, owner: Any, zone: Zone, offering: ServiceOffering | None = None) -> VirtualMachine:
    """The row; its name has its number: r-7-VM."""
    hypervisor = hypervisor_of(zone, kind)
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
        **size_of(size),
    )
    vm.name = vm.instance_name = f"{LETTERS[kind]}-{vm.pk}-VM"
    vm.save(update_fields=["name", "instance_name"])
    return vm


def size_of(offering: ServiceOffering) -> dict[str, int]:
    return {
        "cpus": offering.cpus or 1,
        "speed_mhz": offering.speed_mhz or 500,
        "memory_mib": offering.memory_mib or 256,
    }


@atomically
def resize(*, vm: VirtualMachine, offering: ServiceOffering) -> VirtualMachine:
    """Another system offering of the same type, for a machine that is down: it holds no place now."""
    if not offering.is_system or offering.system_vm_type != OFFERINGS[vm.kind]:
        raise InvalidParameter(f"serviceofferingid: {offering.name} is no system offering for {OFFERINGS[vm.kind]}")
    changes: dict[str, Any] = {"offering": offering, **size_of(offering)}
    rows = VirtualMachine.all_tenants.filter(pk=vm.pk, state=S.STOPPED)
    if not rows.kernel_update(**changes):
        raise InvalidParameter(f"id: {vm.instance_name} is {vm.state}, it must be Stopped")
    for name, value in changes.items():
        setattr(vm, name, value)
    return vm


def read(key: int) -> VirtualMachine:
    rows = VirtualMachine.including_removed.select_related("host", "last_host", "zone", "owner__domain", "offering")
    return rows.get(pk=key)


def card(vm: VirtualMachine, number: int) -> str:
    """Cards of machines of the system have no rows; their ids follow from the machine's."""
    return str(uuid5(vm.uuid, str(number)))


def bring_up(vm: VirtualMachine, prepare: Prepare) -> VirtualMachine:
    """It runs: where it has a place, or on the best host that takes it. ``prepare`` gives its cards there."""
    vm = read(vm.pk)
    if vm.state == S.STOPPING:
        vm = take_down(vm)
    if vm.state == S.RUNNING:
        return vm
    if vm.removed or vm.state not in (S.STOPPED, S.STARTING):
        raise ResourceUnavailable(f"{vm.instance_name} is being destroyed")
    _fire(vm, "StartRequested", S.STOPPED)
    host = _start(vm, prepare)
    _fire(vm, "OperationSucceeded", S.STARTING, host=host, last_host=host, pod=host.pod)
    return vm


def _start(vm: VirtualMachine, prepare: Prepare) -> Host:
    refusing: list[int] = []
    while len(refusing) < HOSTS:
        host = _reserve(vm, refusing)
        try:
            driver_for(host).power.start(spec(vm, prepare(vm, host)), within=DEADLINE)
        except (Refused, InsufficientAddresses):
            placement.unreserve(vm)
            refusing.append(host.pk)
        else:
            return host
    raise ResourceUnavailable(f"{len(refusing)} hosts refused {vm.instance_name}")


def _reserve(vm: VirtualMachine, refusing: list[int]) -> Host:
    try:
        return placement.reserve(vm, avoid=refusing)
    except InsufficientCapacity as error:
        if not refusing:
            raise
        raise ResourceUnavailable(f"no host takes {vm.instance_name}, {len(refusing)} refused it") from error


def spec(vm: VirtualMachine, nics: tuple[NicSpec, ...]) -> MachineSpec:
    kind = "router" if vm.kind == VirtualMachine.Kind.ROUTER else ""
    return MachineSpec(
        str(vm.uuid), vm.cpus, vm.memory_mib, name=vm.instance_name, speed_mhz=vm.speed_mhz, nics=nics, kind=kind
    )


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
    held = Reservation.objects.filter(vm=vm).select_related("host").first()
    return held.host if held else None


@atomically
def _stopped(vm: VirtualMachine) -> None:
    VM.fire(vm, "OperationFailed" if vm.state == S.STARTING else "OperationSucceeded")
    placement.unreserve(vm)


def host_of(vm: VirtualMachine) -> Host | None:
    """Where it runs or ran last: something of it may be there still."""
    host = vm.host or vm.last_host
    return host if host and host.removed is None else None


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


def reboot(vm: VirtualMachine) -> None:
    if vm.state != S.RUNNING or vm.host is None:
        raise ResourceUnavailable(f"{vm.instance_name} is {vm.state}: only a running machine is rebooted")
    driver_for(vm.host).power.reboot(str(vm.uuid), within=DEADLINE)
