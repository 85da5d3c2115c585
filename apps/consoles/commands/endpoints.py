from typing import Any
from urllib.parse import urlsplit

from apps.configuration.endpoint import ENDPOINT
from apps.consoles import services
from apps.consoles.relay import PATH
from apps.core.callers import USER, Access
from apps.core.commands import NO_EVENT, Command, command
from apps.core.refs import Ref
from apps.core.responses import Plain
from apps.machines.models import VirtualMachine

PORTS = {"http": 80, "https": 443}


class EndpointResponse(Plain):
    wire_name = "consoleendpoint"
    fields = {"success": "boolean", "url": "string", "websocket": "consoleendpointwebsocketresponse"}


@command(services.COMMAND, roles=USER, response=EndpointResponse, event=NO_EVENT)
class CreateConsoleEndpoint(Command):
    """Creates the address of the console of a running instance, good for one use within a minute."""

    virtualmachineid = Ref(
        "machines.VirtualMachine", Access.OPERATE, source="vm", required=True, help_text="the instance"
    )

    def run(self, vm: VirtualMachine) -> dict[str, Any]:
        token = services.create_ticket(vm=vm, user=self.caller.user)
        return {"consoleendpoint": {"success": True, **addresses(ENDPOINT.value(), vm, token)}}


def addresses(endpoint: str, vm: VirtualMachine, token: str) -> dict[str, Any]:
    """What follows "#" in the page's address never leaves the browser: no log of a server has it."""
    where = urlsplit(endpoint)
    port = str(where.port or PORTS.get(where.scheme, 80))
    socket = {"host": where.hostname or "localhost", "port": port, "path": PATH.strip("/"), "token": token}
    return {"url": f"{where.scheme}://{where.netloc}/console/{vm.uuid}#{token}", "websocket": socket}
