from collections.abc import Sequence
from typing import Any

from apps.compute.commands.responses import InstanceResponse
from apps.compute.services import assigning, changes, instances, orders, passwords, power, restoring
from apps.core.callers import DOMAIN, ROOT, USER, Access, Caller
from apps.core.commands import AsyncCommand, Command, command
from apps.core.errors import InvalidParameter
from apps.core.refs import GivenOwner, Ref
from apps.core.wire import Bool, List, Long, Map, Name, Str
from apps.images.models import OsType, Template
from apps.machines.models import VirtualMachine
from apps.machines.services.placement.planners import NAMES as PLANNERS
from apps.offerings.models import ServiceOffering
from apps.storage.models import Volume


def machine(**more: Any) -> Ref:
    given = {"source": "vm", "required": True, "help_text": "the instance", **more}
    return Ref("machines.VirtualMachine", Access.OPERATE, **given)


def is_admin(caller: Caller) -> bool:
    """What is left to administrators is left to those of domains, too."""
    return caller.is_root or caller.is_domain_admin


@command("startVirtualMachine", roles=USER, event="VM.START", response=InstanceResponse, locks=("vm",))
class StartVirtualMachine(AsyncCommand):
    """Starts an instance."""

    id = machine()
    hostid = Ref("infrastructure.Host", Access.USE, source="host", allowed=ROOT, help_text="start it there")
    clusterid = Ref("infrastructure.Cluster", Access.USE, source="cluster", allowed=ROOT, help_text="start it there")
    podid = Ref("infrastructure.Pod", Access.USE, source="pod", allowed=ROOT, help_text="start it there")
    deploymentplanner = Str(source="planner", choices=PLANNERS, allowed=ROOT, help_text="how its place is looked for")

    def run(self, vm: VirtualMachine, **wish: Any) -> Any:
        return instances.start(vm, orders.Wish(**wish))

    def secrets(self, row: VirtualMachine) -> dict[str, str]:
        """Of the first start of a machine that was deployed without one."""
        return passwords.told(row) if row.tells_password else {}


@command("stopVirtualMachine", roles=USER, event="VM.STOP", response=InstanceResponse, locks=("vm",))
class StopVirtualMachine(AsyncCommand):
    """Stops an instance."""

    id = machine()
    forced = Bool(default=False, source="force", help_text="cut its power instead of asking the guest")

    def run(self, vm: VirtualMachine, force: bool) -> VirtualMachine:
        return power.stop(vm=vm, force=force)


@command("rebootVirtualMachine", roles=USER, event="VM.REBOOT", response=InstanceResponse, locks=("vm",))
class RebootVirtualMachine(AsyncCommand):
    """Reboots an instance."""

    id = machine()
    forced = Bool(default=False, source="force", help_text="reset it instead of asking the guest")

    def run(self, vm: VirtualMachine, force: bool) -> VirtualMachine:
        return power.reboot(vm=vm, force=force)


@command("destroyVirtualMachine", roles=USER, event="VM.DESTROY", response=InstanceResponse, locks=("vm",))
class DestroyVirtualMachine(AsyncCommand):
    """Destroys an instance; until it is expunged it can be recovered."""

    id = machine()
    expunge = Bool(default=False, help_text="expunge it at once; left to administrators unless a setting allows it")
    forced = Bool(default=False, source="force", allowed=ROOT, help_text="cut its power instead of asking the guest")
    volumeids = List(
        of=Ref("storage.Volume", Access.OPERATE), source="volumes", help_text="data volumes of it to delete as well"
    )

    def run(self, vm: VirtualMachine, expunge: bool, force: bool, volumes: Sequence[Volume] = ()) -> VirtualMachine:
        by_admin = is_admin(self.caller)
        return power.destroy(vm=vm, volumes=volumes, force=force, expunge=expunge, by_admin=by_admin)


@command("expungeVirtualMachine", roles=USER, event="VM.EXPUNGE", response=None, locks=("vm",))
class ExpungeVirtualMachine(AsyncCommand):
    """Removes a destroyed instance for good."""

    id = machine()

    def run(self, vm: VirtualMachine) -> dict[str, Any]:
        instances.check_allowed(vm, is_admin(self.caller))
        instances.expunge(vm=vm)
        return {"success": True}


@command("recoverVirtualMachine", roles=USER, event="VM.RECOVER", response=InstanceResponse)
class RecoverVirtualMachine(Command):
    """Brings back an instance that was destroyed and not expunged yet."""

    id = machine()

    def run(self, vm: VirtualMachine) -> VirtualMachine:
        instances.check_allowed(vm, is_admin(self.caller))
        return instances.recover(vm=vm)


@command("restoreVirtualMachine", roles=USER, event="VM.RESTORE", response=InstanceResponse, locks=("vm",))
class RestoreVirtualMachine(AsyncCommand):
    """Gives an instance a fresh root disk from its template or another one."""

    virtualmachineid = machine()
    templateid = Ref("images.Template", Access.USE, source="template", help_text="another template")
    rootdisksize = Long(source="root_size", min_value=1, help_text="GiB of the new root disk; as before if absent")

    def run(self, vm: VirtualMachine, template: Template | None = None, root_size: int | None = None) -> Any:
        return restoring.restore(vm=vm, template=template, root_size=root_size)

    def secrets(self, row: VirtualMachine) -> dict[str, str]:
        return passwords.told(row) if row.tells_password else {}


@command("updateVirtualMachine", roles=USER, event="VM.UPDATE", response=InstanceResponse)
class UpdateVirtualMachine(Command):
    """Changes what is said about an instance; names and user data hold from its next start."""

    id = machine()
    name = Name(help_text="host name")
    displayname = Str(source="display_name", help_text="what people call it")
    displayvm = Bool(source="is_displayed", allowed=ROOT, help_text="shown to its owner")
    group = Str(help_text="instance group; empty for none")
    haenable = Bool(source="ha_enabled", help_text="start it elsewhere when its host fails")
    isdynamicallyscalable = Bool(source="is_dynamically_scalable", help_text="may be given more while it runs")
    deleteprotection = Bool(source="delete_protection", help_text="refuse to destroy it")
    ostypeid = Ref("images.OsType", Access.USE, source="os_type", help_text="the guest system")
    userdata = Str(source="user_data", secret=True, length=1048576, help_text="base64")
    details = Map(style="entry0", source="given_details", help_text="replace the free details")
    securitygroupids = List(
        of=Ref("firewall.SecurityGroup", Access.USE), source="security_groups", help_text="the groups, while it is down"
    )
    securitygroupnames = List(source="security_names", help_text="groups by name, instead")
    cleanupdetails = Bool(default=False, source="is_cleaned", help_text="remove the free details")

    def run(
        self,
        vm: VirtualMachine,
        is_cleaned: bool,
        group: str | None = None,
        given_details: dict[str, str] | None = None,
        os_type: OsType | None = None,
        security_groups: Sequence[Any] | None = None,
        security_names: Sequence[str] | None = None,
        **columns: Any,
    ) -> VirtualMachine:
        if os_type:
            columns["os_type"] = os_type
        by_root = self.caller.is_root
        changes.replace_security_groups(vm=vm, groups=security_groups, names=security_names)
        changes.replace_details(vm=vm, given=given_details, is_cleaned=is_cleaned, by_root=by_root)
        return changes.update(vm=vm, group=group, columns=columns)


@command("changeServiceForVirtualMachine", roles=USER, event="VM.UPGRADE", response=InstanceResponse)
class ChangeServiceForVirtualMachine(Command):
    """Gives a stopped instance another compute offering."""

    id = machine()
    serviceofferingid = Ref("offerings.ServiceOffering", Access.USE, source="offering", required=True, help_text="size")
    details = Map(style="merged", source="given_details", help_text="cpuNumber, cpuSpeed and memory of a custom one")

    def run(
        self, vm: VirtualMachine, offering: ServiceOffering, given_details: dict[str, str] | None = None
    ) -> VirtualMachine:
        return changes.change_offering(vm=vm, offering=offering, given=given_details or {})


@command("scaleVirtualMachine", roles=USER, event="VM.UPGRADE", response=InstanceResponse, locks=("vm",))
class ScaleVirtualMachine(AsyncCommand):
    """Gives an instance another compute offering; it must be stopped, as no hypervisor resizes a running one."""

    id = machine()
    serviceofferingid = Ref("offerings.ServiceOffering", Access.USE, source="offering", required=True, help_text="size")
    details = Map(style="merged", source="given_details", help_text="cpuNumber, cpuSpeed and memory of a custom one")

    def run(
        self, vm: VirtualMachine, offering: ServiceOffering, given_details: dict[str, str] | None = None
    ) -> VirtualMachine:
        return changes.scale(vm=vm, offering=offering, given=given_details or {})


@command("assignVirtualMachine", roles=DOMAIN, event="VM.MOVE", response=InstanceResponse)
class AssignVirtualMachine(Command):
    """Gives a stopped instance with its disks to another account; it leaves its networks and groups."""

    virtualmachineid = machine()
    owner = GivenOwner()
    networkids = List(
        of=Ref("network.Network", Access.USE), source="networks", help_text="the default one of the account if absent"
    )
    securitygroupids = List(
        of=Ref("firewall.SecurityGroup", Access.USE), source="security_groups", help_text="the default one if absent"
    )

    def run(
        self,
        vm: VirtualMachine,
        owner: Any = None,
        networks: Sequence[Any] = (),
        security_groups: Sequence[Any] = (),
    ) -> VirtualMachine:
        if owner is None:
            raise InvalidParameter("account: say, with domainid, whose the instance shall be; or projectid")
        return assigning.assign(vm=vm, owner=owner, networks=networks, security_groups=security_groups)


@command(
    "resetPasswordForVirtualMachine", roles=USER, event="VM.RESETPASSWORD", response=InstanceResponse, locks=("vm",)
)
class ResetPasswordForVirtualMachine(AsyncCommand):
    """Gives a stopped instance a new password, which only this answer tells."""

    id = machine()
    password = Str(secret=True, help_text="made up if absent")

    def run(self, vm: VirtualMachine, password: str | None = None) -> VirtualMachine:
        return changes.reset_password(vm=vm, password=password)

    def secrets(self, row: VirtualMachine) -> dict[str, str]:
        return passwords.told(row)


@command("resetSSHKeyForVirtualMachine", roles=USER, event="VM.RESETSSHKEY", response=InstanceResponse, locks=("vm",))
class ResetSSHKeyForVirtualMachine(AsyncCommand):
    """Gives a stopped instance other SSH keys."""

    id = machine()
    keypair = Str(source="key_name", help_text="name of an SSH key pair")
    keypairs = List(source="key_names", help_text="names of SSH key pairs")
    owner = GivenOwner()

    def run(
        self, vm: VirtualMachine, key_name: str = "", key_names: Sequence[str] = (), owner: Any = None
    ) -> VirtualMachine:
        names = [*key_names, *([key_name] if key_name else [])]
        return changes.reset_keys(vm=vm, names=names, owner=owner or vm.owner)


@command("resetUserDataForVirtualMachine", roles=ROOT, event="VM.RESETUSERDATA", response=InstanceResponse)
class ResetUserDataForVirtualMachine(Command):
    """Gives a stopped instance other user data."""

    id = machine()
    userdata = Str(source="user_data", secret=True, length=1048576, default="", help_text="base64; none if absent")

    def run(self, vm: VirtualMachine, user_data: str) -> VirtualMachine:
        return changes.reset_user_data(vm=vm, user_data=user_data)
