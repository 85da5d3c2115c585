from collections.abc import Sequence
from typing import Any

from apps.appliances.commands.responses import ARCH, VERSION, RouterResponse, SystemMachineResponse
from apps.appliances.flows.power import DESTROY, REBOOT, START, STOP, Power
from apps.appliances.models import Router
from apps.appliances.services import machines, routers
from apps.core.callers import DOMAIN, ROOT, Access, Kind
from apps.core.commands import NO_EVENT, AsyncCommand, Command, command
from apps.core.errors import InvalidParameter
from apps.core.keys import Keys
from apps.core.lists import ListCommand, OwnedListCommand
from apps.core.refs import Ref, RefFilter
from apps.core.wire import Bool, Str
from apps.jobs.flows import begin
from apps.machines.models import VirtualMachine
from apps.offerings.models import ServiceOffering

ADMIN = ROOT | Kind.RESOURCE_ADMIN
FORCED = Bool(default=False, help_text="cut the power; machines of the system are never asked first")
ROUTER = ("vm", "vm.router.network")
SYSTEM_KINDS = {"secondarystoragevm": "SecondaryStorageVm", "consoleproxy": "ConsoleProxy"}


def router_ref() -> Ref:
    return Ref("appliances.RouterMachine", Access.OPERATE, source="vm", required=True, help_text="the router")


def system_ref() -> Ref:
    return Ref("appliances.SystemMachine", Access.OPERATE, source="vm", required=True, help_text="the system machine")


def check_state(vm: VirtualMachine, *states: str) -> None:
    if vm.state not in states:
        raise InvalidParameter(f"id: {vm.instance_name} is {vm.state}, it must be {' or '.join(states)}")


class Start(AsyncCommand):
    """Starts a machine of the system."""

    def run(self, vm: VirtualMachine, **values: Any) -> Any:
        check_state(vm, "Stopped")
        return begin(START, Power(vm_id=vm.pk))


class Stop(AsyncCommand):
    """Stops a machine of the system."""

    def run(self, vm: VirtualMachine, **values: Any) -> Any:
        check_state(vm, "Running", "Stopping", "Stopped")
        return begin(STOP, Power(vm_id=vm.pk))


class Reboot(AsyncCommand):
    """Reboots a machine of the system."""

    def run(self, vm: VirtualMachine, **values: Any) -> Any:
        check_state(vm, "Running")
        return begin(REBOOT, Power(vm_id=vm.pk))


class Destroy(AsyncCommand):
    """Destroys a machine of the system; where one is needed another is made."""

    def run(self, vm: VirtualMachine, **values: Any) -> Any:
        return begin(DESTROY, Power(vm_id=vm.pk))


@command("startRouter", roles=DOMAIN, event="ROUTER.START", response=RouterResponse, locks=ROUTER)
class StartRouter(Start):
    """Starts a router, and gives it the document of its network."""

    id = router_ref()

    def run(self, vm: VirtualMachine, **values: Any) -> Any:
        router = routers.of_machine(vm)
        if router is None or router.network is None:
            raise InvalidParameter(f"id: the network of {vm.instance_name} is gone, it has nothing to start for")
        return super().run(vm, **values)


@command("stopRouter", roles=DOMAIN, event="ROUTER.STOP", response=RouterResponse, locks=ROUTER)
class StopRouter(Stop):
    """Stops a router; its network is without services until it is started."""

    id = router_ref()
    forced = FORCED


@command("rebootRouter", roles=DOMAIN, event="ROUTER.REBOOT", response=RouterResponse, locks=ROUTER)
class RebootRouter(Reboot):
    """Reboots a router."""

    id = router_ref()
    forced = FORCED


@command("destroyRouter", roles=DOMAIN, event="ROUTER.DESTROY", response=RouterResponse, locks=ROUTER)
class DestroyRouter(Destroy):
    """Destroys a router; restartNetwork or the next machine makes another."""

    id = router_ref()


def offering_ref() -> Ref:
    return Ref(
        "offerings.ServiceOffering", Access.USE, source="offering", required=True, help_text="another system offering"
    )


@command("changeServiceForRouter", roles=DOMAIN, event="ROUTER.UPGRADE", response=RouterResponse)
class ChangeServiceForRouter(Command):
    """Gives a stopped router another size."""

    id = router_ref()
    serviceofferingid = offering_ref()

    def run(self, vm: VirtualMachine, offering: ServiceOffering) -> VirtualMachine:
        return machines.resize(vm=vm, offering=offering)


def built_as(rows: Any, given: dict[str, Any]) -> Any:
    """All machines of the system are built alike: a filter by that finds all or none."""
    wanted = {"version": VERSION, "arch": ARCH}
    return rows.none() if any(given.get(name, value) != value for name, value in wanted.items()) else rows


@command("listRouters", roles=DOMAIN, response=RouterResponse)
class ListRouters(OwnedListCommand):
    """Lists routers."""

    model = "appliances.RouterMachine"
    keyword_in = ("instance_name",)
    taggable = False
    filters = {
        "name": "instance_name",
        "state": "state",
        "zoneid": RefFilter("infrastructure.Zone", "zone"),
        "podid": RefFilter("infrastructure.Pod", "pod", allowed=ADMIN),
        "hostid": RefFilter("infrastructure.Host", "host", allowed=ADMIN),
        "clusterid": RefFilter("infrastructure.Cluster", "host__cluster", allowed=ADMIN),
        "networkid": RefFilter("network.Network", "router__network"),
        "forvpc": Bool(help_text="routers of VPCs, or others"),
        "version": Str(help_text="those with this version of their programs"),
        "arch": Str(help_text="those of this architecture"),
        "healthchecksfailed": Bool(help_text="those of which a check failed, or of which none did"),
    }
    fetchhealthcheckresults = Bool(default=False, help_text="tell also what the last checks found")

    def narrow(self, rows: Any, given: dict[str, Any]) -> Any:
        self.tells_checks = given["fetchhealthcheckresults"]
        if "healthchecksfailed" in given:
            rows = rows.filter(router__checks_failed=given["healthchecksfailed"])
        return rows.none() if given.get("forvpc") else built_as(rows, given)

    def answers(self, keys: Sequence[int], details: list[str] | None) -> list[dict[str, Any]]:
        found = super().answers(keys, details)
        if not self.tells_checks:
            return found
        kept = dict(Router.objects.filter(vm__among=Keys(keys)).values_list("vm", "checks"))
        return [answer | {"healthcheckresults": kept[key]} for key, answer in zip(keys, found, strict=True)]


@command("startSystemVm", roles=ROOT, event="SSVM.START", response=SystemMachineResponse, locks=("vm",))
class StartSystemVm(Start):
    """Starts a system machine."""

    id = system_ref()


@command("stopSystemVm", roles=ROOT, event="SSVM.STOP", response=SystemMachineResponse, locks=("vm",))
class StopSystemVm(Stop):
    """Stops a system machine; it stays down until it is started."""

    id = system_ref()
    forced = FORCED


@command("rebootSystemVm", roles=ROOT, event="SSVM.REBOOT", response=SystemMachineResponse, locks=("vm",))
class RebootSystemVm(Reboot):
    """Reboots a system machine."""

    id = system_ref()
    forced = FORCED


@command("destroySystemVm", roles=ROOT, event="SSVM.DESTROY", response=SystemMachineResponse, locks=("vm",))
class DestroySystemVm(Destroy):
    """Destroys a system machine; an enabled zone gets a new one."""

    id = system_ref()


@command("changeServiceForSystemVm", roles=ROOT, event=NO_EVENT, response=SystemMachineResponse)
class ChangeServiceForSystemVm(Command):
    """Gives a stopped system machine another size."""

    id = system_ref()
    serviceofferingid = offering_ref()

    def run(self, vm: VirtualMachine, offering: ServiceOffering) -> VirtualMachine:
        return machines.resize(vm=vm, offering=offering)


@command("listSystemVms", roles=ADMIN, response=SystemMachineResponse)
class ListSystemVms(ListCommand):
    """Lists system machines."""

    model = "appliances.SystemMachine"
    keyword_in = ("instance_name",)
    filters = {
        "name": "instance_name",
        "state": "state",
        "zoneid": RefFilter("infrastructure.Zone", "zone"),
        "podid": RefFilter("infrastructure.Pod", "pod"),
        "hostid": RefFilter("infrastructure.Host", "host"),
        "systemvmtype": Str(help_text="secondarystoragevm or consoleproxy"),
        "arch": Str(help_text="those of this architecture"),
    }

    def narrow(self, rows: Any, given: dict[str, Any]) -> Any:
        if "systemvmtype" in given:
            rows = rows.filter(kind=SYSTEM_KINDS.get(given["systemvmtype"].lower(), ""))
        return built_as(rows, given)
