from typing import Any

from apps.compute.commands.instances import machine
from apps.compute.services import passwords
from apps.core.callers import USER
from apps.core.commands import Command, command
from apps.core.responses import Plain
from apps.machines.models import VirtualMachine


class PasswordResponse(Plain):
    wire_name = "password"
    fields = {"encryptedpassword": "string"}


class UserDataResponse(Plain):
    wire_name = "virtualmachineuserdata"
    fields = {"virtualmachineid": "string", "userdata": "string"}


@command("getVMPassword", roles=USER, response=PasswordResponse)
class GetVMPassword(Command):
    """Returns the password of an instance, encrypted with its SSH key."""

    changes = False
    id = machine()

    def run(self, vm: VirtualMachine) -> dict[str, Any]:
        return {"password": {"encryptedpassword": passwords.encrypted(vm)}}


@command("getVirtualMachineUserData", roles=USER, response=UserDataResponse)
class GetVirtualMachineUserData(Command):
    """Returns the user data of an instance, in base64."""

    changes = False
    virtualmachineid = machine()

    def run(self, vm: VirtualMachine) -> dict[str, Any]:
        return {"virtualmachineuserdata": {"virtualmachineid": str(vm.uuid), "userdata": vm.user_data}}
