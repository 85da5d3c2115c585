"""Machines as the product would leave them: audits find nothing about any of these rows."""

from itertools import count

from django.utils import timezone

from apps.appliances.models import Router
from apps.appliances.services import system as systems
from apps.infrastructure.models import Zone
from apps.machines.models import Attachment, VirtualMachine
from apps.machines.services import nics

K = VirtualMachine.Kind
NUMBER = count(1)


def machine(make, owner):
    """Stopped, with its root disk."""
    vm = make.vm(owner)
    root = make.volume(owner, name="root", kind="ROOT", attached_at=timezone.now())
    Attachment.objects.create(vm=vm, volume=root, device_id=Attachment.ROOT_DEVICE)
    return vm


def nic(make, owner):
    return nics.allocate(machine(make, owner), make.shared_network(), device_id=0, is_default=True)


def router(make, owner):
    network, number = make.row("network.Network", owner), next(NUMBER)
    vm = make.vm(owner, kind=K.ROUTER, is_counted=False, instance_name=f"r-{number}-VM")
    Router.objects.create(vm=vm, network=network, network_uuid=str(network.uuid), guest_ip=network.gateway)
    return vm


def system(make, owner):
    """In a zone of its own: there is one of each kind in a zone."""
    number = next(NUMBER)
    (zone := Zone(name=f"zone of v-{number}", allocation_state="Disabled")).save()
    vm = make.vm(owner, kind=K.CONSOLE_PROXY, is_counted=False, instance_name=f"v-{number}-VM", zone=zone)
    systems.addresses_of(vm)
    return vm


ROWS = {
    "machines.VirtualMachine": machine,
    "machines.Nic": nic,
    "appliances.RouterMachine": router,
    "appliances.SystemMachine": system,
}
