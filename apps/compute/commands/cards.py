from typing import Any

from apps.compute.commands.instances import machine
from apps.compute.commands.responses import InstanceResponse
from apps.compute.services import cards, images
from apps.core.callers import USER, Access
from apps.core.commands import AsyncCommand, command
from apps.core.refs import Ref
from apps.core.wire import Bool, Str
from apps.images.models import Template
from apps.machines.models import Nic, VirtualMachine
from apps.network.models import Network


def card() -> Ref:
    return Ref("machines.Nic", Access.OPERATE, source="nic", required=True, help_text="the network card")


@command("addNicToVirtualMachine", roles=USER, event="NIC.CREATE", response=InstanceResponse, locks=("vm",))
class AddNicToVirtualMachine(AsyncCommand):
    """Adds a network card to an instance."""

    virtualmachineid = machine()
    networkid = Ref("network.Network", Access.USE, source="network", required=True, help_text="the network")
    ipaddress = Str(source="ip", help_text="its address; a free one if absent")
    macaddress = Str(source="mac", help_text="its MAC address; made up if absent")

    def run(self, vm: VirtualMachine, network: Network, ip: str | None = None, mac: str | None = None) -> Any:
        return cards.add(vm=vm, network=network, ip=ip, mac=mac)


@command("removeNicFromVirtualMachine", roles=USER, event="NIC.DELETE", response=InstanceResponse, locks=("vm",))
class RemoveNicFromVirtualMachine(AsyncCommand):
    """Removes a network card from an instance."""

    virtualmachineid = machine()
    nicid = card()

    def run(self, vm: VirtualMachine, nic: Nic) -> VirtualMachine:
        return cards.remove(vm=vm, nic=nic)


@command("updateDefaultNicForVirtualMachine", roles=USER, event="NIC.UPDATE", response=InstanceResponse, locks=("vm",))
class UpdateDefaultNicForVirtualMachine(AsyncCommand):
    """Makes a network card the default one of an instance."""

    virtualmachineid = machine()
    nicid = card()

    def run(self, vm: VirtualMachine, nic: Nic) -> VirtualMachine:
        return cards.make_default(vm=vm, nic=nic)


@command("updateVmNicIp", roles=USER, event="NET.IPASSIGN", response=InstanceResponse, locks=("nic.vm",))
class UpdateVmNicIp(AsyncCommand):
    """Gives a network card of a stopped instance another address."""

    nicid = card()
    ipaddress = Str(source="ip", help_text="the new address; a free one if absent")

    def run(self, nic: Nic, ip: str | None = None) -> VirtualMachine:
        return cards.change_address(nic=nic, ip=ip)


@command("attachIso", roles=USER, event="ISO.ATTACH", response=InstanceResponse, locks=("vm",))
class AttachIso(AsyncCommand):
    """Puts an ISO into the drive of an instance."""

    id = Ref("images.Template", Access.USE, source="iso", required=True, help_text="the ISO")
    virtualmachineid = machine()
    forced = Bool(default=False, source="is_forced", help_text="no effect: the drive takes an image at once")

    def run(self, vm: VirtualMachine, iso: Template, is_forced: bool) -> Any:
        return images.attach(vm=vm, iso=iso)


@command("detachIso", roles=USER, event="ISO.DETACH", response=InstanceResponse, locks=("vm",))
class DetachIso(AsyncCommand):
    """Takes the ISO out of the drive of an instance."""

    virtualmachineid = machine()
    id = Ref("images.Template", Access.LIST, source="iso", help_text="only if this one is in the drive")
    forced = Bool(default=False, source="is_forced", help_text="no effect: the drive gives an image back at once")

    def run(self, vm: VirtualMachine, is_forced: bool, iso: Template | None = None) -> Any:
        return images.detach(vm=vm, iso=iso)
