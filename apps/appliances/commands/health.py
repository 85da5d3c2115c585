from typing import Any

from django.utils import timezone

from apps.appliances.models import Router
from apps.appliances.services import routers
from apps.core.callers import ROOT, Access
from apps.core.commands import Command, command
from apps.core.errors import InvalidParameter, ResourceUnavailable
from apps.core.refs import Ref
from apps.core.responses import Plain, wire_date
from apps.core.wire import Bool
from apps.hypervisors.errors import DriverError
from apps.infrastructure.drivers import driver_for
from apps.machines.models import VirtualMachine

LOOK = 20.0  # seconds that the host has for all its checks


class HealthChecksResponse(Plain):
    wire_name = "routerhealthchecks"
    fields = {"routerid": "string", "healthchecks": "list"}


@command("getRouterHealthCheckResults", roles=ROOT, response=HealthChecksResponse)
class GetRouterHealthCheckResults(Command):
    """Tells how a router is: each check is carried out now, as a guest or the outside would see, and kept for lists."""

    changes = False

    routerid = Ref("appliances.RouterMachine", Access.OPERATE, source="vm", required=True, help_text="the router")
    performfreshchecks = Bool(source="fresh", help_text="they are fresh in any case")

    def run(self, vm: VirtualMachine, fresh: bool = False) -> dict[str, Any]:
        checks = [_said(check) for check in _checks(vm)]
        routers.keep_checks(vm, checks)
        return {"routerhealthchecks": {"routerid": str(vm.uuid), "healthchecks": checks}}


def _checks(vm: VirtualMachine) -> list[dict[str, Any]]:
    if vm.state != VirtualMachine.State.RUNNING or vm.host is None:
        raise InvalidParameter(f"routerid: router {vm.uuid} is {vm.state}: only one that runs is checked")
    network = Router.objects.values_list("network_uuid", flat=True).get(vm=vm)
    try:
        found = driver_for(vm.host).networks.status(network, within=LOOK)
    except DriverError as error:
        raise ResourceUnavailable(f"router {vm.uuid} cannot be checked now: {error}") from error
    return list(found.get("checks", ()))


def _said(check: dict[str, Any]) -> dict[str, Any]:
    return {
        "checkname": str(check["checkname"]),
        "checktype": str(check["checktype"]),
        "success": bool(check["success"]),
        "status": "SUCCESS" if check["success"] else "FAILED",
        "details": str(check.get("details", "")),
        "lastupdated": wire_date(timezone.now()),
    }
