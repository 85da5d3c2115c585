from typing import Any

from apps.compute.commands.responses import InstanceResponse
from apps.compute.services import instances
from apps.core.callers import USER, Access
from apps.core.commands import CreateCommand, command
from apps.core.lists import OwnedListCommand
from apps.core.refs import Owner, Ref, RefFilter
from apps.core.wire import Str
from apps.machines.models import VirtualMachine
from apps.machines.states import VM


@command("deployVirtualMachine", roles=USER, event="VM.CREATE", response=InstanceResponse, locks=("row",))
class DeployVirtualMachine(CreateCommand):
    """Creates and starts an instance."""

    serviceofferingid = Ref("offerings.ServiceOffering", Access.USE, source="offering", required=True)
    templateid = Ref("images.Template", Access.USE, source="template", required=True)
    zoneid = Ref("infrastructure.Zone", Access.USE, source="zone", required=True)
    name = Str(default="instance", help_text="host name")
    owner = Owner()

    def create(self, **values: Any) -> VirtualMachine:
        return instances.allocate(**values)

    def run(self, row: VirtualMachine, **values: Any) -> Any:
        return instances.start(row)

    def failed(self, row: VirtualMachine) -> None:
        """After the flow has undone everything, or where it never began."""
        VM.fire(row, "OperationFailedToError")


@command("listVirtualMachines", roles=USER, response=InstanceResponse)
class ListVirtualMachines(OwnedListCommand):
    """Lists instances."""

    model = "machines.VirtualMachine"
    has_ids = True
    details_words = (
        "all",
        "group",
        "nics",
        "stats",
        "secgrp",
        "tmpl",
        "servoff",
        "diskoff",
        "backoff",
        "iso",
        "volume",
        "min",
        "affgrp",
        "vnfnics",
    )
    keyword_in = ("name", "state")
    filters = {
        "name": "name",
        "state": "state",
        "zoneid": RefFilter("infrastructure.Zone", "zone"),
        "hostid": RefFilter("infrastructure.Host", "host"),
    }
